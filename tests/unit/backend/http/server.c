/* SPDX-License-Identifier: PostgreSQL */
/* A listener for tests. */
#include "tests/unit/backend/http/server.h"

#include <poll.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static HttpRequest *later[64];
static size_t later_count;
static unsigned entered;
static bool released;

static int answer_echo(HttpRequest *r, Err *reterr UNUSED)
{
    buf_append(&r->answer, r->body);
    r->content_type = "application/octet-stream";
    return HTTP_DONE;
}

static int answer_item(HttpRequest *r, Err *reterr UNUSED)
{
    const char *q = http_request_query(r, "q");
    const char *cookie = http_request_cookie(r, "session");
    buf_printf(&r->answer, "%s|%s|%s|%s", r->path_values[0].ptr, r->path_values[1].ptr, q ? q : "-",
               cookie ? cookie : "-");
    return HTTP_DONE;
}

static int answer_who(HttpRequest *r, Err *reterr UNUSED)
{
    buf_printf(&r->answer, "serial=%s name=%s fault=%s remote=%s tls=%d loopback=%d",
               r->certificate_serial ? r->certificate_serial : "-", r->certificate_name ? r->certificate_name : "-",
               r->certificate_fault ? r->certificate_fault : "-", r->remote_address, r->tls, r->remote_is_loopback);
    return HTTP_DONE;
}

static int answer_fail(HttpRequest *r, Err *reterr)
{
    buf_append_cstr(&r->answer, "half an answer");
    if (http_request_query(r, "inner"))
        return err_set(reterr, ERR_SQL, "relation \"secret\" does not exist");
    (void)err_set(reterr, ERR_UNPROCESSABLE, "interval %d is too short", 0);
    err_hint(reterr, "at least 1");
    return -1;
}

static int answer_big(HttpRequest *r, Err *reterr UNUSED)
{
    buf_append_char(&r->answer, '[');
    for (int i = 0; i < 20000; i++)
        buf_append_cstr(&r->answer, "1234567,");
    buf_append_cstr(&r->answer, "0]");
    return HTTP_DONE;
}

static int answer_later(HttpRequest *r, Err *reterr UNUSED)
{
    (void)pthread_mutex_lock(&lock);
    later[later_count++] = r;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    return HTTP_LATER;
}

HttpRequest *later_take(void)
{
    (void)pthread_mutex_lock(&lock);
    while (later_count == 0)
        (void)pthread_cond_wait(&changed, &lock);
    HttpRequest *r = later[0];
    memmove(later, later + 1, --later_count * sizeof later[0]);
    (void)pthread_mutex_unlock(&lock);
    return r;
}

static int answer_block(HttpRequest *r UNUSED, Err *reterr UNUSED)
{
    (void)pthread_mutex_lock(&lock);
    entered++;
    (void)pthread_cond_broadcast(&changed);
    while (!released)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
    return HTTP_DONE;
}

void block_wait_entered(unsigned handlers)
{
    (void)pthread_mutex_lock(&lock);
    while (entered < handlers)
        (void)pthread_cond_wait(&changed, &lock);
    (void)pthread_mutex_unlock(&lock);
}

