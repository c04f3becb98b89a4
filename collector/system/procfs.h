#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Reading the small text files of /proc: whole file, lines, fields. Pure but for the reading; any thread. */
#include "collector/system/system.h"

/* Replaces @ret with the file below the host's root, at most 1 MiB of it. */
int procfs_read(const SystemHost *host, const char *path, Buf *ret, Err *reterr) MUST_CHECK;
bool procfs_next_line(Slice *rest, Slice *ret_line);
/* The next run of bytes that are not white space; false at the end of the line. */
bool procfs_next_field(Slice *line, Slice *ret_field);
/* Fills up to @max numbers from the rest of a line; returns how many there were. A field that is no number ends it. */
size_t procfs_numbers(Slice line, int64_t *ret, size_t max);
