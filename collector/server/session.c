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

#include "collector/server/cost_window.h"
#include "collector/server/epoch.h"
#include "collector/server/family_runner.h"
#include "collector/server/flavour.h"
#include "collector/server/presence.h"
#include "collector/server/roamer.h"
#include "collector/server/schedule.h"
#include "collector/server/server_connect.h"
#include "lib/base/memory.h"

#define KEYFRAME_INTERVAL     (15 * 60 * USEC_PER_SEC)
#define KEYFRAME_DAY          (24 * 3600 * USEC_PER_SEC)
#define PROBE_INTERVAL        (24 * 3600 * USEC_PER_SEC) /* look at the server anew */
#define PROBE_SOON_INTERVAL   (10 * 60 * USEC_PER_SEC)   /* at most so often because a family met something unknown */
#define PAUSE_MIN             (60 * USEC_PER_SEC)        /* after a statement that met a limit */
#define PAUSE_MAX             (6 * 3600 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT_MIN (5 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT_MAX (15 * USEC_PER_SEC)
#define STATEMENT_GRACE       (2 * USEC_PER_SEC) /* ours ends after the server's */
#define TICK_TOLERANCE        (USEC_PER_SEC / 10)

DEFINE_VEC(AdviceVec, advice_vec, const char *)

struct Session {
    SessionOptions options;
    SystemHost host;
    FamilyState *families;
    size_t family_count;
    Arena *columns_arena; /* of the host families, as the others have theirs in facts_arena */
    Schedule host_schedule;
    Schedule server_schedule;
    Rows rows;
    Buf epoch;
    Buf own_epoch;
    char born[24]; /* epoch of the collector's own counters */

    PgConn *conn;
    Roamer *roamer;
    Presence *presence; /* of the open session */
    Arena *facts_arena;
    Usec statement_timeout;
    ServerSettled settled;
    Flavour flavour;
    bool ever_open;
    int version_num;
    uint64_t system_identifier;
    char database[64]; /* of the main connection */
    AdviceVec advice;  /* texts in facts_arena */
    Pulse pulse;
    Usec probe_at; /* monotonic */
    Usec opened_at;

    CostWindow spending;
    Usec spent; /* of all families, as far as it is in .spending */
    bool stretches;
};

/* Families about the collector itself; all others of the host's are in system/. */
typedef struct OwnFamily {
    const char *name;
    void (*fill)(Session *s, Usec now);
} OwnFamily;

static void fill_collector_rows(Session *s, Usec now);
static void fill_budget_row(Session *s, Usec now);

static const OwnFamily OWN_FAMILIES[] = {{"collector_budget", fill_budget_row},
                                         {"collector_family", fill_collector_rows}};

/* NULL: not about the collector. */
static const OwnFamily *find_own_family(const Family *f)
{
    for (size_t i = 0; i < ARRAY_LENGTH(OWN_FAMILIES); i++) {
        if (strcmp(OWN_FAMILIES[i].name, f->name) == 0)
            return &OWN_FAMILIES[i];
    }
    return NULL;
}

/* A host family whose figures this version can give, for this server. */
static bool is_readable(const Session *s, const Family *f)
{
    if (f->scope != FAMILY_SCOPE_HOST || find_own_family(f))
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
    free(s->families);
    arena_free(s->columns_arena);
    schedule_done(&s->host_schedule);
    schedule_done(&s->server_schedule);
    rows_done(&s->rows);
    buf_done(&s->epoch);
    buf_done(&s->own_epoch);
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
    s->conn = pg_conn_close(s->conn);
}

/* What one connection needs, the main one and those that roam. */
static int open_connection(void *arg, const char *database, PgConn **ret, Err *reterr)
{
    const Session *s = arg;
    const ServerConnect connect = {
        .server = s->options.server, .database = database, .statement_timeout = s->statement_timeout, .like = s->conn};
    return err_trace(server_connect(&connect, ret, reterr));
}

