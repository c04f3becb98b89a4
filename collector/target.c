/* SPDX-License-Identifier: PostgreSQL */
/*
 * See target.h. The thread sleeps on a condition with the monotonic time of what is due next: nothing is polled.
 *
 * Order of a flush: spool_prepare, baseline_write, spool_append, delta_commit. When any step before the last one fails
 * the readings are forgotten, and the next tick's increases reach back to the last batch that was kept.
 */
#include "collector/target.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "collector/baseline.h"
#include "collector/batch.h"
#include "collector/schedule.h"
#include "collector/session.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/io/file.h"

#define RECONNECT_BASE        USEC_PER_SEC
#define RECONNECT_CAP         (60 * USEC_PER_SEC)
#define HOUSEKEEPING_INTERVAL (10 * 60 * USEC_PER_SEC)
#define BASELINE_LIFETIME     (30 * 24 * 3600 * USEC_PER_SEC)

enum { TEXTS_FILE_MAX = 4 << 20, BASELINE_MAX = 256 << 20 };

struct Target {
    SettingsRef *settings;
    const ServerSettings *server;
    Spool *spool;
    char *collector_id;
    void (*on_append)(void *arg);
    void *arg;
    TargetStats stats;

    pthread_t thread;
    pthread_mutex_t mutex; /* of the condition only: stop is atomic */
    pthread_cond_t wake;
    _Atomic bool stop;

    /* What follows belongs to the thread. */
    char *directory; /* state_dir/servers/NAME */
    char *texts_path;
    Delta *delta;
    Texts *texts;
    Batch batch;
    Session *session;
    Schedule heartbeat;
    Backoff backoff;
    Usec reconnect_at;
    Usec housekeeping_at;
    bool texts_changed;
    Err unreachable; /* code ERR_NONE while the server answers */
    Complain connect_complain, spool_complain;
};

/* --- State on disk ------------------------------------------------------------------------------------------------ */

static int load_baseline(Target *t, Err *reterr)
{
    _cleanup_buf_ Buf packed = BUF_INIT, bytes = BUF_INIT;
    int r = baseline_read(t->directory, spool_id(t->spool), spool_last_sequence(t->spool), &packed, reterr);
    if (r != BASELINE_OK)
        return r;
    r = wire_decompress(WIRE_ZSTD, buf_slice(&packed), BASELINE_MAX, &bytes, reterr);
    if (r < 0)
        return err_trace(r);
    return err_trace(delta_load(t->delta, buf_slice(&bytes), reterr));
}

/* Neither file is needed to go on: without the baseline the first reading begins anew, without the list of texts some
 * are sent once more. */
static void load_state(Target *t)
{
    Err err = ERR_INIT;
    int r = load_baseline(t, &err);
    if (r < 0)
        log_warn("baseline could not be read, increases begin anew", log_str("server", t->server->name),
                 log_error_field(&err));
    else if (r == BASELINE_ABSENT && spool_last_sequence(t->spool) > 0)
        log_warn("no baseline belongs to the last batch, increases begin anew", log_str("server", t->server->name));

    _cleanup_buf_ Buf texts = BUF_INIT;
    if (!file_exists(t->texts_path))
        return;
    err = ERR_INIT;
    if (file_read_all(t->texts_path, TEXTS_FILE_MAX, &texts, &err) < 0 ||
        texts_load(t->texts, buf_slice(&texts), &err) < 0)
        log_warn("list of sent texts could not be read", log_str("server", t->server->name), log_error_field(&err));
}

static void save_texts(Target *t)
{
    if (!t->texts_changed)
        return;
    _cleanup_buf_ Buf bytes = BUF_INIT;
    texts_save(t->texts, &bytes);
    Err err = ERR_INIT;
    if (file_write_atomic(t->texts_path, 0600, buf_slice(&bytes), &err) < 0)
        log_debug("list of sent texts could not be written", log_error_field(&err)); /* costs a resend at most */
    t->texts_changed = false;
}

/* --- Batches ------------------------------------------------------------------------------------------------------ */

static void describe_server(const Target *t, PushServer *ret)
{
    *ret = (PushServer){
        .name = slice_cstr(t->server->name),
        .reachable = t->unreachable.code == ERR_NONE,
        .interval_ms = settings_get(t->settings)->interval / USEC_PER_MSEC,
    };
    if (!ret->reachable)
        ret->error = slice_cstr(t->unreachable.detail);
    session_describe(t->session, t->batch.arena, ret);
}

