#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Exposition: the snapshots as the text that Prometheus reads. All samples of a metric stand together: metric by metric
 * it walks the servers. Pure but for the store's lock.
 */
#include "collector/exporter/snapshots.h"
#include "lib/telemetry/exposition.h"

typedef struct ExpositionOptions {
    ExpositionFormat format;
    const char *server; /* only this one's; NULL: all */
    Usec now_wall;
} ExpositionOptions;

/* Appends metrics of servers, not the end. False: there is no such server. */
bool exposition_write(Snapshots *s, const ExpositionOptions *options, Buf *out);
