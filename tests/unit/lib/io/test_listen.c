/* SPDX-License-Identifier: PostgreSQL */
/* Addresses as people write them, and sockets that listen there. */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "lib/io/listen.h"

static void reads_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host; /* NULL: not taken */
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:9187", "127.0.0.1", 9187},
        {"[::1]:80", "::1", 80},
        {":65535", "", 65535},
        {"localhost:1", "localhost", 1},
        {"::1:9187", NULL, 0},
        {"9187", NULL, 0},
        {"", NULL, 0},
        {"a:", NULL, 0},
        {"a:0", NULL, 0},
        {"a:65536", NULL, 0},
        {"[::1:80", NULL, 0},
        {"[a]:80", NULL, 0},
        {"a:80x", NULL, 0},
        {"a:-1", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char host[LISTEN_HOST_SIZE];
        uint16_t port = 0;
        bool taken = listen_parse(slice_cstr(cases[i].text), host, &port);
        if (taken != (cases[i].host != NULL))
            fail_msg("\"%s\" is %staken", cases[i].text, taken ? "" : "not ");
        if (!taken)
            continue;
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
    char host[LISTEN_HOST_SIZE], text[400];
    uint16_t port;
    memset(text, 'a', sizeof(text));
    memcpy(text + 300, ":80", 4);
    assert_false(listen_parse(slice_cstr(text), host, &port));
}

static void knows_loopback(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.8.9.10", "::1", "localhost"};
    static const char *const no[] = {"", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "fe80::1", "127.example.com"};
    for (size_t i = 0; i < ARRAY_LENGTH(yes); i++)
        assert_true(listen_host_is_loopback(yes[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(no); i++)
        assert_false(listen_host_is_loopback(no[i]));
}

static void listens_and_tells_who_has_the_port(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    _cleanup_close_ int fd = -1;
    int second = -1;
    uint16_t port = 0;
    assert_ok(listen_tcp("127.0.0.1", 0, 4, &fd, &port, &err), &err);
    assert_true(port > 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_fails(listen_tcp("127.0.0.1", port, 4, &second, NULL, &err), &err, ERR_CONFLICT, "already taken");
    assert_fails(listen_tcp("no such host.invalid", 1, 4, &second, NULL, &err), &err, ERR_CONFIG, "listen address");
    assert_fails(listen_tcp("192.0.2.1", 0, 4, &second, NULL, &err), &err, ERR_IO, "cannot listen on 192.0.2.1");
    assert_int_equal(second, -1);
    _cleanup_close_ int all = -1;
    assert_ok(listen_tcp("", 0, 4, &all, &port, &err), &err);
    assert_true(port > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_addresses),
        cmocka_unit_test(knows_loopback),
        cmocka_unit_test(listens_and_tells_who_has_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
