/* SPDX-License-Identifier: PostgreSQL */
/* See own_metrics.h. A row for each metric; NaN: there is nothing to tell. */
#include "collector/agent/own_metrics.h"

#include <math.h>

#include "collector/version.h"

#define NOTHING ((double)NAN)

static double batches(const OwnPart *p)
{
    return p->target && p->has_spool ? (double)atomic_load(&p->target->batches) : NOTHING;
}

static double lost_batches(const OwnPart *p)
{
    return p->target && p->has_spool ? (double)atomic_load(&p->target->lost_batches) : NOTHING;
}

static double lost_readings(const OwnPart *p)
{
    return p->target ? (double)atomic_load(&p->target->lost_readings) : NOTHING;
}

static double resets(const OwnPart *p)
{
    return p->target && p->has_spool ? (double)atomic_load(&p->target->resets) : NOTHING;
}

static double spool_batches(const OwnPart *p)
{
    return p->has_spool ? (double)p->spool.batches : NOTHING;
}

static double spool_bytes(const OwnPart *p)
{
    return p->has_spool ? (double)p->spool.bytes : NOTHING;
}

static double spool_dropped(const OwnPart *p)
{
    return p->has_spool ? (double)p->spool.dropped_batches : NOTHING;
}

static double spool_damaged(const OwnPart *p)
{
    return p->has_spool ? (double)p->spool.damaged_records : NOTHING;
}

static double spool_oldest(const OwnPart *p)
{
    return p->has_spool && p->spool.oldest ? (double)p->spool.oldest / (double)USEC_PER_SEC : NOTHING;
}

static const struct {
    const char *name, *type, *help;
    double (*value)(const OwnPart *p);
} SERVER_ROWS[] = {
    {"pganalytics_batches_total", "counter", "Batches put into the spool.", batches},
    {"pganalytics_batches_not_kept_total", "counter",
     "Batches that could not be put there; what they held went into the next.", lost_batches},
    {"pganalytics_readings_given_up_total", "counter",
     "Samples and the like that were given up because no batch could be kept for long.", lost_readings},
    {"pganalytics_resets_total", "counter", "Rows whose counters began anew.", resets},
    {"pganalytics_spool_batches", "gauge", "Batches waiting to be sent.", spool_batches},
    {"pganalytics_spool_bytes", "gauge", "Disk space they take.", spool_bytes},
    {"pganalytics_spool_dropped_batches_total", "counter", "Batches given up because the spool was full.",
     spool_dropped},
    {"pganalytics_spool_damaged_records_total", "counter", "Records found damaged on disk since the start.",
     spool_damaged},
    {"pganalytics_spool_oldest_timestamp_seconds", "gauge", "When the oldest waiting batch was made.", spool_oldest},
};

static void append_sample(Buf *out, const char *name, const char *server, double value)
{
    buf_printf(out, "%s{", name);
    exposition_append_label(out, "server", slice_cstr(server));
    buf_append_cstr(out, "} ");
    exposition_append_value(out, value);
}

static void write_servers(const OwnPart *parts, size_t count, Buf *out, ExpositionFormat format)
{
    for (size_t row = 0; row < ARRAY_LENGTH(SERVER_ROWS); row++) {
        bool begun = false;
        for (size_t i = 0; i < count; i++) {
            double value = SERVER_ROWS[row].value(&parts[i]);
            if (isnan(value))
                continue;
            if (!begun)
                exposition_append_head(out, format, SERVER_ROWS[row].name, SERVER_ROWS[row].type,
                                       SERVER_ROWS[row].help);
            begun = true;
            append_sample(out, SERVER_ROWS[row].name, parts[i].server, value);
        }
    }
}

static void append_figure(Buf *out, ExpositionFormat format, const char *name, const char *type, const char *help,
                          double value)
{
    exposition_append_head(out, format, name, type, help);
    buf_printf(out, "%s ", name);
    exposition_append_value(out, value);
}

static void write_sender(const SenderStats *s, Buf *out, ExpositionFormat format)
{
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"pganalytics_sender_batches_total", "counter", "Batches that the backend has taken.",
         (double)atomic_load(&s->sent_batches)},
        {"pganalytics_sender_bytes_total", "counter", "Their bytes on the wire.", (double)atomic_load(&s->sent_bytes)},
        {"pganalytics_sender_duplicate_batches_total", "counter", "Batches that the backend had already.",
         (double)atomic_load(&s->duplicate_batches)},
        {"pganalytics_sender_refused_batches_total", "counter", "Batches that the backend refused for good.",
         (double)atomic_load(&s->refused_batches)},
        {"pganalytics_sender_failures_total", "counter", "Attempts that failed.", (double)atomic_load(&s->failures)},
        {"pganalytics_sender_last_success_timestamp_seconds", "gauge",
         "When the backend last took something; 0: never.",
         (double)atomic_load(&s->last_success) / (double)USEC_PER_SEC},
        {"pganalytics_sender_clock_skew_seconds", "gauge", "The backend's clock minus ours.",
         (double)atomic_load(&s->clock_skew_usec) / (double)USEC_PER_SEC},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        append_figure(out, format, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

void own_metrics_write(const OwnPart *parts, size_t count, const SenderStats *sender, Buf *out, ExpositionFormat format)
{
    exposition_append_head(out, format, "pganalytics_build", "gauge", "1, with the collector's version.");
    buf_append_cstr(out, "pganalytics_build{");
    exposition_append_label(out, "version", slice_cstr(COLLECTOR_VERSION));
    buf_append_cstr(out, "} 1\n");
    write_servers(parts, count, out, format);
    if (sender)
        write_sender(sender, out, format);
}
