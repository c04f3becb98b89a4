#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Builds a COPY BINARY stream in a Buf: pg_copy_begin(), for each row pg_copy_row() and its fields in order,
 * pg_copy_end(). Format: PostgreSQL manual, COPY, "Binary Format". Pure, any thread.
 */
#include "lib/base/buf.h"
#include "lib/base/clock.h"

void pg_copy_begin(Buf *out);
void pg_copy_row(Buf *out, uint16_t field_count);
void pg_copy_null(Buf *out);
void pg_copy_int4(Buf *out, int32_t v);
void pg_copy_int8(Buf *out, int64_t v);
void pg_copy_float8(Buf *out, double v);
void pg_copy_bool(Buf *out, bool v);
void pg_copy_text(Buf *out, Slice v);  /* text, varchar, json; valid UTF-8 without NUL is the caller's duty */
void pg_copy_jsonb(Buf *out, Slice v); /* version byte 1 + text */
void pg_copy_timestamptz(Buf *out, Usec wall);
void pg_copy_end(Buf *out);
