/* SPDX-License-Identifier: PostgreSQL */
/* See dry_run.h. */
#include "collector/command/dry_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "collector/command/cli.h"
#include "collector/server/session.h"
#include "collector/sources/source.h"
#include "collector/spool/batch.h"

typedef struct DryRun {
    const Settings *settings;
    const ServerSettings *server;
    Delta *delta;
    Texts *texts;
    Batch batch;
    Session *session;
    Err err;     /* code ERR_NONE: the server was read */
    Buf sources; /* lines of the report about what is read beside it */
    bool sources_failed;
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
    BatchHead head = {
        .collector_id = d->settings->id, .sent_at = clock_wall(), .server = &server, .catalog = d->settings->catalog};
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
    if (f->last_error)
        cli_print(stderr, "  failed: %s%s%s", f->last_error->detail, f->last_error->hint[0] ? ": " : "",
                  f->last_error->hint);
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
    cli_print(stderr, "%s", buf_cstr(&d->sources));
    const char *advice;
    for (size_t i = 0; (advice = session_advice_at(d->session, i)); i++)
        cli_print(stderr, "  advice: %s\n", advice);
}

static Slice text_cell(const Reading *reading, size_t row, const char *column)
{
    for (size_t i = 0; i < reading->column_count; i++) {
        const Cell *cell = &reading->cells[row * reading->column_count + i];
        if (strcmp(reading->columns[i]->name, column) == 0 && cell->type == CELL_TEXT)
            return cell->text;
    }
    return SLICE_NULL;
}

/* A row of a source's state has an error when it could not be read. */
static void note_source_reading(DryRun *d, const Reading *reading)
{
    buf_printf(&d->sources, "  %-28s %8zu %10zu %10s\n", reading->family, reading->row_count, take_reading(d, reading),
               "-");
    for (size_t i = 0; i < reading->row_count; i++) {
        Slice error = text_cell(reading, i, "error");
        if (!error.ptr)
            continue;
        d->sources_failed = true;
        buf_printf(&d->sources, "  [[%s]] %.*s cannot be read: %.*s\n", reading->columns[0]->name,
                   SLICE_ARG(reading->cells[i * reading->column_count].text), SLICE_ARG(error));
    }
}

/* One turn of everything that is read beside the server. */
static void read_sources(DryRun *d)
{
    static const _Atomic bool stop = false;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(0);
    ProducerOptions options = {.settings = d->settings, .server = d->server, .inbox = inbox, .stop = &stop};
    for (const ProducerKind *const *kind = SOURCE_PRODUCERS; *kind; kind++) {
        if (!(*kind)->is_wanted(&options))
            continue;
        void *self = (*kind)->new (&options);
        (void)(*kind)->turn(self, clock_monotonic()); /* there is no next one */
        (*kind)->free(self);
    }
    for (const Reading *reading; (reading = inbox_peek(inbox)); inbox_take(inbox))
        note_source_reading(d, reading);
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
    read_sources(&d);
    print_batch(&d);
    print_report(&d);
    session_free(d.session);
    batch_done(&d.batch);
    texts_free(d.texts);
    delta_free(d.delta);
    buf_done(&d.sources);
    return r < 0 || d.sources_failed;
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
