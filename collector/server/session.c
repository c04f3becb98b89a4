/* SPDX-License-Identifier: PostgreSQL */
/*
 * See session.h. A tick: one round trip for the server's pulse, one for all families that are due on the main
 * connection, then the databases one by one, then texts of new statements. Every statement is a transaction of its own,
 * read only, with the limits of SERVER_SETTINGS; no transaction is ever left open.
 *
 * session_open() looks at the server anew, so whatever may have changed it (a promotion, an update of an extension, a
 * day gone by) is answered by closing and opening.
 */
#include "collector/server/session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "collector/server/session_private.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

#define STATEMENT_TIMEOUT_MIN (5 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT_MAX (15 * USEC_PER_SEC)

/* A host family whose figures this version can give, for this server. */
static bool is_readable(const Session *s, const Family *f)
{
    if (f->scope != FAMILY_SCOPE_HOST || session_own_family(f))
        return true;
    return s->options.server->local && system_source_find(f->name);
}

static void resolve_host_family(Session *s, FamilyState *state)
{
    const Family *f = state->family;
    const FamilyColumn **columns = arena_alloc(s->columns_arena, f->column_count * sizeof(void *));
    for (size_t i = 0; i < f->column_count; i++)
        columns[i] = &f->columns[i];
    state->available = true;
    state->resolved = (ResolvedFamily){
        .family = f, .columns = columns, .column_count = f->column_count, .label_count = f->label_count};
}

static void add_families(Session *s)
{
    const Catalog *catalog = s->options.settings->catalog;
    size_t count = catalog_count(catalog);
    s->families = mem_alloc_array(sizeof(*s->families), count + 1);
    for (size_t i = 0; i < count; i++) {
        const Family *f = catalog_at(catalog, i);
        Usec interval;
        if (!settings_family(s->options.settings, f, &interval) || !is_readable(s, f))
            continue;
        FamilyState *state = &s->families[s->family_count++];
        *state = (FamilyState){.family = f,
                               .interval = interval ? interval : s->options.settings->interval,
                               .top = settings_family_top(s->options.settings, f),
                               .last_keyframe = -KEYFRAME_DAY};
        bool is_host = f->scope == FAMILY_SCOPE_HOST;
        state->entry = schedule_add(is_host ? &s->host_schedule : &s->server_schedule, state->interval);
        if (is_host)
            resolve_host_family(s, state);
    }
}

Session *session_new(const SessionOptions *options, Usec now)
{
    Session *s = mem_alloc(sizeof(*s));
    s->options = *options;
    s->host.root = options->system_root ? options->system_root : "";
    s->facts_arena = arena_new(0);
    s->columns_arena = arena_new(0);
    Usec interval = options->settings->interval;
    s->statement_timeout = interval < STATEMENT_TIMEOUT_MIN   ? STATEMENT_TIMEOUT_MIN
                           : interval > STATEMENT_TIMEOUT_MAX ? STATEMENT_TIMEOUT_MAX
                                                              : interval;
    (void)snprintf(s->born, sizeof(s->born), "%" PRId64, clock_wall());
    rows_init(&s->rows);
    schedule_init(&s->host_schedule, interval, now);
    schedule_init(&s->server_schedule, interval, now);
    schedule_set_budget(&s->server_schedule, (double)options->settings->cpu_budget / (1000.0 * 100));
    cost_window_init(&s->spending, interval, now);
    add_families(s);
    return s;
}

Session *session_free(Session *s)
{
    if (!s)
        return NULL;
    session_close(s);
    for (size_t i = 0; i < s->family_count; i++)
        free(s->families[i].last_error);
    free(s->families);
    arena_free(s->columns_arena);
    schedule_done(&s->host_schedule);
    schedule_done(&s->server_schedule);
    rows_done(&s->rows);
    buf_done(&s->epoch);
    buf_done(&s->own_epoch);
    buf_done(&s->boot);
    advice_vec_done(&s->advice);
    arena_free(s->facts_arena);
    free(s);
    return NULL;
}

bool session_is_open(const Session *s)
{
    return s->conn != NULL;
}

void session_close(Session *s)
{
    s->roamer = roamer_free(s->roamer);
    s->presence = presence_free(s->presence);
    s->small_results = small_results_free(s->small_results);
    s->database_pulses = map_free(s->database_pulses);
    s->conn = pg_conn_close(s->conn);
}

/* What one connection needs, the main one and those that roam. */
static int open_connection(Session *s, const char *database, PgConn **ret, Err *reterr)
{
    const ServerConnect connect = {
        .server = s->options.server, .database = database, .statement_timeout = s->statement_timeout, .like = s->conn};
    int r = server_connect(&connect, ret, reterr);
    if (r >= 0)
        s->connecting += pg_conn_connect_cost(*ret);
    return err_trace(r);
}

