/* SPDX-License-Identifier: PostgreSQL */
/*
 * The programs' own metrics as Prometheus text ("Text-based format", version 0.0.4). Values are read one by one with
 * relaxed atomics while other threads change them: a scrape is no snapshot, each number in it is a true one. A
 * histogram's count is the sum of its buckets as read, so it always agrees with the bucket "+Inf".
 */
#include "lib/telemetry/telemetry.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void histogram_observe(Histogram *h, double value)
{
    assert(h->bounds_count <= HISTOGRAM_BUCKETS_MAX);
    if (isnan(value))
        return; /* belongs to no bucket and would spoil the sum */
    unsigned i = 0;
    while (i < h->bounds_count && value > h->bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->buckets[i], 1, memory_order_relaxed);

    double micro = value * 1e6;
    if (micro > 0 && micro < 9e18) /* beyond it only a clock that went wrong */
        atomic_fetch_add_explicit(&h->sum_micro, (uint64_t)llround(micro), memory_order_relaxed);
}

/* "name_suffix{labels,extra} "; labels and extra may be NULL. */
static void append_name(Buf *out, const char *name, const char *suffix, const char *labels, const char *extra)
{
    buf_printf(out, "%s%s", name, suffix);
    if (labels || extra)
        buf_printf(out, "{%s%s%s}", labels ? labels : "", labels && extra ? "," : "", extra ? extra : "");
    buf_append_char(out, ' ');
}

static void append_uint64_line(Buf *out, uint64_t value)
{
    buf_printf(out, "%" PRIu64 "\n", value);
}

static void append_int64_line(Buf *out, int64_t value)
{
    buf_append_int64(out, value);
    buf_append_char(out, '\n');
}

static void append_double_line(Buf *out, double value)
{
    buf_append_double(out, value);
    buf_append_char(out, '\n');
}

static void append_histogram(Buf *out, const Histogram *h)
{
    _cleanup_buf_ Buf le = BUF_INIT;
    uint64_t up_to_bound = 0;
    for (unsigned i = 0; i <= h->bounds_count; i++) {
        up_to_bound += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        buf_clear(&le);
        buf_append_cstr(&le, "le=\"");
        if (i < h->bounds_count)
            buf_append_double(&le, h->bounds[i]);
        else
            buf_append_cstr(&le, "+Inf");
        buf_append_char(&le, '"');
        append_name(out, h->name, "_bucket", h->labels, buf_cstr(&le));
        append_uint64_line(out, up_to_bound);
    }

    append_name(out, h->name, "_sum", h->labels, NULL);
    append_double_line(out, (double)atomic_load_explicit(&h->sum_micro, memory_order_relaxed) / 1e6);
    append_name(out, h->name, "_count", h->labels, NULL);
    append_uint64_line(out, up_to_bound);
}

/* What all metrics begin with; the name's head stands before the first of its entries. */
static void append_head_once(Buf *out, const char **last_name, const char *name, const char *type, const char *help)
{
    if (*last_name && strcmp(name, *last_name) == 0)
        return;
    exposition_append_head(out, EXPOSITION_TEXT, name, type, help);
    *last_name = name;
}

void telemetry_write_text(Buf *out, const TelemetryEntry *entries, size_t count)
{
    const char *last_name = NULL;
    for (size_t i = 0; i < count; i++) {
        const void *metric = entries[i].metric;
        switch (entries[i].type) {
        case TELEMETRY_COUNTER: {
            const Counter *c = metric;
            append_head_once(out, &last_name, c->name, "counter", c->help);
            append_name(out, c->name, "", c->labels, NULL);
            append_uint64_line(out, atomic_load_explicit(&c->value, memory_order_relaxed));
            break;
        }
        case TELEMETRY_GAUGE: {
            const Gauge *g = metric;
            append_head_once(out, &last_name, g->name, "gauge", g->help);
            append_name(out, g->name, "", g->labels, NULL);
            append_int64_line(out, atomic_load_explicit(&g->value, memory_order_relaxed));
            break;
        }
        case TELEMETRY_HISTOGRAM: {
            const Histogram *h = metric;
            append_head_once(out, &last_name, h->name, "histogram", h->help);
            append_histogram(out, h);
            break;
        }
        }
    }
}