static void advise_about_family(Session *s, const PgFacts *facts, const Family *f)
{
    const PgExtension *extension = f->needs[0] ? pg_facts_extension(facts, slice_cstr(f->needs)) : NULL;
    if (extension && extension->default_version && strcmp(extension->version, extension->default_version) != 0)
        advice_vec_push(&s->advice,
                        arena_printf(s->facts_arena,
                                     "extension %s is of version %s, the server has %s: alter extension %s update",
                                     f->needs, extension->version, extension->default_version, f->needs));
    for (size_t i = 0; i < f->column_count; i++) {
        const char *setting = f->columns[i].setting;
        if (!setting[0] || !map_has(facts->settings, slice_cstr(setting)) || pg_facts_setting_on(facts, setting))
            continue;
        /* Those of extensions may be dear: named, not recommended. */
        bool is_cheap = !strchr(setting, '.');
        _cleanup_buf_ Buf text = BUF_INIT;
        buf_printf(&text, "setting %s is off, what it would tell is not known%s", setting, is_cheap ? ": " : "");
        if (is_cheap)
            flavour_append_set_on(s->flavour, setting, &text);
        advice_vec_push(&s->advice, arena_strdup(s->facts_arena, buf_cstr(&text)));
    }
}

static void drop_repeated_advice(AdviceVec *advice)
{
    size_t kept = 0;
    for (size_t i = 0; i < advice->len; i++) {
        bool repeated = false;
        for (size_t j = 0; j < kept && !repeated; j++)
            repeated = strcmp(advice->items[i], advice->items[j]) == 0;
        if (!repeated)
            advice->items[kept++] = advice->items[i];
    }
    advice->len = kept;
}

static void advise(Session *s, const PgFacts *facts)
{
    advice_vec_clear(&s->advice);
    if (!facts->has_pg_monitor)
        advice_vec_push(&s->advice,
                        arena_printf(s->facts_arena,
                                     "role %s sees only its own sessions and statements: grant pg_monitor to \"%s\"",
                                     s->settled.role, s->settled.role));
    for (size_t i = 0; i < s->family_count; i++) {
        if (s->families[i].available)
            advise_about_family(s, facts, s->families[i].family);
    }
    drop_repeated_advice(&s->advice);
}

/* Looks at what the server has and resolves every family against it. */
static int probe(Session *s, PgConn *conn, Err *reterr)
{
    arena_clear(s->facts_arena);
    s->presence = presence_free(s->presence);
    s->presence = presence_new();
    PgFacts facts = {0};
    int r = pg_facts_read(conn, s->facts_arena, &facts, reterr);
    if (r < 0)
        return err_trace(r);
    s->version_num = facts.version_num;
    s->system_identifier = facts.system_identifier;
    (void)snprintf(s->database, sizeof(s->database), "%s", facts.database);
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->scope == FAMILY_SCOPE_HOST)
            continue;
        Err err = ERR_INIT;
        state->reason = NULL;
        int resolved = family_resolve(state->family, &facts, s->facts_arena, &state->resolved, &state->reason, &err);
        state->available = resolved == RESOLVE_OK;
        state->retry_at = 0;
        if (state->available)
            presence_add(s->presence, &state->resolved);
        if (resolved < 0) {
            state->reason = arena_strdup(s->facts_arena, err.detail);
            log_warn("metric family does not fit the server", log_str("server", s->options.server->name),
                     log_str("family", state->family->name), log_error_field(&err));
        }
    }
    advise(s, &facts);
    pg_facts_done(&facts);
    return 0;
}

