/* SPDX-License-Identifier: PostgreSQL */
/* See target.h. The thread sleeps on a condition with the monotonic time of what is due next: nothing is polled. */
#include "collector/agent/target.h"

#include <assert.h>
#include <stdio.h>

#include "collector/agent/target_private.h"
#include "collector/agent/target_status.h"
#include "collector/sampling/sampler.h"
#include "collector/sources/source.h"
#include "lib/base/memory.h"
#include "lib/base/resident.h"
#include "lib/io/file.h"

#define RECONNECT_BASE        USEC_PER_SEC
#define RECONNECT_CAP         (60 * USEC_PER_SEC)
#define GATE_WAIT             (120 * USEC_PER_SEC) /* then it is tried all the same */
#define GATE_LOOK             (USEC_PER_SEC / 4)
#define HOUSEKEEPING_INTERVAL (10 * 60 * USEC_PER_SEC)
#define BASELINE_LIFETIME     (30 * 24 * 3600 * USEC_PER_SEC)

/* Who reads beside the tick, in the order in which they start. */
static const ProducerKind *const PRODUCERS[] = {&sampler_kind, &pgbouncer_producer, &patroni_producer,
                                                &backup_producer};

/* What may follow a reading. */
static const Reading ROOM_FOR_CHANGES = {.row_count = CHANGES_EVENTS_MAX + 1};

/* --- Readings ---------------------------------------------------------------------------------------------------- */

/* Looked at once the reading is in the batch: events and what they are compared with next time move together. */
static void add_changes(Target *t, const Reading *reading)
{
    const Family *family = catalog_find(settings_get(t->settings)->catalog, slice_cstr(reading->family));
    if (!t->changes || !family)
        return;
    const Reading *events = changes_see(t->changes, family, reading);
    if (events)
        batch_add(&t->batch, events);
}

static void show_reading(const Target *t, const Reading *reading)
{
    const Settings *settings = settings_get(t->settings);
    const Family *family = t->snapshots ? catalog_find(settings->catalog, slice_cstr(reading->family)) : NULL;
    Usec interval;
    if (!family || !settings_family(settings, family, &interval))
        return;
    snapshots_put(t->snapshots, t->settings, t->server->name, family, reading,
                  interval ? interval : settings->interval);
}

static void come_forward(Target *t, Usec until)
{
    atomic_store(&t->stats.alive_until, until + settings_get(t->settings)->stall);
}

static size_t take_reading(void *arg, const Reading *reading)
{
    Target *t = arg;
    come_forward(t, clock_monotonic());
    show_reading(t, reading);
    if (!t->spool)
        return 0;
    if (!batch_has_room(&t->batch, reading) || !batch_has_room(&t->batch, &ROOM_FOR_CHANGES))
        (void)target_flush(t, false); /* what could not be kept is read again */
    size_t before = t->batch.bytes;
    batch_add(&t->batch, reading);
    add_changes(t, reading);
    t->texts_changed |= texts_wanted(t->texts) > 0;
    return t->batch.bytes - before;
}

/* Who scrapes sees the last reading, which then has to have all rows. */
static bool known_states(void *arg, const Reading *empty, RowStateVec *out)
{
    const Target *t = arg;
    return !t->snapshots && delta_known_states(t->delta, empty, out);
}

/* --- The tick ----------------------------------------------------------------------------------------------------- */

static void note_unreachable(Target *t, const Err *err, Usec now)
{
    t->unreachable = *err;
    t->reconnect_at = now + backoff_next(&t->backoff);
    if (t->stats.reachable || t->reachable_since == 0)
        t->reachable_since = clock_wall();
    atomic_store(&t->stats.reachable, false);
    if (complain_due(&t->connect_complain, now))
        log_warn("server cannot be read", log_str("server", t->server->name), log_error_field(err));
}

static void note_reachable(Target *t, Usec now)
{
    bool recovered = complain_recovered(&t->connect_complain, now);
    t->unreachable = ERR_INIT;
    if (!t->stats.reachable)
        t->reachable_since = clock_wall();
    atomic_store(&t->stats.reachable, true);
    if (recovered)
        log_info("server is read again", log_str("server", t->server->name));
    else
        log_info("connected", log_str("server", t->server->name));
}

static void sleep_until(Target *t, Usec deadline)
{
    struct timespec until = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    pthread_mutex_lock(&t->mutex);
    while (!t->stop && clock_monotonic() < deadline)
        pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    pthread_mutex_unlock(&t->mutex);
}

/* Who was away at the last try is let by: it would hold a place for the time of its deadline, again and again. */
static void pass_gate(Target *t, Usec now)
{
    for (const Usec end = now + GATE_WAIT; !t->is_away && !t->stop && now < end; now = clock_monotonic()) {
        if (connect_gate_enter(t->gate, now, &t->gate_ticket))
            return;
        come_forward(t, now);
        sleep_until(t, now + GATE_LOOK);
    }
}

