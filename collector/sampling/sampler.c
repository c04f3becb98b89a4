/* SPDX-License-Identifier: PostgreSQL */
/*
 * See sampler.h. One thread, one statement at a time: samples never overlap. While the server does not answer, the
 * thread waits for it up to a deadline and the samples that were due meanwhile are lost: they are counted, and the
 * interval of the window is the time that its samples cover.
 */
#include "collector/sampling/sampler.h"

#include <assert.h>
#include <stdio.h>

#include "collector/sampling/blocked_tree.h"
#include "collector/sampling/sample_pace.h"
#include "collector/sampling/sample_table.h"
#include "collector/sampling/sampler_capture.h"
#include "collector/server/server_connect.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#define WINDOW                (10 * USEC_PER_SEC)
#define TREES_INTERVAL        (10 * USEC_PER_SEC) /* at most so often */
#define TRANSACTIONS_INTERVAL (60 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT     (5 * USEC_PER_SEC)
#define DEADLINE              (7 * USEC_PER_SEC) /* ours ends after the server's */
#define RECONNECT_BASE        USEC_PER_SEC
#define RECONNECT_CAP         (60 * USEC_PER_SEC)
#define REFUSED_INTERVAL      (3600 * USEC_PER_SEC) /* what the server refuses is not asked again before */

/* A family of events read by a statement of its own. */
typedef struct Capture {
    const char *family;
    SamplerCaptureFn read;
    Usec interval;
} Capture;

enum { CAPTURE_TRANSACTIONS, CAPTURE_TREES, CAPTURE_COUNT };

static const char SAMPLES[] = "session_samples";
static const char SAMPLING[] = "session_sampling";
static const Capture CAPTURES[CAPTURE_COUNT] = {
    [CAPTURE_TRANSACTIONS] = {"long_transactions", sampler_capture_transactions, TRANSACTIONS_INTERVAL},
    [CAPTURE_TREES] = {"blocked_trees", sampler_capture_trees, TREES_INTERVAL},
};

typedef struct CaptureState {
    ResolvedFamily family; /* .family NULL: not wanted */
    Usec due;              /* monotonic */
    bool had_rows;         /* an empty reading says that they are gone */
} CaptureState;

typedef struct Sampler {
    ProducerOptions options;
    Arena *arena; /* of the families' columns */
    ResolvedFamily samples, sampling;
    CaptureState captures[CAPTURE_COUNT];
    Rows rows;

    SamplePace pace;
    SampleTable *table;
    unsigned blocked_samples; /* in a row in which somebody waited for a lock */

    PgConn *conn;
    SamplerSql sql;
    bool backslash_escapes;
    Backoff backoff;
    Usec reconnect_at;
    Complain complain;

    /* since the last window */
    Usec sql_time, sql_max;
    Usec cpu_at;
} Sampler;

/* Nothing in it when the settings switch the family off. */
static ResolvedFamily resolve(const ProducerOptions *options, const char *name, Arena *arena)
{
    const Family *family = catalog_find(options->settings->catalog, slice_cstr(name));
    ResolvedFamily resolved = {0};
    Usec interval;
    const char *reason;
    assert(family && family->scope == FAMILY_SCOPE_HOST && family->mode == FAMILY_MODE_EVENTS);
    if (!settings_family(options->settings, family, &interval))
        return resolved;
    int r = family_resolve(family, NULL, arena, &resolved, &reason, NULL);
    assert(r == RESOLVE_OK); /* host families always do */
    (void)r;
    return resolved;
}

/* Its own cost alone is nothing to run for. */
static bool is_wanted(const ProducerOptions *options)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    bool wanted = resolve(options, SAMPLES, arena).family != NULL;
    for (size_t i = 0; i < CAPTURE_COUNT; i++)
        wanted = wanted || resolve(options, CAPTURES[i].family, arena).family;
    return wanted && options->settings->sampling_enabled;
}

static void *new_sampler(const ProducerOptions *options)
{
    Sampler *s = mem_alloc(sizeof(*s));
    s->options = *options;
    s->arena = arena_new(0);
    s->samples = resolve(options, SAMPLES, s->arena);
    s->sampling = resolve(options, SAMPLING, s->arena);
    for (size_t i = 0; i < CAPTURE_COUNT; i++)
        s->captures[i].family = resolve(options, CAPTURES[i].family, s->arena);
    rows_init(&s->rows);
    s->table = sample_table_new();
    s->backoff = (Backoff){.base = RECONNECT_BASE, .cap = RECONNECT_CAP};
    Usec interval = options->settings->sampling_interval;
    sample_pace_init(&s->pace, interval, WINDOW, (Usec)random_below((uint64_t)interval));
    return s;
}