int session_open(Session *s, Err *reterr)
{
    assert(!s->conn);
    const char *database = s->options.server->database;
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    int r = open_connection(s, database[0] ? database : NULL, &conn, reterr);
    if (r >= 0)
        r = server_settle(conn, s->statement_timeout + STATEMENT_GRACE, &s->settled, reterr);
    s->flavour = s->options.server->flavour;
    if (r >= 0 && s->flavour == FLAVOUR_AUTO)
        r = flavour_look(conn, s->statement_timeout + STATEMENT_GRACE, &s->flavour, reterr);
    if (r >= 0)
        r = pulse_read(conn, NULL, &s->pulse, reterr);
    if (r >= 0)
        r = probe(s, conn, reterr);
    if (r < 0)
        return err_trace(r);
    s->conn = TAKE_PTR(conn);
    s->roamer = roamer_new(s->options.server, s->conn, s->database, open_connection, s);
    s->opened_at = clock_monotonic();
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

/* --- One run of one family -------------------------------------------------------------------------------------- */

typedef struct Run {
    Session *session;
    FamilyState *state;
    const char *database;       /* NULL: not of a database */
    const DatabaseReset *reset; /* of that database: when it could not be read, no row can be compared */
    Usec now;
    Usec wall;
    bool keyframe;
    bool ended; /* the server has answered, well or not */
} Run;

/* Refused for what it is, not for the moment: asking again at every tick would fill the server's log. */
static bool is_refused(const Err *err)
{
    return err->code == ERR_SQL && (strncmp(err->sqlstate, "42", 2) == 0 || strncmp(err->sqlstate, "0A", 2) == 0 ||
                                    strcmp(err->sqlstate, "55000") == 0);
}

/* What was probed is no longer there: an extension was updated or dropped. */
static bool is_unknown_object(const Err *err)
{
    static const char *const STATES[] = {"42P01", "42703", "42883", "3F000", "0A000"};
    for (size_t i = 0; i < ARRAY_LENGTH(STATES); i++) {
        if (strcmp(err->sqlstate, STATES[i]) == 0)
            return true;
    }
    return false;
}

/* Ended by statement_timeout or lock_timeout: each time costs the server that long, and is a line in its log. */
static bool is_limit(const Err *err)
{
    return err->code == ERR_TIMEOUT || strcmp(err->sqlstate, "55P03") == 0;
}

static void pause_family(FamilyState *state, Usec now)
{
    state->pause = state->pause ? 2 * state->pause : state->interval > PAUSE_MIN ? state->interval : PAUSE_MIN;
    if (state->pause > PAUSE_MAX)
        state->pause = PAUSE_MAX;
    state->retry_at = now + state->pause;
}

static void note_failure(Session *s, const Run *run, const Err *err)
{
    FamilyState *state = run->state;
    state->errors++;
    state->last_error = *err;
    if (is_refused(err))
        state->retry_at = run->now + PROBE_INTERVAL;
    else if (is_limit(err))
        pause_family(state, run->now);
    if (is_refused(err) && is_unknown_object(err) && s->opened_at + PROBE_SOON_INTERVAL < s->probe_at)
        s->probe_at = s->opened_at + PROBE_SOON_INTERVAL;
    if (complain_due(&state->complain, run->now))
        log_warn("metric family could not be read", log_str("server", s->options.server->name),
                 log_str("family", state->family->name), log_str("database", run->database), log_error_field(err));
}

static void note_success(Session *s, const Run *run)
{
    FamilyState *state = run->state;
    state->last_error = ERR_INIT;
    state->pause = 0;
    state->rows += s->rows.row_count;
    if (s->rows.truncated) {
        state->truncated++;
        if (complain_due(&state->complain, run->now))
            log_warn("metric family has more rows than are read", log_str("server", s->options.server->name),
                     log_str("family", state->family->name), log_str("database", run->database),
                     log_int("rows", (int64_t)s->rows.row_count));
    } else if (complain_recovered(&state->complain, run->now)) {
        log_info("metric family is read again", log_str("server", s->options.server->name),
                 log_str("family", state->family->name));
    }
}

/* Tells the texts which ids there are: those of the label that the family of texts asks by. */
static void see_ids(Session *s, const Run *run)
{
    const Family *asking = NULL;
    for (size_t i = 0; s->options.texts && i < s->family_count && !asking; i++) {
        if (s->families[i].family->mode == FAMILY_MODE_TEXTS)
            asking = s->families[i].family;
    }
    if (!asking || run->state->family->mode == FAMILY_MODE_TEXTS || asking->label_count == 0)
        return;
    for (size_t label = 0; label < s->rows.label_count; label++) {
        if (strcmp(s->rows.columns[label]->name, asking->columns[0].name) != 0)
            continue;
        for (size_t row = 0; row < s->rows.row_count; row++) {
            const Cell *cell = &s->rows.cells.items[row * s->rows.column_count + label];
            if (cell->type == CELL_TEXT)
                texts_see(s->options.texts, cell->text);
        }
    }
}

/* A family of the user's own may be changed under its name: what was counted before is not compared with it. */
static const char *epoch_of(Session *s, const Run *run)
{
    if (!run->state->family->own)
        return buf_cstr(&s->epoch);
    buf_clear(&s->own_epoch);
    buf_printf(&s->own_epoch, "%s %016" PRIx64, buf_cstr(&s->epoch), family_fingerprint(run->state->family));
    return buf_cstr(&s->own_epoch);
}

static void deliver(Session *s, const Run *run)
{
    Reading reading = rows_reading(&s->rows);
    reading.family = run->state->family->name;
    reading.database = run->database;
    reading.epoch = epoch_of(s, run);
    reading.wall = run->wall;
    reading.monotonic = run->now;
    reading.keyframe = run->keyframe;
    /* Behind a limit a row may be hidden at one reading and seen at the next. */
    size_t limit = (size_t)run->state->family->limit;
    reading.partial |= limit > 0 && reading.row_count >= limit;
    reading.top = run->state->top;
    reading.top_by = run->state->family->top_by;
    if (run->state->family->roll_up == ROLL_UP_PARTITIONS && !s->options.settings->roll_up_partitions)
        reading.rolled = NULL;
    run->state->bytes += s->options.on_reading(s->options.arg, &reading);
}

/* The server reads all texts for one of them, so all are asked for at once, and handed over bit by bit. */
static void on_texts_part(void *arg)
{
    const Run *run = arg;
    run->state->rows += run->session->rows.row_count;
    deliver(run->session, run);
}

static void on_run_end(void *arg, const FamilyRunEnd *end)
{
    Run *run = arg;
    Session *s = run->session;
    run->ended = true;
    run->state->runs++;
    run->state->cost += end->cost;
    /* The readings of a tick share its time as long as that is true; behind a slow statement they have their own. Texts
     * have no time, and parts of them may be gone already. */
    if (end->begun > run->now + TICK_TOLERANCE && run->state->family->mode != FAMILY_MODE_TEXTS) {
        run->wall += end->begun - run->now;
        run->now = end->begun;
    }
    bool failed = end->result < 0 || (run->reset && run->reset->result < 0);
    presence_note(s->presence, run->state->family, run->database, failed, s->rows.row_count, run->now);
    if (end->result < 0)
        note_failure(s, run, end->err);
    if (failed)
        return;
    if (run->reset)
        epoch_format(&s->epoch, s->system_identifier, &s->pulse, buf_cstr(&run->reset->text));
    note_success(s, run);
    see_ids(s, run);
    deliver(s, run);
}

/* Delivers the reading of a family that is known to have no rows. */
static void deliver_nothing(Session *s, const Run *run)
{
    const ResolvedFamily *family = &run->state->resolved;
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
    deliver(s, run);
}

/* Reads families on one connection, in one round trip. @first: see family_runner.h. Negative: the connection is lost.
 */
static int run_families(Session *s, PgConn *conn, const PgStep *first, Run *runs, size_t count, const char *ids,
                        Err *reterr)
{
    _cleanup_free_ FamilyRun *asked = mem_alloc_array(sizeof(*asked), count + 1);
    for (size_t i = 0; i < count; i++) {
        runs[i].session = s;
        asked[i] = (FamilyRun){
            .family = &runs[i].state->resolved,
            .ids = ids,
            .backslash_escapes = s->settled.backslash_escapes,
            .timeout = s->statement_timeout + STATEMENT_GRACE,
            .arg = &runs[i],
            .on_part = runs[i].state->family->mode == FAMILY_MODE_TEXTS ? on_texts_part : NULL,
            .on_end = on_run_end,
        };
    }
    return family_runner_run(conn, first, asked, count, &s->rows, reterr);
}

/* Every series of a family gets its keyframe at the same tick. */
static bool keyframe_is_due(const FamilyState *state, Usec now)
{
    Usec interval = state->family->keyframe == FAMILY_KEYFRAME_DAILY ? KEYFRAME_DAY : KEYFRAME_INTERVAL;
    return state->family->keyframe == FAMILY_KEYFRAME_ALWAYS ||
           now + state->interval / 2 >= state->last_keyframe + interval;
}

/* --- The host and the collector itself --------------------------------------------------------------------------- */

static void add_cost_row(Session *s, const FamilyCost *cost, Usec interval)
{
    if (cost->runs == 0 || !rows_add(&s->rows))
        return;
    rows_set_text(&s->rows, "family", slice_cstr(cost->family));
    rows_set_int(&s->rows, "runs", (int64_t)cost->runs);
    rows_set_int(&s->rows, "errors", (int64_t)cost->errors);
    rows_set_float(&s->rows, "sql_ms", (double)cost->sql / (double)USEC_PER_MSEC);
    rows_set_int(&s->rows, "rows", (int64_t)cost->rows);
    rows_set_int(&s->rows, "bytes", (int64_t)cost->bytes);
    if (interval)
        rows_set_float(&s->rows, "interval", (double)interval / (double)USEC_PER_SEC);
}

/* How often it is read now; 0: of a host family, which cost the server nothing. */
static Usec effective_interval(const Session *s, const FamilyState *state)
{
    return state->family->scope == FAMILY_SCOPE_HOST ? 0 : s->server_schedule.entries.items[state->entry].effective;
}

static void fill_collector_rows(Session *s, Usec now)
{
    (void)now;
    for (size_t i = 0; i < s->family_count; i++) {
        const FamilyState *state = &s->families[i];
        add_cost_row(s,
                     &(FamilyCost){.family = state->family->name,
                                   .runs = state->runs,
                                   .errors = state->errors,
                                   .rows = state->rows,
                                   .bytes = state->bytes,
                                   .sql = state->cost},
                     effective_interval(s, state));
    }
    FamilyCost cost;
    for (size_t i = 0; s->options.costs && family_costs_at(s->options.costs, i, &cost); i++)
        add_cost_row(s, &cost, 0);
}

static Usec spent_in_all(const Session *s)
{
    Usec spent = 0;
    FamilyCost cost;
    for (size_t i = 0; i < s->family_count; i++)
        spent += s->families[i].family->scope == FAMILY_SCOPE_HOST ? 0 : s->families[i].cost;
    for (size_t i = 0; s->options.costs && family_costs_at(s->options.costs, i, &cost); i++)
        spent += cost.sql;
    return spent;
}

static void note_spending(Session *s, Usec now)
{
    Usec spent = spent_in_all(s);
    cost_window_add(&s->spending, spent - s->spent, now);
    s->spent = spent;
}

/* The server's family of the schedule's entry; NULL: none. */
static const FamilyState *family_of_entry(const Session *s, size_t entry)
{
    for (size_t i = 0; i < s->family_count; i++) {
        if (s->families[i].family->scope != FAMILY_SCOPE_HOST && s->families[i].entry == entry)
            return &s->families[i];
    }
    return NULL;
}

static void fill_budget_row(Session *s, Usec now)
{
    note_spending(s, now);
    size_t dearest = SIZE_MAX;
    size_t stretched = schedule_stretched(&s->server_schedule, &dearest);
    const FamilyState *state = family_of_entry(s, dearest);
    if (!rows_add(&s->rows))
        return;
    rows_set_float(&s->rows, "budget", s->server_schedule.budget * 100);
    rows_set_float(&s->rows, "used", cost_window_share(&s->spending, now) * 100);
    rows_set_float(&s->rows, "planned", schedule_share(&s->server_schedule) * 100);
    rows_set_int(&s->rows, "stretched", (int64_t)stretched);
    rows_set_int(&s->rows, "stretching", stretched > 0);
    if (state)
        rows_set_text(&s->rows, "dearest", slice_cstr(state->family->name));
}

/* Said when it begins and when it is over. */
static void tell_stretching(Session *s)
{
    size_t dearest = SIZE_MAX;
    size_t count = schedule_stretched(&s->server_schedule, &dearest);
    if ((count > 0) == s->stretches)
        return;
    s->stretches = count > 0;
    const FamilyState *state = family_of_entry(s, dearest);
    if (state)
        log_warn("reading would cost more than its budget, the dearest families are read less often",
                 log_str("server", s->options.server->name), log_int("families", (int64_t)count),
                 log_str("dearest", state->family->name),
                 log_int("interval_s", effective_interval(s, state) / USEC_PER_SEC));
    else
        log_info("all families are read at their own intervals again", log_str("server", s->options.server->name));
}

static void run_host_family(Session *s, const Run *run)
{
    const ResolvedFamily *family = &run->state->resolved;
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
    run->state->runs++;
    const OwnFamily *own = find_own_family(run->state->family);
    if (own) {
        own->fill(s, run->now);
    } else {
        Err err = ERR_INIT;
        if (system_source_find(run->state->family->name)->read(&s->host, &s->rows, &err) < 0) {
            note_failure(s, run, &err);
            return;
        }
    }
    note_success(s, run);
    deliver(s, run);
}

void session_read_host(Session *s, Usec now)
{
    Usec wall = clock_wall();
    for (size_t i = 0; i < s->family_count; i++) {
        FamilyState *state = &s->families[i];
        if (state->family->scope != FAMILY_SCOPE_HOST || !schedule_take(&s->host_schedule, state->entry, now))
            continue;
        buf_clear(&s->epoch);
        if (find_own_family(state->family))
            buf_append_cstr(&s->epoch, s->born);
        else
            system_epoch(&s->host, &s->epoch);
        Run run = {.session = s, .state = state, .now = now, .wall = wall, .keyframe = keyframe_is_due(state, now)};
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
        Run run = {.state = state, .now = now, .wall = wall, .keyframe = keyframe_is_due(state, now)};
        if (presence_is_empty(s->presence, state->family, NULL, now)) {
            deliver_nothing(s, &run);
            state->last_keyframe = run.keyframe ? now : state->last_keyframe;
            continue;
        }
        cost_before[count] = state->cost;
        runs[count++] = run;
    }
    int r = run_families(s, s->conn, NULL, runs, count, NULL, reterr);
    for (size_t i = 0; i < count; i++) {
        FamilyState *state = runs[i].state;
        if (!runs[i].ended) {
            schedule_expire(&s->server_schedule, state->entry, now);
            continue;
        }
        schedule_report_cost(&s->server_schedule, state->entry, state->cost - cost_before[i]);
        if (runs[i].keyframe)
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
static size_t make_runs(const DatabaseTurn *turn, const char *database, const DatabaseReset *reset, Run *runs)
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
                                                     .reset = reset,
                                                     .now = now,
                                                     .wall = wall,
                                                     .keyframe = keyframe_is_due(state, turn->now)};
    }
    return to_read;
}

