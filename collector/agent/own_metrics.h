#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The collector's own metrics: what it keeps, sends and loses, for each server; what families cost is a family of its
 * own (collector_family). Reads atomics and asks the spools; any thread.
 */
#include "collector/agent/target.h"
#include "collector/link/sender.h"
#include "lib/telemetry/exposition.h"

typedef struct OwnPart {
    const char *server;
    const TargetStats *target; /* NULL: it is watched no more */
    bool has_spool;
    SpoolStats spool;
} OwnPart;

/* @sender NULL: nothing is sent. */
void own_metrics_write(const OwnPart *parts, size_t count, const SenderStats *sender, Buf *out,
                       ExpositionFormat format);
