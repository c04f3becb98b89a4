#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The previous reading of a monitored server, on disk, so that a restart neither loses nor repeats an increase.
 * Two slots, written in turn: baseline N is fsynced before batch N goes to the spool; at start the slot that names the
 * spool's id and its last sequence is the truth (docs/spool.md, section 6). Content is opaque bytes of delta.c.
 * The target's thread.
 */
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum { BASELINE_OK, BASELINE_ABSENT };

/* Writes slot (sequence % 2) of @directory (state_dir/servers/NAME, made when missing), fsynced. */
int baseline_write(const char *directory, const char *spool_id, uint64_t sequence, Slice content,
                   Err *reterr) MUST_CHECK;
/* BASELINE_ABSENT: no slot holds exactly this id and sequence undamaged: begin a new epoch. */
int baseline_read(const char *directory, const char *spool_id, uint64_t sequence, Buf *ret, Err *reterr) MUST_CHECK;