/* One that roams has the main one's settings. */
static int open_roaming(void *arg, const char *database, PgConn **ret, Err *reterr)
{
    Session *s = arg;
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    int r = open_connection(s, database, &conn, reterr);
    const Usec settling_since = clock_monotonic();
    if (r >= 0)
        r = server_settle(conn, s->statement_timeout + STATEMENT_GRACE, &(ServerSettled){0}, reterr);
    if (r < 0)
        return err_trace(r);
    s->connecting += clock_monotonic() - settling_since;
    *ret = TAKE_PTR(conn);
    return 0;
}

int session_open(Session *s, Err *reterr)
{
    assert(!s->conn);
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    int r = open_connection(s, NULL, &conn, reterr);
    const Usec looking_since = clock_monotonic();
    if (r >= 0)
        r = server_settle(conn, s->statement_timeout + STATEMENT_GRACE, &s->settled, reterr);
    s->flavour = s->options.server->flavour;
    if (r >= 0 && s->flavour == FLAVOUR_AUTO)
        r = flavour_look(conn, s->statement_timeout + STATEMENT_GRACE, &s->flavour, reterr);
    if (r >= 0)
        r = pulse_read(conn, NULL, &s->pulse, reterr);
    if (r >= 0)
        r = session_probe(s, conn, reterr);
    if (r < 0)
        return err_trace(r);
    s->conn = TAKE_PTR(conn);
    s->roamer = roamer_new(s->options.server, s->conn, s->database, open_roaming, s);
    s->opened_at = clock_monotonic();
    s->connecting += s->opened_at - looking_since;
    s->probe_at = s->opened_at + PROBE_INTERVAL;
    s->ever_open = true;
    return 0;
}

Usec session_next(const Session *s)
{
    Usec next = schedule_next(&s->host_schedule);
    if (s->conn && schedule_next(&s->server_schedule) < next)
        next = schedule_next(&s->server_schedule);
    return next;
}

void session_expect_keyframes(Session *s)
{
    for (size_t i = 0; i < s->family_count; i++)
        s->families[i].last_keyframe = -KEYFRAME_DAY;
}

/* --- The host ------------------------------------------------------------------------------------------------------
 */

static void run_host_family(Session *s, const Run *run)
{
    const ResolvedFamily *family = &run->state->resolved;
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
    run->state->runs++;
    const OwnFamily *own = session_own_family(run->state->family);
    if (own) {
        own->fill(s, run->now);
    } else {
        Err err = ERR_INIT;
        if (system_source_find(run->state->family->name)->read(&s->host, &s->rows, &err) < 0) {
            session_note_failure(s, run, &err);
            return;
        }
    }
    session_note_success(s, run);
    session_deliver(s, run);
}

void session_read_host(Session *s, Usec now)
{
    Usec wall = clock_wall();
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->scope != FAMILY_SCOPE_HOST || !schedule_take(&s->host_schedule, state->entry, now))
            continue;
        buf_clear(&s->epoch);
        if (session_own_family(state->family)) {
            buf_append_cstr(&s->epoch, s->born);
        } else {
            if (s->boot.len == 0) /* it does not change while we live */
                system_epoch(&s->host, &s->boot);
            buf_append(&s->epoch, buf_slice(&s->boot));
        }
        Run run = {
            .session = s, .state = state, .now = now, .wall = wall, .keyframe = session_keyframe_is_due(state, now)};
        run_host_family(s, &run);
        if (run.keyframe)
            state->last_keyframe = now;
    }
}

/* --- The server --------------------------------------------------------------------------------------------------- */

/* Takes the family's turn from the schedule; false when it is not due or cannot be read. */
static bool take_turn(Session *s, FamilyState *state, Usec now)
{
    return schedule_take(&s->server_schedule, state->entry, now) && state->available && state->retry_at <= now;
}

static bool is_due_instance(Session *s, FamilyState *state, Usec now)
{
    return state->family->scope == FAMILY_SCOPE_INSTANCE && state->family->mode == FAMILY_MODE_ROWS &&
           take_turn(s, state, now);
}

