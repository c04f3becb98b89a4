#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The spool's files: naming, listing, reading whatever can be read, and the durable steps in their order. No state but
 * the descriptors given out. Any thread, one at a time for a directory (the lock on the head sees to it).
 */
#include "collector/spool/spool_format.h"
#include "lib/base/err.h"
#include "lib/base/vec.h"

DEFINE_VEC(SpoolNumbers, spool_numbers, uint64_t)

/* Opens, creates and locks the head (ERR_CONFLICT: another process has it). *ret_known: a slot could be read; if not,
 * *ret is empty and the file is new or damaged, and is made good by the first spool_head_write(). */
int spool_head_open(const char *directory, int *ret_fd, SpoolHead *ret, bool *ret_known, Err *reterr) MUST_CHECK;
/* Gives the file its full size, so that later writes need no space; keeps no slot. Durable. */
int spool_head_reset(int fd, const SpoolHead *head, Err *reterr) MUST_CHECK;
/* Writes the slot of head->generation, in place. */
int spool_head_write(int fd, const SpoolHead *head, bool durable, Err *reterr) MUST_CHECK;

/* First sequences of the segments, ascending. Removes what a crash left half-made. */
int spool_segments_list(const char *directory, SpoolNumbers *ret, Err *reterr) MUST_CHECK;
/* S1: durable when it returns 0; *ret_fd stands behind the header. Replaces a segment of the same number. */
int spool_segment_create(const char *directory, const SpoolSegmentHeader *header, int *ret_fd, Err *reterr) MUST_CHECK;
/* Writes the header of an existing segment again. */
int spool_segment_mend(const char *directory, const SpoolSegmentHeader *header, Err *reterr) MUST_CHECK;
/* All of it; what the disk cannot read comes as 0xff bytes, for the checksums to find. @ret is cleared first. */
int spool_segment_read(const char *directory, uint64_t first, Buf *ret, Err *reterr) MUST_CHECK;
int spool_segment_open(const char *directory, uint64_t first, int flags, int *ret_fd, Err *reterr) MUST_CHECK;
int spool_segment_remove(const char *directory, uint64_t first, Err *reterr) MUST_CHECK;
