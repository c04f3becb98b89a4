#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The previous reading of a monitored server, on disk, so that a restart neither loses nor repeats an increase.
 * Two slots, written in turn: baseline N is fsynced before batch N goes to the spool; at start the slot whose sequence
 * is the spool's last one is the truth (docs/spool.md, invariants of the pair). Content is opaque bytes of delta.c.
 * The target's thread.
 */
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum { BASELINE_OK, BASELINE_ABSENT };

/* Writes slot (sequence % 2) of @directory, fsynced. */
int baseline_write(const char *directory, uint64_t sequence, Slice content, Err *reterr) MUST_CHECK;
/* BASELINE_ABSENT: no slot holds exactly @sequence undamaged. */
int baseline_read(const char *directory, uint64_t sequence, Buf *ret, Err *reterr) MUST_CHECK;
