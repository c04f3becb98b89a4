#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The programs' own metrics. Declared once as static objects in a table, changed with relaxed atomics from any thread,
 * printed as Prometheus text. Labels are fixed at declaration; a family with a bounded label set is a row each.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "lib/telemetry/exposition.h"

typedef struct Counter {
    const char *name;   /* "pganalytics_push_requests_total" */
    const char *labels; /* "code=\"ok\"" or NULL */
    const char *help;
    _Atomic uint64_t value;
} Counter;

typedef struct Gauge {
    const char *name;
    const char *labels;
    const char *help;
    _Atomic int64_t value;
} Gauge;

enum { HISTOGRAM_BUCKETS_MAX = 16 };
typedef struct Histogram {
    const char *name;
    const char *labels;
    const char *help;
    const double *bounds; /* ascending upper bounds, at most HISTOGRAM_BUCKETS_MAX */
    unsigned bounds_count;
    _Atomic uint64_t buckets[HISTOGRAM_BUCKETS_MAX + 1];
    _Atomic uint64_t sum_micro; /* of the observed values, in millionths */
} Histogram;

static inline void counter_add(Counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}
static inline void gauge_set(Gauge *g, int64_t value)
{
    atomic_store_explicit(&g->value, value, memory_order_relaxed);
}
static inline void gauge_add(Gauge *g, int64_t delta)
{
    atomic_fetch_add_explicit(&g->value, delta, memory_order_relaxed);
}
void histogram_observe(Histogram *h, double value);

typedef struct TelemetryEntry {
    enum { TELEMETRY_COUNTER, TELEMETRY_GAUGE, TELEMETRY_HISTOGRAM } type;
    void *metric;
} TelemetryEntry;

/* Prometheus text exposition 0.0.4; entries of one name must stand together (HELP and TYPE are written once a name). */
void telemetry_write_text(Buf *out, const TelemetryEntry *entries, size_t count);
/* The process's own resident bytes, CPU seconds, open descriptors and their limit, threads, start time. */
void telemetry_write_process(Buf *out, ExpositionFormat format);
