/* SPDX-License-Identifier: PostgreSQL */
/*
 * One family's turn: what its answer means for when it is read again, and the reading that is handed over. A family
 * that the server refuses is not asked at every tick, one that met a limit is given ever longer pauses.
 */
#include <inttypes.h>

#include "collector/server/family_runner.h"
#include "collector/server/session_private.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

#define KEYFRAME_INTERVAL   (15 * 60 * USEC_PER_SEC)
#define PROBE_SOON_INTERVAL (10 * 60 * USEC_PER_SEC) /* at most so often because a family met something unknown */
#define PAUSE_MIN           (60 * USEC_PER_SEC)      /* after a statement that met a limit */
#define PAUSE_MAX           (6 * 3600 * USEC_PER_SEC)
#define TICK_TOLERANCE      (USEC_PER_SEC / 10)

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

void session_note_failure(Session *s, const Run *run, const Err *err)
{
    FamilyState *state = run->state;
    state->errors++;
    if (!state->last_error)
        state->last_error = mem_alloc(sizeof(*err));
    *state->last_error = *err;
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

void session_note_success(Session *s, const Run *run)
{
    FamilyState *state = run->state;
    free(state->last_error);
    state->last_error = NULL;
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

enum { NO_LABEL = -1 };

/* The label of @family that the family of texts asks by, when texts are wanted of it. */
static ptrdiff_t find_id_label(const Session *s, const ResolvedFamily *family)
{
    const Family *asking = NULL;
    for (size_t i = 0; s->options.texts && i < s->family_count && !asking; i++) {
        if (s->families[i].family->mode == FAMILY_MODE_TEXTS)
            asking = s->families[i].family;
    }
    if (!asking || family->family->mode == FAMILY_MODE_TEXTS || asking->label_count == 0)
        return NO_LABEL;
    for (size_t label = 0; label < family->label_count; label++) {
        if (strcmp(family->columns[label]->name, asking->columns[0].name) == 0)
            return (ptrdiff_t)label;
    }
    return NO_LABEL;
}

/* Tells the texts which ids there are. */
static void see_ids(Session *s, const Run *run)
{
    const ptrdiff_t label = find_id_label(s, &run->state->resolved);
    if (label == NO_LABEL)
        return;
    if (run->state->resolved.has_state && !run->changes)
        texts_begin_all(s->options.texts);
    for (size_t row = 0; row < s->rows.row_count; row++) {
        const Cell *cell = &s->rows.cells.items[row * s->rows.column_count + (size_t)label];
        if (cell->type == CELL_TEXT)
            texts_see(s->options.texts, cell->text);
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

/* Rows that are added up are read each time: of the sum not all would be there. */
static void forget_rolled_states(Session *s, const Reading *reading)
{
    for (size_t i = 0; reading->states && i < reading->row_count * reading->label_count; i++) {
        RowState *row = &s->rows.states.items[i / reading->label_count];
        if (!reading->rolled[i].ptr || row->id == 0)
            continue;
        id_vec_push(&s->rows.gone, row->id); /* it may be known from when it stood for itself */
        *row = (RowState){.id = 0};
    }
}

/* Of the rows that .rows has. */
static Reading describe_reading(Session *s, const Run *run)
{
    Reading reading = rows_reading(&s->rows);
    reading.family = run->state->family->name;
    reading.database = run->database;
    reading.epoch = epoch_of(s, run);
    reading.wall = run->wall;
    reading.monotonic = run->now;
    reading.keyframe = run->keyframe;
    reading.rest_is_same = run->changes;
    /* Behind a limit a row may be hidden at one reading and seen at the next. */
    size_t limit = (size_t)run->state->family->limit;
    reading.partial |= limit > 0 && reading.row_count >= limit;
    reading.top = run->state->top;
    reading.top_by = run->state->family->top_by;
    if (run->state->family->roll_up == ROLL_UP_PARTITIONS && !s->options.settings->roll_up_partitions)
        reading.rolled = NULL;
    if (reading.rolled)
        forget_rolled_states(s, &reading);
    reading.gone = s->rows.gone.items;
    reading.gone_count = s->rows.gone.len;
    return reading;
}

void session_deliver(Session *s, const Run *run)
{
    const Reading reading = describe_reading(s, run);
    run->state->bytes += s->options.on_reading(s->options.arg, &reading);
}

/* The server reads all texts for one of them, so all are asked for at once, and handed over bit by bit. */
static void on_texts_part(void *arg)
{
    const Run *run = arg;
    run->state->rows += run->session->rows.row_count;
    session_deliver(run->session, run);
}

/* The statistics of the database began where they did at the last visit. */
static bool is_as_expected(const Run *run)
{
    return strcmp(run->last_pulse->statistics_reset, run->pulse->pulse.statistics_reset) == 0;
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
    bool failed = end->result < 0 || (run->pulse && run->pulse->result < 0);
    run->outdated = !failed && run->changes && run->pulse && !is_as_expected(run);
    presence_note(s->presence, run->state->family, run->database, failed, s->rows.row_count, run->now);
    if (end->result < 0)
        session_note_failure(s, run, end->err);
    if (failed || run->outdated)
        return;
    if (run->pulse)
        epoch_format(&s->epoch, s->system_identifier, &s->pulse, run->pulse->pulse.statistics_reset);
    session_note_success(s, run);
    if (run->state->family->mode != FAMILY_MODE_TEXTS)
        small_results_note(s->small_results, run->state->family->name, run->database, run->changes,
                           s->rows.cells.len + s->rows.gone.len * s->rows.column_count);
    see_ids(s, run);
    session_deliver(s, run);
}

void session_deliver_nothing(Session *s, const Run *run)
{
    const ResolvedFamily *family = &run->state->resolved;
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
    session_deliver(s, run);
}

/* Thousands of numbers must not fill the log of a server that writes down each statement; and where ids of texts were
 * missed, all rows are to be seen. */
static bool may_be_told(const Session *s, const Run *run)
{
    if (find_id_label(s, &run->state->resolved) != NO_LABEL && texts_are_missed(s->options.texts))
        return false;
    if (run->pulse && (!run->last_pulse || run->last_pulse->logs_statements))
        return false;
    return !run->keyframe && !s->pulse.logs_statements && s->options.known_states;
}

/* In which states rows are known. A keyframe has all rows. */
static void find_known(Session *s, Run *run, RowStateVec *ret)
{
    const ResolvedFamily *family = &run->state->resolved;
    rows_begin(&s->rows, family->columns, family->column_count, family->label_count);
    const Reading empty = describe_reading(s, run);
    run->changes = may_be_told(s, run) && s->options.known_states(s->options.arg, &empty, ret);
}

static FamilyRun describe_run(Session *s, Run *run, const char *ids, RowStateVec *known)
{
    const ResolvedFamily *family = &run->state->resolved;
    const bool has_texts = run->state->family->mode == FAMILY_MODE_TEXTS;
    if (family->has_state)
        find_known(s, run, known); /* says what is asked for, too */
    return (FamilyRun){
        .family = family,
        .parameter = has_texts ? ids : NULL,
        .known = family->has_state ? known : NULL,
        .is_small = small_results_expect(s->small_results, run->state->family->name, run->database, run->changes),
        .backslash_escapes = s->settled.backslash_escapes,
        .timeout = s->statement_timeout + STATEMENT_GRACE,
        .arg = run,
        .on_part = has_texts ? on_texts_part : NULL,
        .on_end = on_run_end,
    };
}

int session_run_families(Session *s, PgConn *conn, const PgStep *first, Run *runs, size_t count, const char *ids,
                         Err *reterr)
{
    _cleanup_free_ FamilyRun *asked = mem_alloc_array(sizeof(*asked), count + 1);
    _cleanup_free_ RowStateVec *known = mem_alloc_array(sizeof(*known), count + 1);
    for (size_t i = 0; i < count; i++) {
        runs[i].session = s;
        asked[i] = describe_run(s, &runs[i], ids, &known[i]);
    }
    int r = family_runner_run(conn, first, asked, count, &s->rows, reterr);
    for (size_t i = 0; i < count; i++)
        row_state_vec_done(&known[i]);
    return err_trace(r);
}

/* Every series of a family gets its keyframe at the same tick. */
bool session_keyframe_is_due(const FamilyState *state, Usec now)
{
    Usec interval = state->family->keyframe == FAMILY_KEYFRAME_DAILY ? KEYFRAME_DAY : KEYFRAME_INTERVAL;
    return state->family->keyframe == FAMILY_KEYFRAME_ALWAYS ||
           now + state->interval / 2 >= state->last_keyframe + interval;
}