static int write_baseline(Target *t, uint64_t sequence, Err *reterr)
{
    _cleanup_buf_ Buf bytes = BUF_INIT, packed = BUF_INIT;
    delta_save(t->delta, &bytes);
    int r = wire_compress(WIRE_ZSTD, buf_slice(&bytes), &packed, reterr);
    if (r < 0)
        return err_trace(r);
    return err_trace(baseline_write(t->directory, spool_id(t->spool), sequence, buf_slice(&packed), reterr));
}

static int append_batch(Target *t, Err *reterr)
{
    uint64_t sequence;
    int r = spool_prepare(t->spool, &sequence, reterr);
    if (r < 0)
        return err_trace(r);

    PushServer server;
    describe_server(t, &server);
    BatchHead head = {
        .collector_id = t->collector_id,
        .spool = spool_id(t->spool),
        .sequence = sequence,
        .sent_at = clock_wall(),
        .server = &server,
    };
    _cleanup_buf_ Buf text = BUF_INIT, packed = BUF_INIT;
    batch_encode(&t->batch, &head, &text);
    r = wire_compress(WIRE_ZSTD, buf_slice(&text), &packed, reterr);
    if (r >= 0)
        r = write_baseline(t, sequence, reterr);
    if (r >= 0)
        r = spool_append(t->spool, WIRE_ZSTD, buf_slice(&packed), head.sent_at, reterr);
    return err_trace(r);
}

/* @end_of_tick: every text that was asked for is in this batch or one before it. */
static void flush(Target *t, bool end_of_tick)
{
    Usec now = clock_monotonic();
    Err err = ERR_INIT;
    if (append_batch(t, &err) < 0) {
        delta_rollback(t->delta);
        texts_rollback(t->texts);
        session_expect_keyframes(t->session);
        atomic_fetch_add(&t->stats.lost_batches, 1);
        if (complain_due(&t->spool_complain, now))
            log_fail("batch could not be kept, its increases go into the next one", log_str("server", t->server->name),
                     log_error_field(&err));
    } else {
        delta_commit(t->delta);
        if (end_of_tick)
            texts_commit(t->texts);
        atomic_fetch_add(&t->stats.batches, 1);
        atomic_store(&t->stats.resets, delta_resets(t->delta));
        if (complain_recovered(&t->spool_complain, now))
            log_info("batches are kept again", log_str("server", t->server->name));
        t->on_append(t->arg);
    }
    batch_clear(&t->batch);
}

static size_t take_reading(void *arg, const Reading *reading)
{
    Target *t = arg;
    if (!batch_has_room(&t->batch, reading))
        flush(t, false);
    size_t before = t->batch.bytes;
    batch_add(&t->batch, reading);
    t->texts_changed |= texts_wanted(t->texts) > 0;
    return t->batch.bytes - before;
}

/* --- The tick ----------------------------------------------------------------------------------------------------- */

static void note_unreachable(Target *t, const Err *err, Usec now)
{
    t->unreachable = *err;
    t->reconnect_at = now + backoff_next(&t->backoff);
    atomic_store(&t->stats.reachable, false);
    if (complain_due(&t->connect_complain, now))
        log_warn("server cannot be read", log_str("server", t->server->name), log_error_field(err));
}

static void note_reachable(Target *t, Usec now)
{
    bool recovered = complain_recovered(&t->connect_complain, now);
    t->unreachable = ERR_INIT;
    atomic_store(&t->stats.reachable, true);
    if (recovered)
        log_info("server is read again", log_str("server", t->server->name));
    else
        log_info("connected", log_str("server", t->server->name));
}

static void connect_if_due(Target *t, Usec now)
{
    if (session_is_open(t->session) || now < t->reconnect_at)
        return;
    Err err = ERR_INIT;
    if (session_open(t->session, &err) < 0)
        note_unreachable(t, &err, clock_monotonic());
    else
        note_reachable(t, clock_monotonic());
}