/* --- What is sent ------------------------------------------------------------------------------------------------- */

static void put(Sampler *s, const ResolvedFamily *family, Usec wall, Usec since)
{
    Reading reading = rows_reading(&s->rows);
    reading.family = family->family->name;
    reading.epoch = "";
    reading.wall = wall;
    reading.monotonic = clock_monotonic();
    reading.keyframe = true;
    reading.events_since = since;
    inbox_put(s->options.inbox, &reading);
}

static void begin_rows(Sampler *s, const ResolvedFamily *family)
{
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
}

static double in_ms(Usec time)
{
    return (double)time / (double)USEC_PER_MSEC;
}

static void put_samples(Sampler *s, const SampleWindow *w)
{
    Usec interval = s->pace.interval;
    if (!s->samples.family || w->taken == 0)
        return;
    begin_rows(s, &s->samples);
    sample_table_take(s->table, (size_t)s->options.settings->sampling_max_rows, (double)interval / (double)USEC_PER_SEC,
                      &s->rows);
    put(s, &s->samples, w->end, (Usec)w->taken * interval);
}

static void put_sampling(Sampler *s, const SampleWindow *w)
{
    Usec cpu = clock_thread_cpu();
    if (s->sampling.family) {
        begin_rows(s, &s->sampling);
        (void)rows_add(&s->rows); /* the first one has room */
        rows_set_int(&s->rows, "samples", (int64_t)w->taken);
        rows_set_int(&s->rows, "lost", (int64_t)w->lost);
        rows_set_float(&s->rows, "sql_ms", in_ms(s->sql_time));
        if (w->taken > 0)
            rows_set_float(&s->rows, "max_ms", in_ms(s->sql_max));
        rows_set_float(&s->rows, "cpu_ms", in_ms(cpu - s->cpu_at));
        put(s, &s->sampling, w->end, w->length);
    }
    s->cpu_at = cpu;
    s->sql_time = s->sql_max = 0;
}

static void put_window(Sampler *s, const SampleWindow *w)
{
    put_samples(s, w);
    put_sampling(s, w);
}

/* --- The connection ----------------------------------------------------------------------------------------------- */

/* Refused for what it is, not for the moment: asking again at once would fill the server's log. */
static bool is_refused(const Err *err)
{
    return err->code == ERR_SQL && (strncmp(err->sqlstate, "42", 2) == 0 || strncmp(err->sqlstate, "0A", 2) == 0);
}

static void note_outage(Sampler *s, const Err *err)
{
    Usec now = clock_monotonic();
    s->conn = pg_conn_close(s->conn);
    s->blocked_samples = 0;
    s->reconnect_at = now + (is_refused(err) ? REFUSED_INTERVAL : backoff_next(&s->backoff));
    if (complain_due(&s->complain, now))
        log_warn("sessions cannot be sampled", log_str("server", s->options.server->name), log_error_field(err));
}

static int open_connection(Sampler *s, Err *reterr)
{
    ServerConnect connect = {
        .server = s->options.server, .application_name = SAMPLER_APPLICATION, .statement_timeout = STATEMENT_TIMEOUT};
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    ServerSettled settled;
    int r = server_connect(&connect, &conn, reterr);
    if (r >= 0)
        r = server_settle(conn, DEADLINE, &settled, reterr);
    if (r >= 0)
        r = sampler_sql_look(&s->sql, conn, DEADLINE, reterr);
    if (r < 0)
        return err_trace(r);
    s->backslash_escapes = settled.backslash_escapes;
    s->conn = TAKE_PTR(conn);
    return 0;
}

/* --- One sample --------------------------------------------------------------------------------------------------- */

static void count_cost(Sampler *s, const char *family, Usec cost, uint64_t rows, bool failed)
{
    s->sql_time += cost;
    family_costs_add(s->options.costs,
                     &(FamilyCost){.family = family, .runs = 1, .errors = failed, .rows = rows, .sql = cost});
}

