/* SPDX-License-Identifier: PostgreSQL */
/* Exchanges: their life, their two ends (answered, expired), and the way of an answer into libmicrohttpd. */
#include "backend/http/exchange.h"

#include <assert.h>
#include <stdio.h>

#include "backend/http/answer.h"
#include "lib/base/log.h"
#include "lib/base/random.h"

enum { REQUEST_ID_BYTES = 8 };

static const char *make_request_id(Arena *arena)
{
    uint8_t bytes[REQUEST_ID_BYTES];
    random_bytes(bytes, sizeof bytes);
    char *text = arena_alloc(arena, REQUEST_ID_BYTES * 2 + 1);
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++)
        (void)snprintf(text + i * 2, 3, "%02x", bytes[i]);
    return text;
}

HttpExchange *http_exchange_new(HttpConnection *c, const char *target)
{
    HttpListener *l = c->listener;
    HttpExchange *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    Arena *arena = arena_new(0);
    http_request_init(&x->request, arena);
    x->request.backend = l->options.backend;
    x->request.request_id = make_request_id(arena);
    x->request.exchange = x;
    x->listener = l;
    x->connection = c;
    x->started = clock_monotonic();
    x->route_index = l->options.route_count;
    x->target = arena_dup(arena, slice_cstr(target));
    atomic_store(&x->holders, 1);
    (void)pthread_mutex_lock(&l->counts_lock);
    l->in_flight++;
    l->alive++;
    (void)pthread_mutex_unlock(&l->counts_lock);
    gauge_add(http_metrics_in_flight(l->metrics), 1);
    c->exchange = x;
    return x;
}

static void count_down(HttpListener *l, size_t *count)
{
    (void)pthread_mutex_lock(&l->counts_lock);
    if (--*count == 0)
        (void)pthread_cond_broadcast(&l->counts_changed);
    (void)pthread_mutex_unlock(&l->counts_lock);
}

void http_exchange_unref(HttpExchange *x)
{
    if (atomic_fetch_sub(&x->holders, 1) != 1)
        return;
    HttpListener *l = x->listener;
    atomic_fetch_sub(&l->body_bytes, x->body.len);
    gauge_add(http_metrics_body_bytes(l->metrics), -(int64_t)x->body.len);
    buf_done(&x->body);
    buf_done(&x->expired_answer);
    Arena *arena = x->request.arena;
    http_request_done(&x->request);
    (void)arena_free(arena);
    free(x);
    count_down(l, &l->alive); /* last: the listener may be freed from here on */
}

bool http_exchange_suspend(HttpExchange *x)
{
    HttpListener *l = x->listener;
    (void)pthread_mutex_lock(&l->pending_lock);
    bool open = !l->closing;
    if (open) {
        atomic_fetch_add(&x->holders, 1); /* the handler's side */
        x->pending_next = l->pending;
        if (x->pending_next)
            x->pending_next->pending_previous = x;
        l->pending = x;
        x->stage = HTTP_STAGE_PENDING;
        http_connection_set_phase(x->connection, HTTP_PHASE_PENDING, USEC_NEVER);
        MHD_suspend_connection(x->connection->handle);
    }
    (void)pthread_mutex_unlock(&l->pending_lock);
    return open;
}

void http_exchange_deliver(HttpExchange *x)
{
    HttpListener *l = x->listener;
    (void)pthread_mutex_lock(&l->pending_lock);
    bool first = x->outcome == HTTP_OUTCOME_NONE;
    if (first) {
        x->outcome = HTTP_OUTCOME_ANSWERED;
        MHD_resume_connection(x->connection->handle);
    }
    (void)pthread_mutex_unlock(&l->pending_lock);
    if (!first)
        http_metrics_count(l->metrics, HTTP_EVENT_LATE_ANSWER);
    http_exchange_unref(x);
}

bool http_exchange_is_expired(HttpExchange *x)
{
    (void)pthread_mutex_lock(&x->listener->pending_lock);
    bool expired = x->outcome == HTTP_OUTCOME_EXPIRED;
    (void)pthread_mutex_unlock(&x->listener->pending_lock);
    return expired;
}

void http_exchange_take_outcome(HttpExchange *x)
{
    HttpListener *l = x->listener;
    (void)pthread_mutex_lock(&l->pending_lock);
    assert(x->outcome != HTTP_OUTCOME_NONE);
    if (x->pending_previous)
        x->pending_previous->pending_next = x->pending_next;
    else
        l->pending = x->pending_next;
    if (x->pending_next)
        x->pending_next->pending_previous = x->pending_previous;
    (void)pthread_mutex_unlock(&l->pending_lock);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        log_debug("a header of an answer was refused", log_str("name", name));
}

