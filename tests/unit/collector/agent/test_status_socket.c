/* SPDX-License-Identifier: PostgreSQL */
/* The socket that "pganalytics status" asks: who may, what an answer is, what a socket left behind means. */
#include "collector/agent/status_socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/scratch.h"
#include "tests/support/unit.h"

enum { LARGE = 3 << 20 };

static Scratch scratch;
static int listener = -1;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    Err err = ERR_INIT;
    assert_ok(status_socket_listen(scratch.path, &listener, &err), &err);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    closep(&listener);
    listener = -1;
    scratch_remove(&scratch);
    return 0;
}

/* Answers one question with @arg, a Slice. */
static void *answer(void *arg)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    status_socket_answer(listener, *(Slice *)arg);
    return NULL;
}

static void assert_answered(Slice text)
{
    pthread_t thread;
    _cleanup_buf_ Buf got = BUF_INIT;
    Err err = ERR_INIT;
    assert_int_equal(pthread_create(&thread, NULL, answer, &text), 0);
    assert_ok(status_socket_ask(scratch.path, 20 * USEC_PER_SEC, &got, &err), &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(got.len, text.len);
    assert_memory_equal(buf_cstr(&got), text.ptr, text.len);
}

static void whoever_asks_gets_the_text(void **state)
{
    (void)state;
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    assert_answered(SLICE_LIT("{}"));
    assert_answered(slice_from(large, LARGE)); /* many times what a socket holds */
    free(large);
}

/* Not for ever: whoever asks has a bound, too. */
static void too_long_an_answer_is_refused(void **state)
{
    (void)state;
    char *large = calloc(1, STATUS_TEXT_MAX + (1 << 20));
    assert_non_null(large);
    Slice text = slice_from(large, STATUS_TEXT_MAX + (1 << 20));
    pthread_t thread;
    _cleanup_buf_ Buf got = BUF_INIT;
    Err err = ERR_INIT;
    assert_int_equal(pthread_create(&thread, NULL, answer, &text), 0);
    assert_fails(status_socket_ask(scratch.path, 20 * USEC_PER_SEC, &got, &err), &err, ERR_TOO_LARGE, "more than");
    assert_int_equal(pthread_join(thread, NULL), 0);
    free(large);
}

static void only_the_owner_may_ask(void **state)
{
    (void)state;
    Buf path = scratch_path(&scratch, "status.sock");
    struct stat status;
    assert_int_equal(stat(buf_cstr(&path), &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    buf_done(&path);
}

static void what_a_killed_one_left_is_replaced(void **state)
{
    (void)state;
    closep(&listener); /* as when it was killed: the name stays */
    Err err = ERR_INIT;
    _cleanup_buf_ Buf got = BUF_INIT;
    assert_fails(status_socket_ask(scratch.path, USEC_PER_SEC, &got, &err), &err, ERR_CONNECT, "no collector runs");
    assert_ok(status_socket_listen(scratch.path, &listener, &err), &err);
    assert_answered(SLICE_LIT("again"));
    status_socket_remove(scratch.path);
    assert_fails(status_socket_ask(scratch.path, USEC_PER_SEC, &got, &err), &err, ERR_CONNECT, "no collector runs");
}

static void one_that_does_not_answer_is_told(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    _cleanup_buf_ Buf got = BUF_INIT;
    assert_fails(status_socket_ask(scratch.path, USEC_PER_SEC / 20, &got, &err), &err, ERR_TIMEOUT, "does not answer");
}

static void who_does_not_read_is_left(void **state)
{
    (void)state;
    char *large = calloc(1, LARGE);
    assert_non_null(large);
    _cleanup_buf_ Buf path = scratch_path(&scratch, "status.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", buf_cstr(&path));
    _cleanup_close_ int lazy = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(lazy, (const struct sockaddr *)&address, sizeof(address)), 0);
    const Usec before = clock_monotonic();
    status_socket_answer(listener, slice_from(large, LARGE));
    assert_in_range(clock_monotonic() - before, 2 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    free(large);
    assert_answered(SLICE_LIT("the next one"));
}

static void nobody_waiting_costs_nothing(void **state)
{
    (void)state;
    const Usec before = clock_monotonic();
    status_socket_answer(listener, SLICE_LIT("x"));
    assert_true(clock_monotonic() - before < USEC_PER_SEC);
}

static void a_place_that_is_none_is_named(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    int fd = -1;
    assert_fails(status_socket_listen("/nonexistent/state", &fd, &err), &err, ERR_CONNECT, "/nonexistent/state");
    assert_int_equal(fd, -1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whoever_asks_gets_the_text),       TEST(too_long_an_answer_is_refused),
        TEST(only_the_owner_may_ask),           TEST(what_a_killed_one_left_is_replaced),
        TEST(one_that_does_not_answer_is_told), TEST(who_does_not_read_is_left),
        TEST(nobody_waiting_costs_nothing),     TEST(a_place_that_is_none_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
