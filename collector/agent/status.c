/* SPDX-License-Identifier: PostgreSQL */
/* See status.h. */
#include "collector/agent/status.h"

#include <inttypes.h>
#include <unistd.h>
#include <yyjson.h>

#include "collector/version.h"
#include "lib/io/file.h"

#define DAY          (86400 * USEC_PER_SEC)
#define SILENT_AFTER (5 * 60 * USEC_PER_SEC) /* batches wait and none was taken: something is wrong */
#define SKEW_MOST    (60 * USEC_PER_SEC)
enum { DAYS_URGENT = 7, STATM_MAX = 4096 };

typedef struct Writer {
    const StatusInput *in;
    yyjson_mut_doc *doc;
    yyjson_mut_val *problems;
} Writer;

static void add_problem(const Writer *w, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_problem(const Writer *w, const char *format, ...)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    (void)yyjson_mut_arr_add_strncpy(w->doc, w->problems, buf_cstr(&text), text.len);
}

static uint64_t resident_bytes(void)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int64_t pages = 0;
    if (file_read_all("/proc/self/statm", STATM_MAX, &text, NULL) < 0)
        return 0;
    Slice rest = buf_slice(&text);
    (void)slice_split(&rest, ' ');
    (void)slice_to_int64(slice_split(&rest, ' '), &pages);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_process(const Writer *w, yyjson_mut_val *root)
{
    yyjson_mut_val *process = yyjson_mut_obj_add_obj(w->doc, root, "process");
    (void)yyjson_mut_obj_add_int(w->doc, process, "pid", getpid());
    (void)yyjson_mut_obj_add_int(w->doc, process, "started", w->in->started);
    (void)yyjson_mut_obj_add_uint(w->doc, process, "resident_bytes", resident_bytes());
    (void)yyjson_mut_obj_add_int(w->doc, process, "memory_limit", w->in->memory_limit);
}

static void put_spool(const Writer *w, yyjson_mut_val *server, const StatusServer *s)
{
    SpoolStats stats;
    spool_stats(s->spool, &stats);
    yyjson_mut_val *spool = yyjson_mut_obj_add_obj(w->doc, server, "spool");
    (void)yyjson_mut_obj_add_uint(w->doc, spool, "batches", stats.batches);
    (void)yyjson_mut_obj_add_uint(w->doc, spool, "bytes", stats.bytes);
    (void)yyjson_mut_obj_add_int(w->doc, spool, "oldest", stats.oldest);
    (void)yyjson_mut_obj_add_uint(w->doc, spool, "dropped_batches", stats.dropped_batches);
}

static void judge_server(const Writer *w, const StatusServer *s)
{
    const TargetStats *stats = target_stats(s->target);
    if (atomic_load(&stats->alive_until) < w->in->now)
        add_problem(w, "server %s: its thread is stuck", s->name);
    else if (!atomic_load(&stats->reachable))
        add_problem(w, "server %s cannot be read", s->name);
    const char *part = atomic_load(&stats->stuck_part);
    if (part)
        add_problem(w, "server %s: its %s is stuck", s->name, part);
}

static void put_servers(const Writer *w, yyjson_mut_val *root)
{
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(w->doc, root, "servers");
    for (size_t i = 0; i < w->in->server_count; i++) {
        const StatusServer *s = &w->in->servers[i];
        _cleanup_buf_ Buf text = BUF_INIT;
        yyjson_mut_val *server = NULL;
        if (s->target)
            target_status(s->target, &text);
        yyjson_doc *known = yyjson_read(buf_cstr(&text), text.len, 0);
        server = known ? yyjson_val_mut_copy(w->doc, yyjson_doc_get_root(known)) : yyjson_mut_obj(w->doc);
        yyjson_doc_free(known);
        (void)yyjson_mut_arr_append(list, server);
        if (text.len == 0) /* former, or its first tick is not over */
            (void)yyjson_mut_obj_add_strcpy(w->doc, server, "name", s->name);
        (void)yyjson_mut_obj_add_bool(w->doc, server, "watched", s->target != NULL);
        if (s->spool)
            put_spool(w, server, s);
        if (s->target)
            judge_server(w, s);
    }
}

static uint64_t waiting_batches(const StatusInput *in)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < in->server_count; i++) {
        SpoolStats stats = {0};
        if (in->servers[i].spool)
            spool_stats(in->servers[i].spool, &stats);
        waiting += stats.batches;
    }
    return waiting;
}