static int read_instance(Session *s, Usec now, Usec wall, Err *reterr)
{
    epoch_format(&s->epoch, s->system_identifier, &s->pulse, "");
    _cleanup_free_ Run *runs = mem_alloc_array(sizeof(*runs), s->family_count + 1);
    _cleanup_free_ Usec *cost_before = mem_alloc_array(sizeof(*cost_before), s->family_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (!is_due_instance(s, state, now))
            continue;
        Run run = {.state = state, .now = now, .wall = wall, .keyframe = session_keyframe_is_due(state, now)};
        if (presence_is_empty(s->presence, state->family, NULL, now)) {
            session_deliver_nothing(s, &run);
            state->last_keyframe = run.keyframe ? now : state->last_keyframe;
            continue;
        }
        cost_before[count] = state->cost;
        runs[count++] = run;
    }
    int r = session_run_families(s, s->conn, NULL, runs, count, NULL, reterr);
    for (size_t i = 0; i < count; i++) {
        FamilyState *state = runs[i].state;
        if (!runs[i].ended) {
            schedule_expire(&s->server_schedule, state->entry, now);
            continue;
        }
        schedule_report_cost(&s->server_schedule, state->entry, state->cost - cost_before[i]);
        if (runs[i].keyframe && !state->last_error)
            state->last_keyframe = now;
    }
    return r;
}

typedef struct DatabaseTurn {
    Session *session;
    FamilyState *states[CATALOG_FAMILIES_MAX];
    Usec cost_before[CATALOG_FAMILIES_MAX];
    uint64_t runs_before[CATALOG_FAMILIES_MAX];
    size_t count;
    Usec now;
} DatabaseTurn;

/* Sorts the families of the turn: those to be read come first. Returns their number. */
static size_t make_runs(const DatabaseTurn *turn, const char *database, Run *runs)
{
    const Session *s = turn->session;
    /* Roaming may take long: each database has its own time. */
    Usec now = clock_monotonic(), wall = clock_wall();
    size_t to_read = 0, empty = turn->count;
    for (size_t i = 0; i < turn->count; i++) {
        FamilyState *state = turn->states[i];
        bool is_empty = presence_is_empty(s->presence, state->family, database, now);
        runs[is_empty ? --empty : to_read++] = (Run){.state = state,
                                                     .database = database,
                                                     .now = now,
                                                     .wall = wall,
                                                     .keyframe = session_keyframe_is_due(state, turn->now)};
    }
    return to_read;
}

/* Those of which all rows are wanted come first. Returns their number. */
static size_t keep_outdated(Run *runs, size_t count)
{
    size_t outdated = 0;
    for (size_t i = 0; i < count; i++) {
        if (runs[i].outdated)
            runs[outdated++] = runs[i];
    }
    return outdated;
}

static void keep_pulse(Session *s, const char *database, const DatabasePulse *pulse)
{
    DatabasePulse *kept = map_get(s->database_pulses, slice_cstr(database));
    if (!kept) {
        kept = mem_alloc(sizeof(*kept));
        map_put(s->database_pulses, slice_cstr(database), kept);
    }
    *kept = *pulse;
}

/* Families of one database, which are expected to count from where they did at the last visit. Where they do not, what
 * was asked for is not what is wanted, and all rows are read. */
static int run_in_database(Session *s, PgConn *conn, const char *database, DatabasePulseStep *pulse, Run *runs,
                           size_t count, Err *reterr)
{
    const PgStep first = epoch_database_step(pulse);
    int r;
    do {
        const DatabasePulse *last = map_get(s->database_pulses, slice_cstr(database));
        epoch_format(&s->epoch, s->system_identifier, &s->pulse, last ? last->statistics_reset : "");
        for (size_t i = 0; i < count; i++) {
            runs[i].pulse = pulse;
            runs[i].last_pulse = last;
        }
        r = session_run_families(s, conn, &first, runs, count, NULL, reterr);
        if (r >= 0 && pulse->result >= 0)
            keep_pulse(s, database, &pulse->pulse);
        count = keep_outdated(runs, count);
    } while (r >= 0 && count > 0);
    return r;
}

/* One database. Negative only when the main connection was lost; another one is the roamer's to replace. */
static int read_database(void *arg, PgConn *conn, const char *database, Err *reterr)
{
    DatabaseTurn *turn = arg;
    Session *s = turn->session;
    DatabasePulseStep step = {.result = 0};
    _cleanup_free_ Run *runs = mem_alloc_array(sizeof(*runs), turn->count + 1);
    const size_t count = make_runs(turn, database, runs);
    int r = run_in_database(s, conn, database, &step, runs, count, reterr);
    if (r >= 0 && step.result < 0) {
        r = step.result;
        if (reterr)
            *reterr = step.err;
    }
    if (r >= 0)
        epoch_format(&s->epoch, s->system_identifier, &s->pulse, step.pulse.statistics_reset);
    for (size_t i = count; r >= 0 && i < turn->count; i++)
        session_deliver_nothing(s, &runs[i]);
    return r;
}