static void tick(Target *t)
{
    connect_if_due(t, clock_monotonic());
    Usec now = clock_monotonic();
    session_read_host(t->session, now);
    if (session_is_open(t->session)) {
        Err err = ERR_INIT;
        if (session_read_server(t->session, now, &err) < 0)
            note_unreachable(t, &err, clock_monotonic());
        else
            backoff_reset(&t->backoff);
    }
    /* Taken last: whatever the tick has read goes with it. */
    bool heartbeat = schedule_take(&t->heartbeat, 0, now);
    if (heartbeat || t->batch.frames.len > 0)
        flush(t, true);
    if (now >= t->housekeeping_at) {
        save_texts(t);
        delta_expire(t->delta, clock_wall() - BASELINE_LIFETIME);
        t->housekeeping_at = now + HOUSEKEEPING_INTERVAL;
    }
}

static Usec next_wake(const Target *t)
{
    Usec next = session_next(t->session);
    Usec heartbeat = schedule_next(&t->heartbeat);
    if (heartbeat < next)
        next = heartbeat;
    if (!session_is_open(t->session) && t->reconnect_at < next)
        next = t->reconnect_at;
    return next;
}

static void sleep_until(Target *t, Usec deadline)
{
    struct timespec until = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    pthread_mutex_lock(&t->mutex);
    while (!t->stop && clock_monotonic() < deadline)
        pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    pthread_mutex_unlock(&t->mutex);
}

static void *run(void *arg)
{
    Target *t = arg;
    Usec now = clock_monotonic();
    const Settings *settings = settings_get(t->settings);
    SessionOptions options = {.settings = settings,
                              .server = t->server,
                              .on_reading = take_reading,
                              .arg = t,
                              .texts = t->texts,
                              .stop = &t->stop};
    t->session = session_new(&options, now);
    schedule_init(&t->heartbeat, settings->interval, now);
    (void)schedule_add(&t->heartbeat, settings->interval); /* entry 0 */
    load_state(t);

    while (!t->stop) {
        tick(t);
        sleep_until(t, next_wake(t));
    }
    save_texts(t);
    t->session = session_free(t->session);
    schedule_done(&t->heartbeat);
    return NULL;
}

/* --- Owner's side ------------------------------------------------------------------------------------------------- */

static Target *free_target(Target *t)
{
    batch_done(&t->batch);
    delta_free(t->delta);
    texts_free(t->texts);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->mutex);
    free(t->directory);
    free(t->texts_path);
    free(t->collector_id);
    settings_unref(t->settings);
    free(t);
    return NULL;
}

static char *format_path(const char *directory, const char *name)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", directory, name);
    return buf_take(&path);
}

static void init_condition(Target *t)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&t->mutex, NULL);
}

int target_start(Target **ret, const TargetOptions *options, Err *reterr)
{
    Target *t = mem_alloc(sizeof(*t));
    t->settings = settings_ref(options->settings);
    t->server = options->server;
    t->spool = options->spool;
    t->collector_id = mem_strdup(options->collector_id);
    t->on_append = options->on_append;
    t->arg = options->arg;
    t->backoff = (Backoff){.base = RECONNECT_BASE, .cap = RECONNECT_CAP};
    _cleanup_free_ char *servers = format_path(settings_get(t->settings)->state_dir, "servers");
    t->directory = format_path(servers, t->server->name);
    t->texts_path = format_path(t->directory, "texts");
    t->delta = delta_new();
    t->texts = texts_new();
    batch_init(&t->batch, t->delta, t->server->name);
    init_condition(t);
    int number = pthread_create(&t->thread, NULL, run, t);
    if (number) {
        free_target(t);
        return err_set_errno(reterr, ERR_INTERNAL, number, "starting a thread");
    }
    char name[16];
    (void)snprintf(name, sizeof(name), "t:%s", options->server->name);
    (void)pthread_setname_np(t->thread, name); /* for people who look; the thread works without */
    *ret = t;
    return 0;
}

void target_ask_to_stop(Target *t)
{
    pthread_mutex_lock(&t->mutex);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
}

Target *target_stop(Target *t)
{
    if (!t)
        return NULL;
    target_ask_to_stop(t);
    pthread_join(t->thread, NULL);
    return free_target(t);
}

const char *target_name(const Target *t)
{
    return t->server->name;
}

const ServerSettings *target_server(const Target *t)
{
    return t->server;
}

const TargetStats *target_stats(const Target *t)
{
    return &t->stats;
}