static void put_sender(const Writer *w, yyjson_mut_val *root)
{
    const SenderStats *stats = sender_stats(w->in->sender);
    const int64_t success = atomic_load(&stats->last_success), skew = atomic_load(&stats->clock_skew_usec);
    yyjson_mut_val *sender = yyjson_mut_obj_add_obj(w->doc, root, "sender");
    (void)yyjson_mut_obj_add_strcpy(w->doc, sender, "url", w->in->api_url);
    (void)yyjson_mut_obj_add_int(w->doc, sender, "last_success", success);
    (void)yyjson_mut_obj_add_uint(w->doc, sender, "sent_batches", stats->sent_batches);
    (void)yyjson_mut_obj_add_uint(w->doc, sender, "sent_bytes", stats->sent_bytes);
    (void)yyjson_mut_obj_add_uint(w->doc, sender, "refused_batches", stats->refused_batches);
    (void)yyjson_mut_obj_add_uint(w->doc, sender, "failures", stats->failures);
    (void)yyjson_mut_obj_add_bool(w->doc, sender, "failing", stats->failing);
    (void)yyjson_mut_obj_add_int(w->doc, sender, "clock_skew_us", skew);

    const Usec since = success > w->in->started ? success : w->in->started;
    if (atomic_load(&stats->alive_until) < w->in->now)
        add_problem(w, "the sender's thread is stuck");
    else if (stats->failing || (waiting_batches(w->in) > 0 && w->in->now_wall - since > SILENT_AFTER))
        add_problem(w, "batches cannot be sent to %s: the log says why", w->in->api_url);
    if (skew > SKEW_MOST || skew < -SKEW_MOST)
        add_problem(w, "the clock differs from the backend's by %" PRId64 " s", skew / USEC_PER_SEC);
}

static void judge_end(const Writer *w, const char *what, int64_t ends)
{
    if (ends == 0)
        return;
    const int64_t days = (ends - w->in->now_wall) / DAY;
    if (ends <= w->in->now_wall)
        add_problem(w, "the %s has ended", what);
    else if (days < DAYS_URGENT)
        add_problem(w, "the %s ends in %" PRId64 " days and was not renewed", what, days);
}

static void put_credentials(const Writer *w, yyjson_mut_val *root)
{
    const KeeperStats *stats = sender_keeper_stats(w->in->sender);
    yyjson_mut_val *credentials = yyjson_mut_obj_add_obj(w->doc, root, "credentials");
    (void)yyjson_mut_obj_add_int(w->doc, credentials, "certificate_ends", stats->certificate_not_after);
    (void)yyjson_mut_obj_add_int(w->doc, credentials, "certificate_due", stats->certificate_due);
    (void)yyjson_mut_obj_add_uint(w->doc, credentials, "certificates_renewed", stats->certificates_renewed);
    (void)yyjson_mut_obj_add_uint(w->doc, credentials, "certificate_failures", stats->certificate_failures);
    (void)yyjson_mut_obj_add_int(w->doc, credentials, "token_ends", stats->token_expiry);
    (void)yyjson_mut_obj_add_uint(w->doc, credentials, "tokens_renewed", stats->tokens_renewed);
    (void)yyjson_mut_obj_add_uint(w->doc, credentials, "token_failures", stats->token_failures);
    if (atomic_load(&stats->certificate_due) <= w->in->now_wall) /* a short life is none to worry about before */
        judge_end(w, "certificate", atomic_load(&stats->certificate_not_after));
    judge_end(w, "token", atomic_load(&stats->token_expiry));
}

bool status_write(const StatusInput *input, Buf *out)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    const Writer w = {.in = input, .doc = doc, .problems = yyjson_mut_arr(doc)};
    (void)yyjson_mut_obj_add_str(doc, root, "version", COLLECTOR_VERSION);
    (void)yyjson_mut_obj_add_int(doc, root, "time", input->now_wall);
    if (input->collector_id)
        (void)yyjson_mut_obj_add_strcpy(doc, root, "collector_id", input->collector_id);
    put_process(&w, root);
    if (input->sender) {
        put_sender(&w, root);
        put_credentials(&w, root);
    }
    put_servers(&w, root);
    if (input->file_refused)
        add_problem(&w, "the settings file had faults when it was read last, what it said before is in force");
    (void)yyjson_mut_obj_add_val(doc, root, "problems", w.problems);
    const bool healthy = yyjson_mut_arr_size(w.problems) == 0;
    size_t len = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_PRETTY, &len);
    if (text)
        buf_append(out, slice_from(text, len));
    buf_append_char(out, '\n');
    free(text);
    yyjson_mut_doc_free(doc);
    return healthy;
}

void status_write_line(const StatusInput *input, Buf *out)
{
    size_t watched = 0, reachable = 0;
    for (size_t i = 0; i < input->server_count; i++) {
        const Target *t = input->servers[i].target;
        watched += t != NULL;
        reachable += t && atomic_load(&target_stats(t)->reachable);
    }
    buf_printf(out, "STATUS=%zu of %zu servers reachable, %" PRIu64 " batches waiting%s%s", reachable, watched,
               waiting_batches(input),
               input->sender && sender_stats(input->sender)->failing ? ", the backend is away" : "",
               input->file_refused ? ", the settings file has faults" : "");
}