/* Each family that was read bears its part of what the visits' connections have cost. */
static void report_turn(const DatabaseTurn *turn, Usec connecting)
{
    size_t read = 0;
    for (size_t i = 0; i < turn->count; i++)
        read += turn->states[i]->runs > turn->runs_before[i];
    for (size_t i = 0; i < turn->count; i++) {
        const FamilyState *state = turn->states[i];
        if (state->runs > turn->runs_before[i])
            schedule_report_cost(&turn->session->server_schedule, state->entry,
                                 state->cost - turn->cost_before[i] + connecting / (Usec)read);
    }
}

static int read_databases(Session *s, Usec now, Err *reterr)
{
    DatabaseTurn turn = {.session = s, .now = now};
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->scope != FAMILY_SCOPE_DATABASE || !take_turn(s, state, now))
            continue;
        turn.cost_before[turn.count] = state->cost;
        turn.runs_before[turn.count] = state->runs;
        turn.states[turn.count++] = state;
    }
    if (turn.count == 0)
        return 0;
    const Usec before = s->connecting;
    int r = roamer_visit(s->roamer, now, s->options.stop, read_database, &turn, reterr);
    report_turn(&turn, s->connecting - before);
    for (size_t i = 0; i < turn.count; i++) {
        FamilyState *state = turn.states[i];
        if (r < 0)
            schedule_expire(&s->server_schedule, state->entry, now);
        if (session_keyframe_is_due(state, now))
            state->last_keyframe = now;
    }
    return r;
}

static int read_texts(Session *s, Usec now, Usec wall, Err *reterr)
{
    epoch_format(&s->epoch, s->system_identifier, &s->pulse, "");
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->mode != FAMILY_MODE_TEXTS || !take_turn(s, state, now))
            continue;
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        const char *ids = s->options.texts ? texts_take(s->options.texts, arena) : NULL;
        if (!ids)
            continue;
        Usec cost_before = state->cost;
        Run run = {.state = state, .now = now, .wall = wall, .keyframe = true}; /* also one that was sent and is lost */
        int r = session_run_families(s, s->conn, NULL, &run, 1, ids, reterr);
        if (!run.ended || state->last_error)
            texts_rollback(s->options.texts); /* asked, but not told */
        if (r < 0)
            return r;
        schedule_report_cost(&s->server_schedule, state->entry, state->cost - cost_before);
    }
    return 0;
}

/* The server's state between two ticks; a change of role changes what it has. */
static int feel_pulse(Session *s, Usec now, Err *reterr)
{
    bool was_in_recovery = s->pulse.in_recovery;
    PgStep conditions;
    bool has_conditions = presence_step(s->presence, &conditions);
    int r = pulse_read(s->conn, has_conditions ? &conditions : NULL, &s->pulse, reterr);
    if (r < 0)
        return err_trace(r);
    if (was_in_recovery == s->pulse.in_recovery && now < s->probe_at)
        return 0;
    if (was_in_recovery != s->pulse.in_recovery)
        log_info("server changed its role", log_str("server", s->options.server->name),
                 log_bool("in_recovery", s->pulse.in_recovery));
    session_close(s);
    return err_trace(session_open(s, reterr));
}

int session_read_server(Session *s, Usec now, Err *reterr)
{
    if (!schedule_due(&s->server_schedule, now))
        return 0;
    Usec wall = clock_wall();
    int r = feel_pulse(s, now, reterr);
    if (r >= 0)
        r = read_instance(s, now, wall, reterr);
    if (r >= 0)
        r = read_databases(s, now, reterr);
    if (r >= 0)
        r = read_texts(s, now, wall, reterr);
    rows_rest(&s->rows);
    session_note_spending(s, clock_monotonic());
    session_tell_stretching(s);
    if (r < 0) {
        session_close(s);
        return err_trace(r);
    }
    return 0;
}

void session_describe(const Session *s, Arena *arena, PushServer *ret)
{
    if (!s->ever_open)
        return;
    if (s->system_identifier)
        ret->system_identifier = slice_cstr(arena_printf(arena, "%" PRIu64, s->system_identifier));
    ret->version_num = s->version_num;
    ret->in_recovery = s->pulse.in_recovery;
    ret->postmaster_start = s->pulse.postmaster_start;
}

const FamilyState *session_family_at(const Session *s, size_t index)
{
    return index < s->family_count ? &s->families[index] : NULL;
}

const char *session_advice_at(const Session *s, size_t index)
{
    return index < s->advice.len ? s->advice.items[index] : NULL;
}
