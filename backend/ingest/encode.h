#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rows of checked frames as COPY BINARY streams, one for each family, kept from transaction to transaction so that
 * memory is reused. One writer thread.
 */
#include "backend/ingest/check.h"
#include "lib/base/buf.h"

typedef struct Encoder Encoder;

Encoder *encoder_new(void);
Encoder *encoder_free(Encoder *e);
DEFINE_CLEANUP(Encoder *, encoder_free)

/* Forgets all rows; gives back the memory of unusually large streams. */
void encoder_clear(Encoder *e);
/* .series, .server_id must be filled; refused rows and rows with series 0 are left out. */
void encoder_add_frame(Encoder *e, const CheckedFrame *frame);
void encoder_add_metric(Encoder *e, const CheckedMetric *metric);

/* for (size_t at = 0; encoder_next(e, &at, &family, &columns, &data);) ... : the streams that have rows, ended. */
bool encoder_next(Encoder *e, size_t *at, const char **ret_family, const char **ret_columns, Slice *ret_data);

/* Bytes that name the series of row @row within its server and family; appended to @out. Pure. */
void encode_series_key(Buf *out, const CheckedFrame *frame, size_t row);
/* Its labels as a JSON object; labels without a value are left out. Pure. */
void encode_series_labels(Buf *out, const CheckedFrame *frame, size_t row);
