/* SPDX-License-Identifier: PostgreSQL */
/* See dry_run.h. */
#include "collector/dry_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "collector/batch.h"
#include "collector/cli.h"
#include "collector/session.h"

typedef struct DryRun {
    const Settings *settings;
    const ServerSettings *server;
    Delta *delta;
    Texts *texts;
    Batch batch;
    Session *session;
    Err err; /* code ERR_NONE: the server was read */
} DryRun;

static void print_batch(DryRun *d)
{
    PushServer server = {
        .name = slice_cstr(d->server->name),
        .reachable = d->err.code == ERR_NONE,
        .error = d->err.code == ERR_NONE ? SLICE_NULL : slice_cstr(d->err.detail),
        .interval_ms = d->settings->interval / USEC_PER_MSEC,
    };
    session_describe(d->session, d->batch.arena, &server);
    BatchHead head = {.collector_id = d->settings->id, .sent_at = clock_wall(), .server = &server};
    _cleanup_buf_ Buf text = BUF_INIT;
    batch_encode(&d->batch, &head, &text);
    buf_append_char(&text, '\n');
    (void)fwrite(text.ptr, 1, text.len, stdout); /* a closed pipe shows in the exit of fflush() */
    batch_clear(&d->batch);
}

static size_t take_reading(void *arg, const Reading *reading)
{
    DryRun *d = arg;
    if (!batch_has_room(&d->batch, reading))
        print_batch(d);
    size_t before = d->batch.bytes;
    batch_add(&d->batch, reading);
    return d->batch.bytes - before;
}

static void print_family(const FamilyState *f)
{
    if (!f->available && f->reason) /* without a reason: the server was never reached, which is said above */
        cli_print(stderr, "  %-28s not there: %s\n", f->family->name, f->reason);
    if (!f->available || f->runs == 0)
        return;
    cli_print(stderr, "  %-28s %8" PRIu64 " %10" PRIu64 " %10.1f", f->family->name, f->rows, f->bytes,
              (double)f->cost / (double)USEC_PER_MSEC);
    if (f->last_error.code != ERR_NONE)
        cli_print(stderr, "  failed: %s%s%s", f->last_error.detail, f->last_error.hint[0] ? ": " : "",
                  f->last_error.hint);
    if (f->truncated)
        cli_print(stderr, "  more rows than are read");
    cli_print(stderr, "\n");
}

static void print_report(const DryRun *d)
{
    cli_print(stderr, "server %s\n", d->server->name);
    if (d->err.code != ERR_NONE)
        cli_print(stderr, "  cannot be read: %s%s%s\n", d->err.detail, d->err.hint[0] ? ": " : "", d->err.hint);
    cli_print(stderr, "  %-28s %8s %10s %10s\n", "family", "rows", "bytes", "SQL ms");
    const FamilyState *f;
    for (size_t i = 0; (f = session_family_at(d->session, i)); i++)
        print_family(f);
    const char *advice;
    for (size_t i = 0; (advice = session_advice_at(d->session, i)); i++)
        cli_print(stderr, "  advice: %s\n", advice);
}

/* 0 read, 1 not. */
static int run_server(const Settings *settings, const ServerSettings *server)
{
    DryRun d = {.settings = settings, .server = server, .delta = delta_new(), .texts = texts_new()};
    batch_init(&d.batch, d.delta, server->name);
    SessionOptions options = {
        .settings = settings, .server = server, .on_reading = take_reading, .arg = &d, .texts = d.texts};
    Usec now = clock_monotonic();
    d.session = session_new(&options, now);
    int r = session_open(d.session, &d.err);
    if (r >= 0)
        r = session_read_server(d.session, now, &d.err);
    session_read_host(d.session, now);
    print_batch(&d);
    print_report(&d);
    session_free(d.session);
    batch_done(&d.batch);
    texts_free(d.texts);
    delta_free(d.delta);
    return r < 0;
}

int dry_run(const char *config)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *ref = settings_load(config, diags);
    if (!ref) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    const Settings *settings = settings_get(ref);
    int failed = 0;
    for (size_t i = 0; i < settings->server_count; i++)
        failed |= run_server(settings, &settings->servers[i]);
    if (fflush(stdout) != 0) {
        cli_print(stderr, "pganalytics: writing standard output failed\n");
        return 1;
    }
    return failed;
}
