#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What belongs to a number and must survive a restart, in two slots that are written in turn: number N never touches
 * what N - 1 wrote. Content is opaque bytes. The target's thread.
 */
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum { BASELINE_OK, BASELINE_ABSENT };

/* Writes slot (sequence % 2) of @directory (made when missing), fsynced. */
int baseline_write(const char *directory, const char *spool_id, uint64_t sequence, Slice content,
                   Err *reterr) MUST_CHECK;
/* BASELINE_ABSENT: no slot holds exactly this id and sequence undamaged. */
int baseline_read(const char *directory, const char *spool_id, uint64_t sequence, Buf *ret, Err *reterr) MUST_CHECK;