static Slice field(const PGresult *result, int row, int column)
{
    return slice_from(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static int find_session(const PGresult *result, Slice pid)
{
    for (int row = 0; pid.len > 0 && row < PQntuples(result); row++) {
        if (slice_eq(field(result, row, SESSION_PID), pid))
            return row;
    }
    return -1;
}

static bool waits_for_lock(const PGresult *result, int row)
{
    return slice_eq_cstr(field(result, row, SESSION_WAIT_EVENT_TYPE), "Lock");
}

/* The sessions that wait for a lock as the text of an int4[]; at most SAMPLER_BLOCKED_MAX. */
static size_t list_waiting(const PGresult *sessions, Buf *out)
{
    size_t count = 0;
    for (int row = 0; row < PQntuples(sessions) && count < SAMPLER_BLOCKED_MAX; row++) {
        if (!waits_for_lock(sessions, row))
            continue;
        buf_append_char(out, count++ ? ',' : '{');
        buf_append(out, field(sessions, row, SESSION_PID));
    }
    buf_append_char(out, '}');
    return count;
}

typedef struct Blockers {
    Arena *arena;
    BlockedEdge *edges;
    size_t count;
} Blockers;

static int read_blockers(Sampler *s, const PGresult *sessions, Blockers *ret, Err *reterr)
{
    _cleanup_buf_ Buf pids = BUF_INIT;
    if (list_waiting(sessions, &pids) == 0) {
        s->blocked_samples = 0;
        return 0;
    }
    s->blocked_samples++;
    const char *params[] = {buf_cstr(&pids)};
    PgQuery query = {.sql = buf_cstr(&s->sql.blockers),
                     .params = params,
                     .param_count = 1,
                     .shape = PG_SHAPE_ROWS,
                     .timeout = DEADLINE,
                     .prepared_name = "session_blockers"};
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = pg_conn_query(s->conn, &query, &result, reterr);
    if (r < 0)
        return err_trace(r);
    ret->edges = arena_new_array(ret->arena, BlockedEdge, BLOCKED_EDGES_MAX);
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t waiter;
        Slice rest = field(result, row, 1);
        if (!slice_to_int64(field(result, row, 0), &waiter))
            continue;
        for (int blocker; ret->count < BLOCKED_EDGES_MAX && sampler_sql_next_pid(&rest, &blocker);)
            ret->edges[ret->count++] = (BlockedEdge){.waiter = (int)waiter, .blocker = blocker};
    }
    return 0;
}

/* Who holds up the session in the end, in few words: "idle in transaction 1234567" (its last statement). */
static Slice describe_blocker(const PGresult *sessions, int row, const Blockers *blockers)
{
    int64_t pid;
    if (!blockers->count || !slice_to_int64(field(sessions, row, SESSION_PID), &pid))
        return SLICE_NULL;
    int root = blocked_tree_root_of(blockers->edges, blockers->count, (int)pid);
    if (root == pid)
        return SLICE_NULL; /* not asked, or it goes on already */
    if (root == 0)
        return SLICE_LIT("prepared transaction");
    int at = find_session(sessions, slice_cstr(arena_printf(blockers->arena, "%d", root)));
    if (at < 0)
        return SLICE_LIT("idle"); /* holds a lock beyond its transaction, or is no client */
    const char *queryid = PQgetvalue(sessions, at, SESSION_QUERYID);
    return slice_cstr(arena_printf(blockers->arena, "%s%s%s", PQgetvalue(sessions, at, SESSION_STATE),
                                   queryid[0] ? " " : "", queryid));
}

static void count_session(Sampler *s, const PGresult *sessions, int row, const Blockers *blockers)
{
    static const int SOURCES[_SAMPLE_FIELD_MAX] = {
        [SAMPLE_WAIT_EVENT_TYPE] = SESSION_WAIT_EVENT_TYPE,
        [SAMPLE_WAIT_EVENT] = SESSION_WAIT_EVENT,
        [SAMPLE_STATE] = SESSION_STATE,
        [SAMPLE_BACKEND_TYPE] = SESSION_BACKEND_TYPE,
        [SAMPLE_DATNAME] = SESSION_DATNAME,
        [SAMPLE_USENAME] = SESSION_USENAME,
        [SAMPLE_APPLICATION_NAME] = SESSION_APPLICATION_NAME,
        [SAMPLE_QUERYID] = SESSION_QUERYID,
        [SAMPLE_CLIENT_ADDR] = SESSION_CLIENT_ADDR,
    };
    Sample sample = {0};
    for (size_t i = 0; i < SAMPLE_BLOCKER; i++)
        sample.fields[i] = field(sessions, row, SOURCES[i]);
    bool idle = slice_starts_with(sample.fields[SAMPLE_STATE], SLICE_LIT("idle"));
    if (sample.fields[SAMPLE_WAIT_EVENT_TYPE].len == 0 && !idle)
        sample.fields[SAMPLE_WAIT_EVENT_TYPE] = SLICE_LIT("CPU");
    if (waits_for_lock(sessions, row))
        sample.fields[SAMPLE_BLOCKER] = describe_blocker(sessions, row, blockers);
    int leader =
        sample.fields[SAMPLE_QUERYID].len ? -1 : find_session(sessions, field(sessions, row, SESSION_LEADER_PID));
    if (leader >= 0)
        sample.fields[SAMPLE_QUERYID] = field(sessions, leader, SESSION_QUERYID);
    sample_table_add(s->table, &sample);
}

static int take_sample(Sampler *s, Err *reterr)
{
    PgQuery query = {
        .sql = buf_cstr(&s->sql.sessions), .shape = PG_SHAPE_ROWS, .timeout = DEADLINE, .prepared_name = SAMPLES};
    _cleanup_pgresult_ PGresult *sessions = NULL;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Blockers blockers = {.arena = arena};
    Usec start = clock_monotonic();
    int r = pg_conn_query(s->conn, &query, &sessions, reterr);
    if (r >= 0)
        r = read_blockers(s, sessions, &blockers, reterr);
    Usec cost = clock_monotonic() - start;
    if (cost > s->sql_max)
        s->sql_max = cost;
    count_cost(s, SAMPLES, cost, r < 0 ? 0 : (uint64_t)PQntuples(sessions), r < 0);
    if (r < 0)
        return err_trace(r);
    for (int row = 0; s->samples.family && row < PQntuples(sessions); row++)
        count_session(s, sessions, row, &blockers);
    return 0;
}

/* --- Long transactions, blocked trees ------------------------------------------------------------------------------
 */

static int run_capture(Sampler *s, size_t which, Err *reterr)
{
    const Capture *capture = &CAPTURES[which];
    CaptureState *state = &s->captures[which];
    SamplerCapture c = {.conn = s->conn,
                        .sql = &s->sql,
                        .backslash_escapes = s->backslash_escapes,
                        .timeout = DEADLINE,
                        .transaction_threshold = s->options.settings->sampling_long_transaction,
                        .idle_threshold = s->options.settings->sampling_idle_in_transaction};
    uint64_t read = 0;
    Usec start = clock_monotonic();
    begin_rows(s, &state->family);
    int r = capture->read(&c, &s->rows, &read, reterr);
    count_cost(s, capture->family, clock_monotonic() - start, read, r < 0);
    state->due = start + capture->interval;
    if (r < 0)
        return err_trace(r);
    if (s->rows.row_count > 0 || state->had_rows)
        put(s, &state->family, clock_wall(), capture->interval);
    state->had_rows = s->rows.row_count > 0;
    return 0;
}

static bool capture_is_due(const Sampler *s, size_t which, Usec now)
{
    const CaptureState *state = &s->captures[which];
    if (!state->family.family || now < state->due)
        return false;
    /* A lock that somebody waits for in two samples in a row is more than the usual moment. */
    return which != CAPTURE_TREES || s->blocked_samples >= 2 || state->had_rows;
}

static int run_captures(Sampler *s, Err *reterr)
{
    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        if (!capture_is_due(s, i, clock_monotonic()))
            continue;
        int r = run_capture(s, i, reterr);
        if (r < 0)
            return err_trace(r);
    }
    return 0;
}

