/* SPDX-License-Identifier: PostgreSQL */
/* A document of the backend with which a server's thread cannot be started: real parts and real threads, whose stacks
 * are made larger than the address space. Documents that fail at the server: tests/system/test_remote_config.py. */
#include "collector/link/remote_config.c" /* for take_document() */

#include "collector/agent/configuration.h"
#include "tests/unit/collector/settings_fixture.h"

static size_t usual_stack;
static bool passes; /* the fault is over once it was told */
static unsigned told;
static Configuration *configuration;
static Parts *parts;

static void set_stacks(size_t bytes)
{
    pthread_attr_t attr;
    assert_int_equal(pthread_getattr_default_np(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, bytes), 0);
    assert_int_equal(pthread_setattr_default_np(&attr), 0);
    assert_int_equal(pthread_attr_destroy(&attr), 0);
}

static void see_line(void *arg, LogLevel level, Slice line)
{
    (void)arg, (void)level;
    if (slice_find(line, SLICE_LIT("server cannot be watched")) < 0)
        return;
    told++;
    if (passes)
        set_stacks(usual_stack);
}

static void note_document(void *arg)
{
    (void)arg;
}

static int setup_parts(void **state)
{
    (void)setup(state);
    pthread_attr_t attr;
    assert_int_equal(pthread_getattr_default_np(&attr), 0);
    assert_int_equal(pthread_attr_getstacksize(&attr, &usual_stack), 0);
    assert_int_equal(pthread_attr_destroy(&attr), 0);
    told = 0;
    log_capture(see_line, NULL);

    static char path[300];
    _cleanup_buf_ Buf text = BUF_INIT;
    (void)snprintf(path, sizeof(path), "%s/c.toml", scratch.path);
    buf_printf(&text,
               "[collector]\nid = \"c\"\nstate_dir = \"%s\"\ninterval = 60\n[backend]\nurl = \"https://127.0.0.1:1\"\n"
               "[security]\njwt_token = \"x\"\n[[postgres]]\nname = \"main\"\nhost = \"127.0.0.1\"\nport = 1\n",
               scratch.path);
    scratch_write(path, buf_slice(&text));
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    configuration = configuration_open(path, note_document, NULL, diags);
    if (!configuration)
        conf_diags_print_file(diags, stderr);
    assert_non_null(configuration);
    parts = parts_new(configuration_initial(configuration), configuration_remote(configuration));
    Err err = ERR_INIT;
    assert_ok(parts_start(parts, &err), &err);
    assert_int_equal(parts_target_count(parts), 1);

    HttpAnswer a = HTTP_ANSWER_INIT;
    a.status = 200;
    set_text(a.etag, sizeof(a.etag), "\"1-aa\"");
    buf_append_cstr(&a.body, "[collector]\ninterval = 30\n");
    assert_true(take_document(configuration_remote(configuration), &a));
    http_answer_done(&a);
    return 0;
}

static int teardown_parts(void **state)
{
    set_stacks(usual_stack);
    parts = parts_free(parts);
    configuration = configuration_free(configuration);
    log_capture(NULL, NULL);
    return teardown(state);
}

static Usec interval_in_force(void)
{
    return settings_get(parts_settings(parts))->interval;
}

static void assert_refused(void)
{
    const RemoteConfig *c = configuration_remote(configuration);
    assert_false(configuration_is_trying(configuration));
    assert_int_equal(c->refused, 1);
    assert_string_equal(c->reason, "a server could not be watched with it: the collector's log says why");
    assert_true(interval_in_force() == 60 * USEC_PER_SEC);
}

static void a_server_that_cannot_be_started_rolls_it_back(void **state)
{
    (void)state;
    passes = true;
    set_stacks((size_t)1 << 50);
    configuration_try(configuration, parts);
    assert_int_equal(told, 1);
    assert_refused();
    assert_int_equal(parts_target_count(parts), 1); /* as before */
}

static void what_cannot_be_started_either_way_is_at_the_next_reload(void **state)
{
    (void)state;
    passes = false;
    set_stacks((size_t)1 << 50);
    configuration_try(configuration, parts);
    assert_int_equal(told, 2); /* with it, and without it */
    assert_refused();
    assert_int_equal(parts_target_count(parts), 0);
    set_stacks(usual_stack);
    configuration_reload(configuration, parts);
    assert_int_equal(parts_target_count(parts), 1);
}

static void one_that_can_be_started_is_tried(void **state)
{
    (void)state;
    configuration_try(configuration, parts);
    assert_int_equal(told, 0);
    assert_true(configuration_is_trying(configuration)); /* until the server was looked at */
    assert_true(interval_in_force() == 30 * USEC_PER_SEC);
    assert_int_equal(parts_target_count(parts), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_parts, teardown_parts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_cannot_be_started_rolls_it_back),
        TEST(what_cannot_be_started_either_way_is_at_the_next_reload),
        TEST(one_that_can_be_started_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
