/* SPDX-License-Identifier: PostgreSQL */
/* What is a problem and what is not: a real target and a real sender without work, whose figures are set as life sets
 * them. Running collectors are asked in tests/system/test_status.py. */
#include "collector/agent/status.h"

#include <sched.h>
#include <yyjson.h>

#include "tests/unit/collector/settings_fixture.h"

#define MINUTE (60 * USEC_PER_SEC)
#define DAY    (24 * 60 * MINUTE)

typedef struct World {
    SettingsRef *settings;
    Target *target;
    Sender *sender;
    Spool *spool;
    StatusServer server;
    StatusInput in;
} World;

static World w;

static void nothing_to_do(void *arg)
{
    (void)arg;
}

static TargetStats *target_figures(void)
{
    return (TargetStats *)(uintptr_t)target_stats(w.target);
}

static SenderStats *sender_figures(void)
{
    return (SenderStats *)(uintptr_t)sender_stats(w.sender);
}

static KeeperStats *keeper_figures(void)
{
    return (KeeperStats *)(uintptr_t)sender_keeper_stats(w.sender);
}

/* A target that begins in an hour, a sender without spools, and a spool of its own. */
static int setup_world(void **state)
{
    (void)setup(state);
    Err err = ERR_INIT;
    w = (World){.settings = load("[postgres]\nhost = \"127.0.0.1\"\nport = 1\n", NULL)};
    assert_non_null(w.settings);
    const ServerSettings *server = &settings_get(w.settings)->servers[0];
    const TargetOptions watched = {
        .settings = w.settings, .server = server, .delay = 60 * MINUTE, .on_append = nothing_to_do};
    assert_ok(target_start(&w.target, &watched, &err), &err);
    const SenderOptions sending = {.api_url = "https://127.0.0.1:1",
                                   .token = "t",
                                   .collector_id = "c",
                                   .state_dir = scratch.path,
                                   .flush_interval = 60 * MINUTE};
    assert_ok(sender_start(&w.sender, &sending, NULL, 0, &err), &err);
    Buf path = scratch_path(&scratch, "spool");
    assert_ok(spool_open(&w.spool, &(SpoolOptions){.directory = buf_cstr(&path)}, &err), &err);
    buf_done(&path);
    w.server = (StatusServer){.name = "main", .target = w.target, .spool = w.spool};
    const Usec wall = clock_wall();
    w.in = (StatusInput){.now_wall = wall,
                         .now = clock_monotonic(),
                         .started = wall - MINUTE,
                         .collector_id = "c",
                         .api_url = "https://127.0.0.1:1",
                         .sender = w.sender,
                         .servers = &w.server,
                         .server_count = 1};
    while (target_figures()->alive_until < w.in.now + 30 * MINUTE ||
           sender_figures()->alive_until < w.in.now + 10 * MINUTE)
        (void)sched_yield(); /* both sleep then, and leave their figures alone: the target for an hour */
    target_figures()->reachable = true;
    return 0;
}

static int teardown_world(void **state)
{
    w.target = target_stop(w.target);
    w.sender = sender_stop(w.sender, 0);
    spool_close(w.spool);
    settings_unref(w.settings);
    return teardown(state);
}

static void append_batch(void)
{
    Err err = ERR_INIT;
    uint64_t sequence;
    assert_ok(spool_prepare(w.spool, &sequence, &err), &err);
    assert_ok(spool_append(w.spool, WIRE_GZIP, SLICE_LIT("batch"), w.in.now_wall, &err), &err);
}

static yyjson_doc *status(bool *ret_healthy)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    *ret_healthy = status_write(&w.in, &text);
    yyjson_doc *doc = yyjson_read(buf_cstr(&text), text.len, 0);
    assert_non_null(doc);
    return doc;
}

