/* SPDX-License-Identifier: PostgreSQL */
/* The states of a configuration: asked for, tried, kept or given up; and what is left of it on disk. No network:
 * answers are handed in. */
#include "collector/link/remote_config.c"

#include "tests/support/scratch.h"
#include "tests/support/unit.h"

static Scratch scratch;
static unsigned told;

static void note_document(void *arg UNUSED)
{
    told++;
}

static int setup(void **state UNUSED)
{
    scratch = scratch_make(NULL);
    told = 0;
    return 0;
}

static int teardown(void **state UNUSED)
{
    scratch_remove(&scratch);
    return 0;
}

static RemoteConfig *make(void)
{
    _cleanup_buf_ Buf directory = scratch_path(&scratch, "");
    RemoteConfig *c = remote_config_new(buf_cstr(&directory), note_document, NULL);
    assert_int_equal(remote_config_load(c, NULL), 0);
    return c;
}

static bool answer(RemoteConfig *c, const char *etag, const char *text)
{
    HttpAnswer a = HTTP_ANSWER_INIT;
    a.status = 200;
    set_text(a.etag, sizeof(a.etag), etag);
    buf_append_cstr(&a.body, text);
    bool taken = take_document(c, &a);
    http_answer_done(&a);
    return taken;
}

static void assert_current(RemoteConfig *c, int64_t version, const char *text)
{
    _cleanup_buf_ Buf current = BUF_INIT;
    assert_int_equal(remote_config_current(c, &current), version);
    assert_string_equal(buf_cstr(&current), text);
}

static void assert_question(RemoteConfig *c, const char *query, const char *tag)
{
    _cleanup_buf_ Buf url = BUF_INIT, header = BUF_INIT;
    const RemoteAsk ask = {.api_url = "u", .collector_id = "c"};
    write_question(c, &ask, &url, &header);
    assert_string_equal(buf_cstr(&url) + strlen("u/api/v1/config/c?"), query);
    assert_string_equal(buf_cstr(&header), tag);
}

static void a_good_one_is_kept_over_a_restart(void **state UNUSED)
{
    RemoteConfig *c = make();
    assert_current(c, 0, "");
    assert_question(c, "applied=0", "");
    assert_true(answer(c, "\"1-aa\"", "[collector]\n"));
    assert_int_equal(told, 1);
    assert_true(remote_config_try(c));
    assert_current(c, 1, "[collector]\n");
    assert_question(c, "applied=0", "If-None-Match: \"1-aa\"");
    remote_config_accept(c);
    assert_question(c, "applied=1", "If-None-Match: \"1-aa\"");
    assert_false(remote_config_try(c));
    remote_config_free(c);

    c = make();
    assert_current(c, 1, "[collector]\n");
    assert_question(c, "applied=1", "If-None-Match: \"1-aa\"");
    assert_true(answer(c, "\"0\"", ""));
    assert_true(remote_config_try(c));
    remote_config_accept(c);
    assert_current(c, 0, "");
    assert_false(file_exists(c->good_path));
    remote_config_free(c);
}

static void one_that_cannot_run_is_given_up_and_tried_again_when_asked(void **state UNUSED)
{
    RemoteConfig *c = make();
    assert_true(answer(c, "\"1-aa\"", "a"));
    assert_true(remote_config_try(c));
    remote_config_accept(c);
    assert_true(answer(c, "W/\"2-bb\"", "b"));
    assert_true(remote_config_try(c));
    assert_true(file_exists(c->trial_path));
    remote_config_refuse(c, "line 2: 50% \xc3\xa4");
    assert_false(file_exists(c->trial_path));
    assert_current(c, 1, "a");
    assert_question(c, "applied=1&refused=2&reason=line%202%3A%2050%25%20%C3%A4", "If-None-Match: \"2-bb\"");
    remote_config_retry(c);
    assert_question(c, "applied=1", "If-None-Match: \"1-aa\"");
    remote_config_free(c);
}

static void one_that_ends_the_collector_is_tried_three_times(void **state UNUSED)
{
    for (unsigned i = 1; i <= TRIALS_MAX; i++) {
        RemoteConfig *c = make();
        assert_true(answer(c, "\"1-aa\"", "a"));
        assert_true(remote_config_try(c));
        c->in_trial = false; /* as if it was killed: the mark stays */
        remote_config_free(c);
    }
    RemoteConfig *c = make();
    assert_true(answer(c, "\"1-aa\"", "a"));
    assert_false(remote_config_try(c));
    assert_current(c, 0, "");
    assert_true(strstr(c->reason, "three times") != NULL && c->refused == 1);
    assert_true(answer(c, "\"2-bb\"", "b"));
    assert_true(remote_config_try(c));
    remote_config_free(c); /* told to end: no mark stays */
    c = make();
    assert_int_equal(c->tried, 0);
    remote_config_free(c);
}

static void when_to_ask(void **state UNUSED)
{
    RemoteConfig *c = make();
    const Usec second = USEC_PER_SEC;
    assert_true(remote_config_is_due(c, second, -1));
    c->report_due = false;
    c->asked_at = 10 * second;
    c->ask_at = 300 * second;
    assert_false(remote_config_is_due(c, 20 * second, -1));
    assert_false(remote_config_is_due(c, 20 * second, 0));
    assert_true(remote_config_is_due(c, 20 * second, 3));
    assert_false(remote_config_is_due(c, 11 * second, 3)); /* was asked a second ago */
    assert_true(remote_config_is_due(c, 300 * second, 0));
    c->backoff.attempt = 1; /* a failure is waited out, whatever is announced */
    assert_false(remote_config_is_due(c, 20 * second, 3));
    remote_config_free(c);
}

static void strangers_are_not_believed(void **state UNUSED)
{
    RemoteConfig *c = make();
    static const char *const TAGS[] = {"", "\"\"", "1-aa", "\"1 aa\"", "\"1\"aa\""};
    for (size_t i = 0; i < ARRAY_LENGTH(TAGS); i++)
        assert_false(answer(c, TAGS[i], "<html>"));
    assert_int_equal(told, 0);
    assert_int_equal(file_write_atomic(c->good_path, 0600, SLICE_LIT("<html>\n"), NULL), 0);
    Err err = ERR_INIT;
    assert_true(remote_config_load(c, &err) < 0);
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_current(c, 0, "");
    remote_config_free(c);
}

#define REMOTE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REMOTE_TEST(a_good_one_is_kept_over_a_restart),
        REMOTE_TEST(one_that_cannot_run_is_given_up_and_tried_again_when_asked),
        REMOTE_TEST(one_that_ends_the_collector_is_tried_three_times),
        REMOTE_TEST(when_to_ask),
        REMOTE_TEST(strangers_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