static void leave_gate(Target *t)
{
    connect_gate_leave(t->gate, t->gate_ticket);
    t->gate_ticket = 0;
}

static void connect_if_due(Target *t, Usec now)
{
    if (session_is_open(t->session) || now < t->reconnect_at)
        return;
    pass_gate(t, now);
    if (t->stop)
        return;
    come_forward(t, clock_monotonic());
    Err err = ERR_INIT;
    t->is_away = session_open(t->session, &err) < 0;
    if (t->is_away)
        note_unreachable(t, &err, clock_monotonic());
    else
        note_reachable(t, clock_monotonic());
}

/* What the producers have made since the last tick. */
static void take_inbox(Target *t)
{
    for (const Reading *reading; (reading = inbox_peek(t->inbox));) {
        bool overlaps = reading->events_since == 0 && delta_is_staged(t->delta, reading->family, reading->database);
        if (t->spool && (overlaps || !batch_has_room(&t->batch, reading)) && !target_flush(t, false))
            return; /* they are given again */
        if (!inbox_was_taken(t->inbox))
            show_reading(t, reading);
        size_t before = t->batch.bytes;
        if (t->spool)
            batch_add(&t->batch, reading);
        family_costs_add(t->costs, &(FamilyCost){.family = reading->family, .bytes = t->batch.bytes - before});
        inbox_take(t->inbox);
    }
    if (!t->spool)
        inbox_commit(t->inbox);
}

/* What did not fit into the inbox while no batch could be kept. */
static void count_lost_readings(Target *t, Usec now)
{
    const uint64_t lost = inbox_given_up(t->inbox);
    if (lost > atomic_exchange(&t->stats.lost_readings, lost) && complain_due(&t->inbox_complain, now))
        log_warn("readings were given up because batches could not be kept", log_str("server", t->server->name),
                 log_int("readings", (int64_t)lost));
}

/* For those who scrape: is it there, what fails. */
static void show_server(const Target *t)
{
    if (!t->snapshots)
        return;
    SnapshotsServer now = {.reachable = session_is_open(t->session)};
    if (now.reachable)
        now.last_wall = clock_wall();
    const FamilyState *f;
    for (size_t i = 0; (f = session_family_at(t->session, i)); i++) {
        now.families += f->available;
        now.failing += f->available && f->last_error;
    }
    snapshots_note_server(t->snapshots, t->server->name, &now);
}

/* How the server's families fared, those of the host apart. */
static void count_families(Target *t)
{
    uint64_t read = 0, failed = 0;
    const FamilyState *state;
    for (size_t i = 0; (state = session_family_at(t->session, i)); i++) {
        if (state->family->scope == FAMILY_SCOPE_HOST || state->runs == 0)
            continue;
        const ErrCode code = state->last_error ? state->last_error->code : ERR_NONE;
        read += code == ERR_NONE;
        failed += code == ERR_SQL || code == ERR_TIMEOUT;
    }
    atomic_store(&t->stats.families_read, read);
    atomic_store(&t->stats.families_failed, failed);
    atomic_fetch_add(&t->stats.ticks, 1);
}

/* Made beside the lock, which whoever asks may hold. */
static void publish_status(Target *t)
{
    const TargetStatusInput input = {.name = t->server->name,
                                     .interval = settings_get(t->settings)->interval,
                                     .session = t->session,
                                     .unreachable = &t->unreachable,
                                     .since = t->reachable_since,
                                     .last_reading = t->last_reading,
                                     .readings = t->stats.ticks};
    target_status_write(&input, &t->next_status);
    pthread_mutex_lock(&t->mutex);
    const Buf before = t->status;
    t->status = t->next_status;
    t->next_status = before;
    pthread_mutex_unlock(&t->mutex);
}

/* A part that hangs in what has no deadline (a name's resolution, a file of a host that is away) hurts itself alone,
 * and the service is not restarted for it: it is told. */
static void look_at_producers(Target *t, Usec now)
{
    const char *stuck = producers_find_stuck(t->producers, now, settings_get(t->settings)->stall);
    atomic_store(&t->stats.stuck_part, stuck);
    if (!stuck) {
        if (complain_recovered(&t->part_complain, now))
            log_info("all parts of the server are watched again", log_str("server", t->server->name));
        return;
    }
    if (complain_due(&t->part_complain, now))
        log_fail(
            "a part of the server is stuck, all others go on", log_str("server", t->server->name),
            log_str("part", stuck),
            log_str("hint", "it waits for a file, a name server or a program; a restart of the collector ends it"));
}

/* Families that are read more often than the heartbeat cost nothing on disk or wire while nothing happens in them. */
static void keep_turn(Target *t, bool heartbeat)
{
    if (!t->spool)
        return;
    if (heartbeat || target_has_news(t))
        (void)target_flush(t, true); /* what could not be kept is read again */
    else
        target_forget_turn(t);
}