/* Exactly this problem; NULL: none. */
static void assert_problem(const char *expected)
{
    bool healthy;
    yyjson_doc *doc = status(&healthy);
    yyjson_val *problems = yyjson_obj_get(yyjson_doc_get_root(doc), "problems");
    const char *first = yyjson_get_str(yyjson_arr_get_first(problems));
    assert_int_equal(healthy, expected == NULL);
    assert_int_equal(yyjson_arr_size(problems), expected != NULL);
    if (expected)
        assert_string_equal(first, expected);
    yyjson_doc_free(doc);
}

static void all_is_well(void **state)
{
    (void)state;
    assert_problem(NULL);
    _cleanup_buf_ Buf line = BUF_INIT;
    status_write_line(&w.in, &line);
    assert_string_equal(buf_cstr(&line), "STATUS=1 of 1 servers reachable, 0 batches waiting");
}

static void a_server_that_is_away(void **state)
{
    (void)state;
    target_figures()->reachable = false;
    append_batch();
    sender_figures()->failing = true;
    _cleanup_buf_ Buf line = BUF_INIT;
    status_write_line(&w.in, &line);
    assert_string_equal(buf_cstr(&line), "STATUS=0 of 1 servers reachable, 1 batches waiting, the backend is away");
    sender_figures()->failing = false;
    assert_problem("server main cannot be read");
    w.server.target = NULL; /* taken out of the settings: only its batches are left */
    assert_problem(NULL);
    buf_clear(&line);
    status_write_line(&w.in, &line);
    assert_string_equal(buf_cstr(&line), "STATUS=0 of 0 servers reachable, 1 batches waiting");
}

static void a_settings_file_that_was_refused(void **state)
{
    (void)state;
    w.in.file_refused = true;
    assert_problem("the settings file had faults when it was read last, what it said before is in force");
    _cleanup_buf_ Buf line = BUF_INIT;
    status_write_line(&w.in, &line);
    assert_string_equal(buf_cstr(&line),
                        "STATUS=1 of 1 servers reachable, 0 batches waiting, the settings file has faults");
}

static void threads_that_are_stuck(void **state)
{
    (void)state;
    target_figures()->reachable = false; /* by then that is no news */
    target_figures()->alive_until = w.in.now - 1;
    assert_problem("server main: its thread is stuck");
    target_figures()->alive_until = w.in.now;
    target_figures()->reachable = true;
    assert_problem(NULL);
    target_figures()->stuck_part = "sampler";
    assert_problem("server main: its sampler is stuck");
    target_figures()->stuck_part = NULL;
    sender_figures()->alive_until = w.in.now - 1;
    assert_problem("the sender's thread is stuck");
}

static void batches_that_wait_too_long(void **state)
{
    (void)state;
    w.in.started = w.in.now_wall - 5 * MINUTE - 1;
    assert_problem(NULL); /* none waits */
    append_batch();
    assert_problem("batches cannot be sent to https://127.0.0.1:1: the log says why");
    sender_figures()->last_success = w.in.now_wall - 5 * MINUTE;
    assert_problem(NULL);
    sender_figures()->last_success = w.in.now_wall - 5 * MINUTE - 1;
    assert_problem("batches cannot be sent to https://127.0.0.1:1: the log says why");
    sender_figures()->last_success = w.in.now_wall;
    assert_problem(NULL);
    sender_figures()->failing = true;
    assert_problem("batches cannot be sent to https://127.0.0.1:1: the log says why");
}

static void clocks_that_differ(void **state)
{
    (void)state;
    sender_figures()->clock_skew_usec = MINUTE;
    assert_problem(NULL);
    sender_figures()->clock_skew_usec = MINUTE + 1;
    assert_problem("the clock differs from the backend's by 60 s");
    sender_figures()->clock_skew_usec = -90 * USEC_PER_SEC;
    assert_problem("the clock differs from the backend's by -90 s");
}

