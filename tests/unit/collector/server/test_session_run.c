/* SPDX-License-Identifier: PostgreSQL */
/* When a family that failed is asked again: time is passed in. On real servers: tests/system/test_hard_server.py. What
 * a statement is told: tests/system/test_known_rows.py, too. */
#include "collector/server/session_run.c"

#include "tests/support/kept_log.h"
#include "tests/support/unit.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)

static const Family FAMILY = {.name = "f"};
static const ServerSettings SERVER = {.name = "main"};
static Session session;
static FamilyState family;
static Run run;

static int setup(void **state)
{
    (void)state;
    kept_log_begin();
    session = (Session){.options = {.server = &SERVER}, .probe_at = 24 * HOUR};
    family = (FamilyState){.family = &FAMILY, .interval = 10 * USEC_PER_SEC};
    run = (Run){.session = &session, .state = &family, .now = HOUR};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(family.last_error);
    kept_log_end();
    return 0;
}

static void note(ErrCode code, const char *sqlstate)
{
    Err err = {.code = code};
    (void)snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", sqlstate);
    session_note_failure(&session, &run, &err);
}

static Usec pause_after(ErrCode code, const char *sqlstate)
{
    family.retry_at = 0;
    note(code, sqlstate);
    return family.retry_at > 0 ? family.retry_at - run.now : 0;
}

static void each_limit_in_a_row_doubles_the_pause(void **state)
{
    (void)state;
    static const int MINUTES[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360};
    for (size_t i = 0; i < ARRAY_LENGTH(MINUTES); i++)
        assert_true(pause_after(ERR_TIMEOUT, "57014") == MINUTES[i] * MINUTE);
    assert_int_equal(family.last_error->code, ERR_TIMEOUT);
    session_note_success(&session, &run);
    assert_null(family.last_error);
    assert_true(pause_after(ERR_SQL, "55P03") == MINUTE); /* lock_timeout */
    assert_int_equal(family.errors, 12);
}

static void a_slow_family_pauses_for_its_interval_at_least(void **state)
{
    (void)state;
    family.interval = 10 * MINUTE;
    assert_true(pause_after(ERR_TIMEOUT, "") == 10 * MINUTE);
    family.interval = 24 * HOUR;
    family.pause = 0;
    assert_true(pause_after(ERR_TIMEOUT, "") == 6 * HOUR);
}

static void what_is_refused_is_asked_again_tomorrow(void **state)
{
    (void)state;
    static const char *const REFUSED[] = {"42501", "42P01", "0A000", "55000"};
    for (size_t i = 0; i < ARRAY_LENGTH(REFUSED); i++)
        assert_true(pause_after(ERR_SQL, REFUSED[i]) == 24 * HOUR);
    assert_true(pause_after(ERR_SQL, "22012") == 0); /* a value of the moment */
    assert_true(pause_after(ERR_SQL, "40001") == 0);
}

static void an_unknown_object_has_the_server_looked_at_soon(void **state)
{
    (void)state;
    note(ERR_SQL, "42501");
    assert_true(session.probe_at == 24 * HOUR);
    note(ERR_SQL, "42P01");
    assert_true(session.probe_at == 10 * MINUTE);
}

/* Whether @arg is there, so is something known of the family, in its present epoch. */
static bool known_states(void *arg, const Reading *empty, RowStateVec *out)
{
    assert_string_equal(empty->family, "f");
    assert_string_equal(empty->epoch, "now");
    assert_int_equal(empty->row_count, 0);
    assert_int_equal(empty->label_count, 1);
    if (arg)
        row_state_vec_push(out, (RowState){.id = 7});
    return arg != NULL;
}

/* As "nothing", or the number of rows that are told, and "whole" or "changes". */
static void check_told(const char *expect)
{
    RowStateVec known = {0};
    char got[64];
    const FamilyRun asked = describe_run(&session, &run, "{ids}", &known);
    assert_null(asked.parameter);
    if (asked.known)
        (void)snprintf(got, sizeof(got), "%zu, %s", asked.known->len, run.changes ? "changes" : "whole");
    else
        (void)snprintf(got, sizeof(got), "nothing, %s", run.changes ? "changes" : "whole");
    assert_string_equal(got, expect);
    row_state_vec_done(&known);
}

static void only_changes_are_asked_for_where_rows_are_known_and_no_log_tells_it(void **state)
{
    (void)state;
    static const FamilyColumn LABEL = {.name = "l", .kind = COLUMN_LABEL}, VALUE = {.name = "v"};
    static const FamilyColumn *const COLUMNS[] = {&LABEL, &VALUE};
    session.options.settings = &(Settings){.roll_up_partitions = true};
    session.small_results = small_results_new();
    rows_init(&session.rows);
    buf_append_cstr(&session.epoch, "now");
    family.resolved = (ResolvedFamily){.family = &FAMILY, .columns = COLUMNS, .column_count = 2, .label_count = 1};
    check_told("nothing, whole"); /* it has no states */
    family.resolved.has_state = true;
    check_told("0, whole"); /* nobody to ask */
    session.options.known_states = known_states;
    check_told("0, whole");
    session.options.arg = &session;
    check_told("1, changes");
    assert_true(describe_reading(&session, &run).rest_is_same);
    run.keyframe = true;
    check_told("0, whole");
    assert_false(describe_reading(&session, &run).rest_is_same);
    run.keyframe = false;
    session.pulse.logs_statements = true;
    check_told("0, whole");
    session.pulse.logs_statements = false;

    DatabasePulse last = {.statistics_reset = "then"};
    run.pulse = &(DatabasePulseStep){.result = 0};
    check_told("0, whole"); /* of the database's log nothing is known */
    run.last_pulse = &last;
    check_told("1, changes");
    last.logs_statements = true;
    check_told("0, whole");
    rows_done(&session.rows);
    buf_done(&session.epoch);
    session.small_results = small_results_free(session.small_results);
}