static void add_common_headers(const HttpExchange *x, struct MHD_Response *response)
{
    const HttpField *field = http_answer_security_headers;
    if (!x->request.tls || !x->listener->options.hsts)
        field++;
    for (; field->name; field++)
        add_header(response, field->name, field->value);
    add_header(response, "X-Request-Id", x->request.request_id);
    if (x->listener->options.cors_origins)
        add_header(response, "Vary", "Origin");
    if (x->allowed_origin) {
        add_header(response, "Access-Control-Allow-Origin", x->allowed_origin);
        add_header(response, "Access-Control-Expose-Headers", "ETag, Retry-After, X-Request-Id");
    }
    if (x->close || atomic_load(&x->listener->draining))
        add_header(response, "Connection", "close");
}

static enum MHD_Result queue(HttpExchange *x, int status, const char *content_type, Slice body,
                             const HttpFieldVec *headers)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    add_common_headers(x, response);
    if (content_type && status != 204 && status != 304)
        add_header(response, "Content-Type", content_type);
    for (size_t i = 0; headers && i < headers->len; i++)
        add_header(response, headers->items[i].name, headers->items[i].value);

    x->stage = HTTP_STAGE_SENDING;
    x->sent_status = status;
    http_connection_set_phase(x->connection, HTTP_PHASE_SEND, clock_monotonic() + x->listener->options.send_timeout);
    enum MHD_Result r = MHD_queue_response(x->connection->handle, (unsigned)status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result send_expired(HttpExchange *x)
{
    static HttpField items[] = {{"Retry-After", "5"}, {"Cache-Control", "no-store"}};
    const HttpFieldVec headers = {.items = items, .len = ARRAY_LENGTH(items)};
    Err err = ERR_INIT;
    (void)err_set(&err, ERR_UNAVAILABLE, "no answer within the time allowed");
    http_answer_write_error(&err, x->request.request_id, &x->expired_answer);
    return queue(x, err_code_http_status(err.code), "application/json", buf_slice(&x->expired_answer), &headers);
}

enum MHD_Result http_exchange_send(HttpExchange *x)
{
    if (x->outcome == HTTP_OUTCOME_EXPIRED) /* set before the resume, so visible here */
        return send_expired(x);
    const HttpRequest *r = &x->request;
    Slice body = r->static_answer.ptr ? r->static_answer : buf_slice(&r->answer);
    return queue(x, r->status, r->content_type, body, &r->answer_headers);
}

enum MHD_Result http_exchange_refuse(HttpExchange *x, const Err *err)
{
    if (x->has_body && !x->body_done)
        x->close = true; /* where the next request begins is not known */
    http_answer_compose(&x->request, -1, err);
    log_debug("request refused", log_str("request_id", x->request.request_id), log_error_field(err));
    return http_exchange_send(x);
}

static void log_exchange(const HttpExchange *x, Usec duration)
{
    const HttpRequest *r = &x->request;
    log_debug("request", log_str("method", http_method_to_string(r->method)), log_slice("path", r->path),
              log_int("status", x->sent_status), log_number("ms", (double)duration / (double)USEC_PER_MSEC),
              log_int("bytes_in", (int64_t)x->body_seen), log_str("remote", r->remote_address),
              log_str("request_id", r->request_id));
}

void http_exchange_complete(HttpExchange *x)
{
    HttpListener *l = x->listener;
    HttpConnection *c = x->connection;
    Usec now = clock_monotonic();
    if (x->stage == HTTP_STAGE_PENDING)
        http_exchange_take_outcome(x); /* resumed, but the client had left: the answer was not asked for */
    if (x->sent_status > 0)
        http_metrics_observe(l->metrics, x->route_index, x->sent_status, now - x->started);
    log_exchange(x, now - x->started);
    if (x->has_body && !x->body_done && x->sent_status > 0)
        http_watchdog_linger(l, c->fd);

    c->exchange = NULL;
    http_connection_set_phase(c, HTTP_PHASE_IDLE, now + l->options.idle_timeout);
    x->connection = NULL;
    gauge_add(http_metrics_in_flight(l->metrics), -1);
    count_down(l, &l->in_flight);
    http_exchange_unref(x);
}

void http_request_finish(HttpRequest *r, int result, const Err *err)
{
    assert(result != HTTP_LATER);
    if (result < 0 && err && err_code_http_status(err->code) == 500)
        log_warn("request failed", log_str("request_id", r->request_id),
                 log_str("route", r->route ? r->route->pattern : ""), log_error_field(err));
    else if (result < 0 && err)
        log_debug("request refused", log_str("request_id", r->request_id), log_error_field(err));

    http_answer_compose(r, result, err);
    if (r->exchange)
        http_exchange_deliver(r->exchange);
}