void block_release(void)
{
    (void)pthread_mutex_lock(&lock);
    released = true;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

void block_reset(void)
{
    (void)pthread_mutex_lock(&lock);
    released = false;
    entered = 0;
    (void)pthread_mutex_unlock(&lock);
}

static int check_access(HttpRequest *r, Access access, Err *reterr)
{
    const char *authorization = http_request_header(r, "Authorization");
    if (!authorization) {
        http_request_add_header(r, "WWW-Authenticate", "Bearer");
        return err_set(reterr, ERR_UNAUTHENTICATED, "a token is required");
    }
    r->principal.role = access == ACCESS_ADMIN ? ROLE_ADMIN : ROLE_VIEWER;
    r->principal.login = arena_strdup(r->arena, authorization);
    return 0;
}

static int answer_private(HttpRequest *r, Err *reterr UNUSED)
{
    buf_printf(&r->answer, "%s as %s", r->principal.login, role_to_string(r->principal.role));
    return HTTP_DONE;
}

static const HttpRoute routes[] = {
    {HTTP_POST, "/echo", ACCESS_ANYONE, answer_echo, TEST_BODY_LIMIT, "gives the body back", false},
    {HTTP_POST, "/upload", ACCESS_ANYONE, answer_echo, 8 << 20, "gives a large body back", false},
    {HTTP_GET, "/items/{a}/{b}", ACCESS_ANYONE, answer_item, 0, "shows path, query, cookie", false},
    {HTTP_GET, "/who", ACCESS_ANYONE, answer_who, 0, "shows the client", false},
    {HTTP_GET, "/inline", ACCESS_ANYONE, answer_who, 0, "the same on the I/O thread", true},
    {HTTP_GET, "/fail", ACCESS_ANYONE, answer_fail, 0, "fails", false},
    {HTTP_GET, "/big", ACCESS_ANYONE, answer_big, 0, "a long answer", false},
    {HTTP_GET, "/later", ACCESS_ANYONE, answer_later, 0, "is answered later", false},
    {HTTP_POST, "/later", ACCESS_ANYONE, answer_later, TEST_BODY_LIMIT, "is answered later", false},
    {HTTP_GET, "/block", ACCESS_ANYONE, answer_block, 0, "holds a worker", false},
    {HTTP_GET, "/private", ACCESS_ADMIN, answer_private, 0, "needs a token", false},
};

static void start(TestServer *s, HttpListenerOptions options)
{
    options.routes = routes;
    options.route_count = ARRAY_LENGTH(routes);
    options.on_access = check_access;
    options.address = "127.0.0.1";
    Err err = ERR_INIT;
    if (http_listener_start(&s->listener, &options, &err) < 0)
        fail_msg("%s", err.detail);
    s->port = http_listener_port(s->listener);
}

void test_server_start(TestServer *s, const HttpListenerOptions *options)
{
    *s = (TestServer){0};
    block_reset();
    start(s, options ? *options : (HttpListenerOptions){0});
}

void test_server_start_tls(TestServer *s, const HttpListenerOptions *options)
{
    *s = (TestServer){0};
    block_reset();
    test_ca_init(&s->ca, "Test CA");
    test_ca_issue(&s->ca, &(TestCertOptions){.common_name = "first server", .server = true}, &s->server_cert);
    HttpListenerOptions all = options ? *options : (HttpListenerOptions){0};
    all.tls = true;
    all.certificate_pem = buf_slice(&s->server_cert.certificate_pem);
    all.key_pem = buf_slice(&s->server_cert.key_pem);
    start(s, all);
}

void test_server_stop(TestServer *s)
{
    s->listener = http_listener_free(s->listener);
    if (s->ca.key) {
        test_ca_done(&s->ca);
        test_cert_done(&s->server_cert);
    }
}

Usec soon(void)
{
    return clock_monotonic() + 80 * USEC_PER_SEC;
}

void test_server_open(const TestServer *s, Probe *p)
{
    const ProbeTls tls = {.ca_pem = buf_slice(&s->ca.pem)};
    assert_true(probe_open(p, s->port, s->ca.key ? &tls : NULL));
}

ProbeAnswer test_server_ask(const TestServer *s, const char *request)
{
    Probe p;
    ProbeAnswer answer;
    test_server_open(s, &p);
    assert_true(probe_send(&p, slice_cstr(request)));
    if (!probe_read_answer(&p, &answer, soon()))
        fail_msg("no answer to %.60s", request);
    probe_close(&p);
    return answer;
}

double test_server_metric(const TestServer *s, const char *name)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    http_listener_write_metrics(s->listener, &text);
    Slice rest = buf_slice(&text);
    while (rest.ptr) {
        Slice line = slice_split(&rest, '\n');
        if (!slice_starts_with(line, slice_cstr(name)))
            continue;
        const char *blank = memrchr(line.ptr, ' ', line.len);
        double value;
        if (blank && slice_to_double(slice_skip(line, (size_t)(blank - line.ptr) + 1), &value))
            return value;
    }
    return -1;
}

void test_server_wait_metric(const TestServer *s, const char *name, double value)
{
    Usec deadline = soon();
    while (test_server_metric(s, name) != value) {
        if (clock_monotonic() > deadline)
            fail_msg("%s is %g and not %g", name, test_server_metric(s, name), value);
        (void)poll(NULL, 0, 1);
    }
}
