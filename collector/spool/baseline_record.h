#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The bytes of the files of baseline.h and baseline_log.h: docs/spool.md, section 6. Pure, any thread. */
#include <stdint.h>

#include "lib/base/buf.h"

enum { BASELINE_RECORD_HEADER_SIZE = 64, BASELINE_CONTENT_MAX = 256 << 20 };

typedef enum BaselineKind { BASELINE_WHOLE, BASELINE_CHANGE } BaselineKind;

void baseline_record_encode(BaselineKind kind, const char *spool_id, uint64_t sequence, Slice content, Buf *out);
/* Takes a record of @kind and @spool_id from the front of *@bytes; false: there is none, or it is damaged. */
bool baseline_record_take(Slice *bytes, BaselineKind kind, const char *spool_id, uint64_t *ret_sequence,
                          Slice *ret_content);