/* --- The turn ----------------------------------------------------------------------------------------------------- */

/* Monotonic time of a wall time, and no earlier: a turn too early is a turn for nothing. */
static Usec when_is(Usec wall)
{
    Usec left = wall - clock_wall();
    return clock_monotonic() + (left > 0 ? left : 0);
}

static void use_slot(Sampler *s)
{
    Err err = ERR_INIT;
    int r = s->conn ? 0 : open_connection(s, &err);
    if (r >= 0)
        r = take_sample(s, &err);
    sample_pace_count(&s->pace, r >= 0);
    if (r >= 0)
        r = run_captures(s, &err);
    if (r < 0) {
        note_outage(s, &err);
        return;
    }
    backoff_reset(&s->backoff);
    if (complain_recovered(&s->complain, clock_monotonic()))
        log_info("sessions are sampled again", log_str("server", s->options.server->name));
}

static Usec turn(void *self, Usec now)
{
    Sampler *s = self;
    Usec wall = clock_wall();
    SampleWindow window;
    while (sample_pace_close(&s->pace, wall, &window))
        put_window(s, &window);
    if (!s->conn && now < s->reconnect_at) { /* slots that go by are lost */
        Usec end = when_is(s->pace.window_end);
        return s->reconnect_at < end ? s->reconnect_at : end;
    }
    if (sample_pace_begin(&s->pace, wall))
        use_slot(s);
    return when_is(sample_pace_next(&s->pace));
}

static void *free_sampler(void *self)
{
    Sampler *s = self;
    SampleWindow window;
    Usec wall = clock_wall();
    while (sample_pace_close(&s->pace, wall, &window))
        put_window(s, &window);
    if (sample_pace_finish(&s->pace, wall, &window))
        put_window(s, &window);
    pg_conn_close(s->conn);
    sampler_sql_done(&s->sql);
    sample_table_free(s->table);
    rows_done(&s->rows);
    arena_free(s->arena);
    free(s);
    return NULL;
}

const ProducerKind sampler_kind = {"sampler", is_wanted, new_sampler, turn, free_sampler};
