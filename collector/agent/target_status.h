#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What "pganalytics status" tells of one server: a JSON object, made by the target's thread behind each tick and kept
 * until somebody asks, so that a server that hangs can be told about too. Bounded: of what fails or is not there the
 * first TARGET_STATUS_LINES_MAX, texts cut.
 */
#include "collector/server/session.h"

enum { TARGET_STATUS_LINES_MAX = 40, TARGET_STATUS_DEAREST = 5 };

typedef struct TargetStatusInput {
    const char *name;
    Usec interval;
    const Session *session;
    const Err *unreachable; /* code ERR_NONE: it is reachable */
    Usec since;             /* wall; reachable, or not, since then; 0: never tried */
    Usec last_reading;      /* wall; 0: none yet */
    uint64_t readings;      /* ticks that read the server */
} TargetStatusInput;

/* Replaces the content of @out. */
void target_status_write(const TargetStatusInput *input, Buf *out);