/* A partition stands for its root: it is read each time, and not kept from when it stood for itself. */
static void rows_that_are_added_up_have_no_state(void **state)
{
    (void)state;
    static const FamilyColumn LABEL = {.name = "l", .kind = COLUMN_LABEL};
    static const FamilyColumn *const COLUMNS[] = {&LABEL};
    Settings settings = {.roll_up_partitions = true};
    session.options.settings = &settings;
    rows_init(&session.rows);
    for (int rolls = 1; rolls >= 0; rolls--) {
        settings.roll_up_partitions = rolls;
        rows_begin(&session.rows, COLUMNS, 1, 1);
        session.rows.has_states = true;
        static const char *const ROLLED[] = {NULL, "root", "root"};
        for (size_t i = 0; i < ARRAY_LENGTH(ROLLED); i++) {
            (void)rows_add(&session.rows);
            slice_vec_push(&session.rows.rolled, ROLLED[i] ? slice_cstr(ROLLED[i]) : SLICE_NULL);
            row_state_vec_push(&session.rows.states, (RowState){.id = i < 2 ? i + 1 : 0, .state = 9});
        }
        const Reading reading = describe_reading(&session, &run);
        assert_true(reading.states[0].id == 1);
        assert_true(reading.states[1].id == (rolls ? 0 : 2));
        assert_int_equal(reading.gone_count, rolls);
        assert_true(!rolls || reading.gone[0] == 2);
    }
    rows_done(&session.rows);
}

static bool nothing_is_known(void *arg, const Reading *empty, RowStateVec *out)
{
    (void)empty;
    (void)out;
    ++*(int *)arg;
    return false;
}

static void a_reading_of_all_rows_shows_the_ids_that_were_missed(void **state)
{
    (void)state;
    static const FamilyColumn LABEL = {.name = "id", .kind = COLUMN_LABEL}, VALUE = {.name = "v"};
    static const FamilyColumn OTHER = {.name = "table", .kind = COLUMN_LABEL};
    static const FamilyColumn *const COLUMNS[] = {&LABEL, &VALUE}, *const OTHERS[] = {&OTHER, &VALUE};
    static const Family TEXTS = {.name = "t", .mode = FAMILY_MODE_TEXTS, .columns = &LABEL, .label_count = 1};
    FamilyState texts = {.family = &TEXTS};
    int asked = 0;
    session.families = &texts;
    session.family_count = 1;
    session.options.texts = texts_new();
    session.options.known_states = nothing_is_known;
    session.options.arg = &asked;
    session.options.settings = &(Settings){.roll_up_partitions = true};
    family.resolved =
        (ResolvedFamily){.family = &FAMILY, .columns = COLUMNS, .column_count = 2, .label_count = 1, .has_state = true};
    rows_init(&session.rows);
    rows_begin(&session.rows, COLUMNS, 2, 1);
    rows_add(&session.rows)[0] = (Cell){.type = CELL_TEXT, .text = SLICE_LIT("7")};
    texts_forget(session.options.texts);
    run.changes = true;
    see_ids(&session, &run);
    assert_int_equal(texts_wanted(session.options.texts), 1);
    assert_true(texts_are_missed(session.options.texts));

    run.changes = false; /* all rows of a family that has no such ids */
    family.resolved.columns = OTHERS;
    see_ids(&session, &run);
    assert_true(texts_are_missed(session.options.texts));
    RowStateVec known = {0};
    find_known(&session, &run, &known);
    assert_int_equal(asked, 1); /* what is missed is not among its rows */
    family.resolved.columns = COLUMNS;
    find_known(&session, &run, &known);
    assert_int_equal(asked, 1);

    rows_add(&session.rows)[0] = (Cell){.type = CELL_TEXT, .text = SLICE_LIT("7")};
    see_ids(&session, &run);
    assert_false(texts_are_missed(session.options.texts));
    find_known(&session, &run, &known);
    assert_int_equal(asked, 2);
    texts_free(session.options.texts);
    rows_done(&session.rows);
    buf_done(&session.epoch);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_limit_in_a_row_doubles_the_pause),
        TEST(a_slow_family_pauses_for_its_interval_at_least),
        TEST(what_is_refused_is_asked_again_tomorrow),
        TEST(an_unknown_object_has_the_server_looked_at_soon),
        TEST(only_changes_are_asked_for_where_rows_are_known_and_no_log_tells_it),
        TEST(rows_that_are_added_up_have_no_state),
        TEST(a_reading_of_all_rows_shows_the_ids_that_were_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
