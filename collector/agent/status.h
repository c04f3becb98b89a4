#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the running collector knows of itself, as one JSON text: see docs/service.md. Times are microseconds of wall
 * time, 0 where there was none yet. "problems" is empty when all is well; each says what is wrong, for people.
 * The agent's main thread.
 */
#include "collector/agent/target.h"
#include "collector/link/sender.h"

typedef struct StatusServer {
    const char *name;
    Target *target; /* NULL: it is not watched any more, its batches are still sent */
    Spool *spool;   /* NULL: nothing is sent */
} StatusServer;

typedef struct StatusInput {
    Usec now_wall, now; /* wall, monotonic */
    Usec started;       /* wall */
    const char *collector_id;
    const char *api_url;
    const Sender *sender; /* NULL: nothing is sent */
    const StatusServer *servers;
    size_t server_count;
    int64_t memory_limit; /* bytes; 0: none */
    bool file_refused;    /* read again it had faults; what was in force before still is */
} StatusInput;

/* Appends to @out. True when there are no problems. */
bool status_write(const StatusInput *input, Buf *out);
/* One line for the service manager: "STATUS=2 of 3 servers reachable, 0 batches waiting". */
void status_write_line(const StatusInput *input, Buf *out);