/* One database. Negative only when the main connection was lost; another one is the roamer's to replace. */
static int read_database(void *arg, PgConn *conn, const char *database, Err *reterr)
{
    DatabaseTurn *turn = arg;
    Session *s = turn->session;
    DatabaseReset reset = {.text = BUF_INIT};
    PgStep first = epoch_database_step(&reset);
    _cleanup_free_ Run *runs = mem_alloc_array(sizeof(*runs), turn->count + 1);
    size_t count = make_runs(turn, database, &reset, runs);
    int r = run_families(s, conn, &first, runs, count, NULL, reterr);
    if (r >= 0 && reset.result < 0) {
        r = reset.result;
        if (reterr)
            *reterr = reset.err;
    }
    if (r >= 0)
        epoch_format(&s->epoch, s->system_identifier, &s->pulse, buf_cstr(&reset.text));
    for (size_t i = count; r >= 0 && i < turn->count; i++)
        deliver_nothing(s, &runs[i]);
    buf_done(&reset.text);
    return r;
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
    int r = roamer_visit(s->roamer, now, s->options.stop, read_database, &turn, reterr);
    for (size_t i = 0; i < turn.count; i++) {
        FamilyState *state = turn.states[i];
        if (r < 0)
            schedule_expire(&s->server_schedule, state->entry, now);
        if (state->runs > turn.runs_before[i])
            schedule_report_cost(&s->server_schedule, state->entry, state->cost - turn.cost_before[i]);
        if (keyframe_is_due(state, now))
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
        int r = run_families(s, s->conn, NULL, &run, 1, ids, reterr);
        if (!run.ended || state->last_error.code != ERR_NONE)
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
    note_spending(s, clock_monotonic());
    tell_stretching(s);
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
