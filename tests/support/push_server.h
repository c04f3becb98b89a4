#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Starts tests/support/push_server.py with certificates made for the test, gives it scripts and reads its log. */
#include <inttypes.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "lib/io/http_client.h"
#include "lib/io/process.h"
#include "lib/json/json.h"
#include "tests/support/scratch.h"
#include "tests/support/test_ca.h"
#include "tests/support/unit.h"

typedef struct PushServer {
    Scratch scratch; /* certificates: ca.crt, other.crt, client.crt, client.key */
    pid_t pid;
    int output;
    char url[64];
    HttpClient *control;
} PushServer;

static inline UNUSED void push_server_put(const PushServer *s, const char *name, const Buf *content)
{
    Buf path = scratch_path(&s->scratch, name);
    scratch_write(buf_cstr(&path), buf_slice(content));
    buf_done(&path);
}

static inline UNUSED void push_server_make_certificates(const PushServer *s)
{
    TestCa ca, other;
    TestCert server, client;
    test_ca_init(&ca, "test CA");
    test_ca_init(&other, "another CA");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "localhost", .server = true}, &server);
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "collector"}, &client);
    push_server_put(s, "ca.crt", &ca.pem);
    push_server_put(s, "other.crt", &other.pem);
    push_server_put(s, "server.crt", &server.certificate_pem);
    push_server_put(s, "server.key", &server.key_pem);
    push_server_put(s, "client.crt", &client.certificate_pem);
    push_server_put(s, "client.key", &client.key_pem);
    Buf path = scratch_path(&s->scratch, "ca.key");
    FILE *file = fopen(buf_cstr(&path), "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, ca.key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    buf_done(&path);
    test_cert_done(&server);
    test_cert_done(&client);
    test_ca_done(&ca);
    test_ca_done(&other);
}

/* @environment: one "K=V", for example DATE_OFFSET; NULL: none. */
static inline UNUSED PushServer push_server_start(const char *environment)
{
    PushServer s = {.scratch = scratch_make_fast()};
    push_server_make_certificates(&s);
    Buf files[4];
    static const char *const names[] = {"server.crt", "server.key", "ca.crt", "ca.key"};
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        files[i] = scratch_path(&s.scratch, names[i]);
    const char *argv[] = {"/usr/bin/python3",
                          "tests/support/push_server.py",
                          buf_cstr(&files[0]),
                          buf_cstr(&files[1]),
                          buf_cstr(&files[2]),
                          buf_cstr(&files[3]),
                          NULL};
    const char *variables[] = {environment ? environment : "X=", NULL};
    const ProcessOptions options = {.argv = argv, .environment = variables, .die_with_parent = true};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    Err err = ERR_INIT;
    assert_ok(process_start(&options, ends[1], &s.pid, &err), &err);
    (void)close(ends[1]);
    s.output = ends[0];

    char line[100];
    size_t len = 0;
    while (len + 1 < sizeof(line) && read(s.output, line + len, 1) == 1 && line[len] != '\n')
        len++;
    line[len] = '\0';
    int64_t port;
    if (!slice_to_int64(slice_cstr(line), &port))
        fail_msg("the server said: %s", line);
    (void)snprintf(s.url, sizeof(s.url), "https://localhost:%d", (int)port);
    const HttpClientOptions client = {.ca_file = buf_cstr(&files[2]), .verify = true};
    assert_ok(http_client_new(&s.control, &client, &err), &err);
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        buf_done(&files[i]);
    return s;
}

static inline UNUSED void push_server_stop(PushServer *s)
{
    http_client_free(s->control);
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
    (void)close(s->output);
    scratch_remove(&s->scratch);
}

static inline UNUSED yyjson_doc *push_server_control(const PushServer *s, const char *method, const char *path,
                                                     const char *body)
{
    char url[200];
    (void)snprintf(url, sizeof(url), "%s%s", s->url, path);
    const HttpClientRequest request = {.method = method, .url = url, .body = slice_cstr(body)};
    HttpAnswer answer = HTTP_ANSWER_INIT;
    Err err = ERR_INIT;
    assert_ok(http_client_send(s->control, &request, &answer, &err), &err);
    assert_int_equal(answer.status, 200);
    yyjson_doc *doc = yyjson_read(buf_cstr(&answer.body), answer.body.len, 0);
    assert_non_null(doc);
    http_answer_done(&answer);
    return doc;
}

/* Steps as a JSON list; begins a new log. */
static inline UNUSED void push_server_script(const PushServer *s, const char *steps)
{
    yyjson_doc_free(push_server_control(s, "PUT", "/control/script", steps));
}

/* The log as a list, once it has @n entries; the caller frees the document. */
static inline UNUSED yyjson_doc *push_server_wait(const PushServer *s, size_t n)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/control/wait?n=%zu", n);
    yyjson_doc *doc = push_server_control(s, "GET", path, NULL);
    const size_t count = yyjson_arr_size(yyjson_doc_get_root(doc));
    if (count < n)
        fail_msg("%zu requests came, %zu were awaited", count, n);
    return doc;
}