static void credentials_that_end(void **state)
{
    (void)state;
    KeeperStats *k = keeper_figures();
    k->certificate_not_after = w.in.now_wall + 6 * DAY;
    k->certificate_due = w.in.now_wall + 1;
    assert_problem(NULL); /* a short life, and not due yet */
    k->certificate_due = w.in.now_wall;
    assert_problem("the certificate ends in 6 days and was not renewed");
    k->certificate_not_after = w.in.now_wall + 7 * DAY;
    assert_problem(NULL);
    k->certificate_not_after = w.in.now_wall;
    assert_problem("the certificate has ended");
    k->certificate_not_after = 0; /* none */
    assert_problem(NULL);
    k->token_expiry = w.in.now_wall + 7 * DAY - 1;
    assert_problem("the token ends in 6 days and was not renewed");
    k->token_expiry = w.in.now_wall - 1;
    assert_problem("the token has ended");
}

static int64_t number_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_ptr_get(yyjson_doc_get_root(doc), pointer);
    if (!yyjson_is_int(value))
        fail_msg("%s is no number", pointer);
    return yyjson_get_sint(value);
}

/* Each figure stands under its own name. */
static void figures_stand_where_they_belong(void **state)
{
    (void)state;
    SenderStats *s = sender_figures();
    KeeperStats *k = keeper_figures();
    w.in.memory_limit = 77;
    s->sent_batches = 1;
    s->sent_bytes = 2;
    s->refused_batches = 3;
    s->failures = 4;
    s->clock_skew_usec = 5;
    s->last_success = w.in.now_wall;
    k->certificates_renewed = 6;
    k->certificate_failures = 7;
    k->tokens_renewed = 8;
    k->token_failures = 9;
    k->certificate_not_after = w.in.now_wall + 90 * DAY;
    k->certificate_due = w.in.now_wall + 50 * DAY;
    k->token_expiry = w.in.now_wall + 80 * DAY;
    append_batch();
    const struct {
        const char *pointer;
        int64_t expected;
    } figures[] = {
        {"/time", w.in.now_wall},
        {"/process/pid", getpid()},
        {"/process/started", w.in.started},
        {"/process/memory_limit", 77},
        {"/sender/last_success", w.in.now_wall},
        {"/sender/sent_batches", 1},
        {"/sender/sent_bytes", 2},
        {"/sender/refused_batches", 3},
        {"/sender/failures", 4},
        {"/sender/clock_skew_us", 5},
        {"/credentials/certificates_renewed", 6},
        {"/credentials/certificate_failures", 7},
        {"/credentials/tokens_renewed", 8},
        {"/credentials/token_failures", 9},
        {"/credentials/certificate_ends", w.in.now_wall + 90 * DAY},
        {"/credentials/certificate_due", w.in.now_wall + 50 * DAY},
        {"/credentials/token_ends", w.in.now_wall + 80 * DAY},
        {"/servers/0/spool/batches", 1},
        {"/servers/0/spool/oldest", w.in.now_wall},
        {"/servers/0/spool/dropped_batches", 0},
    };
    bool healthy;
    yyjson_doc *doc = status(&healthy);
    assert_true(healthy);
    for (size_t i = 0; i < ARRAY_LENGTH(figures); i++) {
        if (number_at(doc, figures[i].pointer) != figures[i].expected)
            fail_msg("%s is not %lld", figures[i].pointer, (long long)figures[i].expected);
    }
    assert_true(number_at(doc, "/process/resident_bytes") > 1 << 20);
    assert_true(number_at(doc, "/servers/0/spool/bytes") >= 5);
    yyjson_val *server = yyjson_ptr_get(yyjson_doc_get_root(doc), "/servers/0");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(server, "name")), "main"); /* though it has not been read yet */
    assert_true(yyjson_get_bool(yyjson_obj_get(server, "watched")));
    yyjson_doc_free(doc);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_world, teardown_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_is_well),
        TEST(a_server_that_is_away),
        TEST(a_settings_file_that_was_refused),
        TEST(threads_that_are_stuck),
        TEST(batches_that_wait_too_long),
        TEST(clocks_that_differ),
        TEST(credentials_that_end),
        TEST(figures_stand_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