static void tick(Target *t)
{
    come_forward(t, clock_monotonic());
    connect_if_due(t, clock_monotonic());
    Usec now = clock_monotonic();
    session_read_host(t->session, now);
    target_fit_texts_to_spool(t);
    if (session_is_open(t->session)) {
        Err err = ERR_INIT;
        if (session_read_server(t->session, now, &err) < 0)
            note_unreachable(t, &err, clock_monotonic());
        else
            backoff_reset(&t->backoff);
        if (session_is_open(t->session)) {
            count_families(t);
            t->last_reading = clock_wall();
        }
    }
    leave_gate(t); /* of the first readings, too: they are as dear as connecting */
    /* Taken last: whatever the tick has read goes with it. */
    bool heartbeat = schedule_take(&t->heartbeat, 0, now);
    if (heartbeat)
        take_inbox(t);
    keep_turn(t, heartbeat);
    count_lost_readings(t, now);
    look_at_producers(t, clock_monotonic());
    show_server(t);
    if (now >= t->housekeeping_at) {
        target_save_texts(t);
        delta_expire(t->delta, clock_wall() - BASELINE_LIFETIME);
        t->housekeeping_at = now + HOUSEKEEPING_INTERVAL;
    }
    publish_status(t);
    resident_release(now, settings_get(t->settings)->interval);
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

static void *run(void *arg)
{
    Target *t = arg;
    come_forward(t, t->begin_at);
    sleep_until(t, t->begin_at);
    Usec now = clock_monotonic();
    const Settings *settings = settings_get(t->settings);
    SessionOptions options = {.settings = settings,
                              .server = t->server,
                              .on_reading = take_reading,
                              .known_states = t->spool ? known_states : NULL,
                              .arg = t,
                              .texts = t->spool ? t->texts : NULL,
                              .costs = t->costs,
                              .stop = &t->stop};
    t->session = session_new(&options, now);
    schedule_init(&t->heartbeat, settings->interval, now);
    (void)schedule_add(&t->heartbeat, settings->interval); /* entry 0 */
    target_load_state(t);
    const ProducerOptions producing = {.settings = settings, .server = t->server, .inbox = t->inbox, .costs = t->costs};

    while (!t->stop) {
        tick(t);
        if (!t->producers) /* behind the first look at the server, for which the gate lets few by at once */
            t->producers = producers_start(&producing, PRODUCERS, ARRAY_LENGTH(PRODUCERS));
        const Usec wake = next_wake(t);
        come_forward(t, wake);
        sleep_until(t, wake);
    }
    t->producers = producers_stop(t->producers);
    take_inbox(t);
    if (t->batch.frames.len > 0)
        (void)target_flush(t, true); /* what could not be kept is gone with the process */
    target_save_texts(t);
    if (t->snapshots)
        snapshots_forget_server(t->snapshots, t->server->name);
    t->session = session_free(t->session);
    schedule_done(&t->heartbeat);
    return NULL;
}

/* --- Owner's side ------------------------------------------------------------------------------------------------- */

static Target *free_target(Target *t)
{
    batch_done(&t->batch);
    inbox_free(t->inbox);
    family_costs_free(t->costs);
    delta_free(t->delta);
    baseline_log_free(t->baselines);
    changes_free(t->changes);
    texts_free(t->texts);
    buf_done(&t->status);
    buf_done(&t->next_status);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->mutex);
    free(t->directory);
    free(t->changes_directory);
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
    t->snapshots = options->snapshots;
    t->gate = options->gate;
    t->collector_id = options->collector_id ? mem_strdup(options->collector_id) : NULL;
    t->begin_at = clock_monotonic() + options->delay;
    t->on_append = options->on_append;
    t->arg = options->arg;
    t->backoff = (Backoff){.base = RECONNECT_BASE, .cap = RECONNECT_CAP};
    _cleanup_free_ char *servers = format_path(settings_get(t->settings)->state_dir, "servers");
    t->directory = format_path(servers, t->server->name);
    t->texts_path = format_path(t->directory, "texts");
    t->changes_directory = format_path(t->directory, "changes");
    t->delta = delta_new();
    t->baselines = baseline_log_new(t->directory);
    const Family *event = catalog_find(settings_get(t->settings)->catalog, SLICE_LIT("change_event"));
    if (event && settings_family(settings_get(t->settings), event, &(Usec){0}))
        t->changes = changes_new(event, 0);
    t->texts = texts_new();
    t->inbox = inbox_new(0);
    t->costs = family_costs_new();
    batch_init(&t->batch, t->delta, t->server->name);
    init_condition(t);
    come_forward(t, clock_monotonic());
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

void target_status(Target *t, Buf *out)
{
    pthread_mutex_lock(&t->mutex);
    buf_append(out, buf_slice(&t->status));
    pthread_mutex_unlock(&t->mutex);
}
