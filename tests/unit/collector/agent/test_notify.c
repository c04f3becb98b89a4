/* SPDX-License-Identifier: PostgreSQL */
#include "collector/agent/notify.h"

#include <dirent.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/support/scratch.h"
#include "tests/support/unit.h"

static int listen_at(const char *path, socklen_t path_len)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(path_len < sizeof(address.sun_path));
    memcpy(address.sun_path, path, path_len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t len = (socklen_t)offsetof(struct sockaddr_un, sun_path) + path_len;
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    return fd;
}

static void expect_ready(int fd)
{
    char text[64] = "";
    notify_service_manager("READY=1");
    assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), strlen("READY=1"));
    assert_string_equal(text, "READY=1");
}

static void the_manager_is_told_at_a_path_and_at_an_abstract_name(void **state)
{
    (void)state;
    Scratch scratch = scratch_make(NULL);
    _cleanup_buf_ Buf path = scratch_path(&scratch, "notify");
    _cleanup_close_ int by_path = listen_at(buf_cstr(&path), (socklen_t)path.len);
    setenv("NOTIFY_SOCKET", buf_cstr(&path), 1);
    expect_ready(by_path);

    char name[80];
    int len = snprintf(name, sizeof(name), "@pga-test-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    _cleanup_close_ int by_name = listen_at(name, (socklen_t)len);
    expect_ready(by_name);
    scratch_remove(&scratch);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void telling_costs_no_descriptor(void **state)
{
    (void)state;
    char name[80];
    int len = snprintf(name, sizeof(name), "@pga-test-leak-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    _cleanup_close_ int manager = listen_at(name, (socklen_t)len);
    const size_t before = open_descriptors();
    expect_ready(manager);
    assert_int_equal(open_descriptors(), before);
}

/* Whose queue is full: it is left alone after a second. Without that this test does not end. */
static void a_manager_that_does_not_read_does_not_stop_us(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len = snprintf(address.sun_path, sizeof(address.sun_path), "@pga-test-full-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    address.sun_path[0] = '\0';
    _cleanup_close_ int manager = listen_at(address.sun_path, (socklen_t)len);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len);
    /* What one sender may have on its way is bounded, too: the queue is full when a fresh one cannot add to it. */
    for (bool full = false; !full;) {
        _cleanup_close_ int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        full = sendto(other, "x", 1, 0, (const struct sockaddr *)&address, size) != 1;
        while (sendto(other, "x", 1, 0, (const struct sockaddr *)&address, size) == 1)
            continue;
    }
    notify_service_manager("READY=1");
    char text[64];
    for (ssize_t n; (n = recv(manager, text, sizeof(text), 0)) > 0;)
        assert_int_equal(n, 1); /* it was not told */
}

static void nobody_to_tell_is_no_fault(void **state)
{
    (void)state;
    char long_path[300];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    const char *const places[] = {"/nowhere/notify", "relative", "", long_path};
    unsetenv("NOTIFY_SOCKET");
    notify_service_manager("READY=1");
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++) {
        setenv("NOTIFY_SOCKET", places[i], 1);
        notify_service_manager("READY=1");
    }
}

static void the_watchdog_is_fed_when_it_is_ours(void **state)
{
    (void)state;
    char own[24], other[24];
    (void)snprintf(own, sizeof(own), "%d", (int)getpid());
    (void)snprintf(other, sizeof(other), "%d", (int)getpid() + 1);
    const struct {
        const char *socket, *usec, *pid;
        Usec expected;
    } cases[] = {
        {"/n", "30000000", own, 15 * USEC_PER_SEC},
        {"/n", "30000000", NULL, 15 * USEC_PER_SEC},
        {"/n", "30000000", other, 0},
        {"/n", NULL, own, 0},
        {"/n", "-5", own, 0},
        {"/n", "rubbish", own, 0},
        {NULL, "30000000", own, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        unsetenv("WATCHDOG_PID");
        if (cases[i].socket)
            setenv("NOTIFY_SOCKET", cases[i].socket, 1);
        if (cases[i].usec)
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        if (cases[i].pid)
            setenv("WATCHDOG_PID", cases[i].pid, 1);
        assert_int_equal(notify_watchdog_interval(), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_at_a_path_and_at_an_abstract_name),
        cmocka_unit_test(telling_costs_no_descriptor),
        cmocka_unit_test(a_manager_that_does_not_read_does_not_stop_us),
        cmocka_unit_test(nobody_to_tell_is_no_fault),
        cmocka_unit_test(the_watchdog_is_fed_when_it_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
