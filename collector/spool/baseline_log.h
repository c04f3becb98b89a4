#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The previous reading of a monitored server, on disk, so that a restart neither loses nor repeats an increase: a file
 * that begins with the whole of it, and behind that what each batch changed. Baseline N is fsynced before batch N goes
 * to the spool; at start the file that leads up to the spool's id and last sequence is the truth (docs/spool.md,
 * section 6). Content is opaque bytes of delta.c. The target's thread.
 */
#include "collector/spool/baseline.h"

typedef struct BaselineLog BaselineLog;

/* @directory: state_dir/servers/NAME, made when missing by the first write. */
BaselineLog *baseline_log_new(const char *directory);
BaselineLog *baseline_log_free(BaselineLog *l); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(BaselineLog *, baseline_log_free)

/* The whole, or a change of what was given before; negative ends the reading. */
typedef int (*BaselineOnPart)(void *arg, Slice content, bool whole, Err *reterr);

/* Once, before anything is written. BASELINE_ABSENT: nothing leads up to exactly this id and sequence undamaged: begin
 * a new epoch. */
int baseline_log_read(BaselineLog *l, const char *spool_id, uint64_t sequence, BaselineOnPart on_part, void *arg,
                      Err *reterr) MUST_CHECK;

/* What the next baseline_log_write() is to be given: the whole, or what changes the one written last. */
bool baseline_log_wants_whole(const BaselineLog *l);
/* One for each batch, with its sequence. */
int baseline_log_write(BaselineLog *l, const char *spool_id, uint64_t sequence, Slice content, Err *reterr) MUST_CHECK;
/* The batch of the last write is in the spool. Without that the next write is a whole one (B4). */
void baseline_log_kept(BaselineLog *l);
