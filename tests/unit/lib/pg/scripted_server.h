#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A server that plays a few bytes of the protocol on a Unix socket, on a thread of its own: it answers every startup
 * packet with the same bytes, and then each message with .reply, or is silent. Real servers are in
 * tests/sql/test_pg_conn.py.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/support/unit.h"

/* AuthenticationOk, BackendKeyData, ReadyForQuery. */
static UNUSED const char welcome[] = "R\0\0\0\10\0\0\0\0"
                                     "S\0\0\0\30server_version\00015.0\0"
                                     "K\0\0\0\14\0\0\0\7\0\0\0\11"
                                     "Z\0\0\0\5I";

typedef struct ScriptedServer {
    char directory[64];
    const char *port;
    int listener;
    pthread_t thread;
    Slice answer;     /* to the startup packet; absent: none, the connection stays open and silent */
    bool leaves;      /* closes at the client's next message */
    Slice reply;      /* to each message behind the startup; absent: none */
    char asked[4096]; /* the last of these messages */
} ScriptedServer;

static inline UNUSED void scripted_send(int fd, Slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes = slice_skip(bytes, (size_t)n);
    }
}

/* One client: reads the startup packet, answers, then reads until the client leaves. */
static inline UNUSED void *scripted_serve(void *arg)
{
    ScriptedServer *s = arg;
    for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0; close(fd)) {
        if (recv(fd, s->asked, sizeof(s->asked), 0) > 0)
            scripted_send(fd, s->answer);
        while (recv(fd, s->asked, sizeof(s->asked), 0) > 0 && !s->leaves)
            scripted_send(fd, s->reply);
    }
    return NULL;
}

static inline UNUSED void scripted_server_start(ScriptedServer *s, const char *port, Slice answer, bool leaves)
{
    *s = (ScriptedServer){.directory = "/tmp/pga-connect-XXXXXX", .port = port, .answer = answer, .leaves = leaves};
    assert_non_null(mkdtemp(s->directory));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.%s", s->directory, port);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, scripted_serve, s), 0);
}

static inline UNUSED void scripted_server_stop(ScriptedServer *s)
{
    (void)shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.%s", s->directory, s->port);
    (void)unlink(path);
    (void)rmdir(s->directory);
}
