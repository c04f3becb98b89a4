/* SPDX-License-Identifier: PostgreSQL */
/*
 * Intake: from libmicrohttpd's calls to a whole request, on I/O threads. The first call has the head: everything that
 * can be refused is refused there, before the body is read. Then come pieces of the body, then one call without, then,
 * after a suspension, one more.
 */
#include "backend/http/exchange.h"

#include <stdio.h>
#include <strings.h>

#include "backend/http/answer.h"
#include "backend/http/framing.h"
#include "backend/http/target.h"
#include "lib/base/log.h"

enum { HEADERS_MAX = 100 };
/* How much of a body is read and dropped, beyond its limit, before the connection is cut. */
enum { DISCARD_MAX = 16 << 20 };

void *http_intake_on_target(void *cls, const char *target, struct MHD_Connection *handle)
{
    HttpListener *l = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    HttpConnection *c = info ? info->socket_context : NULL;
    if (!c)
        return NULL;
    if (c->exchange)
        http_exchange_complete(c->exchange);
    HttpExchange *x = http_exchange_new(c, target);
    x->target_address = (uintptr_t)target;
    http_connection_set_phase(c, HTTP_PHASE_HEAD, x->started + l->options.head_timeout);
    return x;
}

/*
 * libmicrohttpd before 1.0 takes a line that begins with ':' for the end of the head, and joins folded lines into other
 * names. Both let a client slip a second request past a proxy that reads the head rightly, and neither is reported. But
 * names and values are left where they came in, so the bytes between them tell: between two fields there is a line end
 * and nothing else. Addresses are compared, nothing is read through them.
 */
static const bool library_hides_lines = MHD_VERSION < 0x01000000;
enum { LINE_END_MAX = 2 };

typedef struct HeaderCopy {
    HttpRequest *request;
    bool too_many;
    bool has_nul;
    bool has_gap;
    uintptr_t previous_end;
} HeaderCopy;

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind UNUSED, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
    HeaderCopy *copy = cls;
    HttpRequest *r = copy->request;
    if (r->headers.len == HEADERS_MAX) {
        copy->too_many = true;
        return MHD_NO;
    }
    copy->has_gap = copy->has_gap || (uintptr_t)name - copy->previous_end > LINE_END_MAX;
    copy->previous_end = value ? (uintptr_t)value + value_size : (uintptr_t)name + name_size + 1;

    Slice name_text = slice_from(name ? name : "", name ? name_size : 0);
    Slice value_text = slice_from(value ? value : "", value ? value_size : 0);
    copy->has_nul =
        copy->has_nul || memchr(name_text.ptr, '\0', name_text.len) || memchr(value_text.ptr, '\0', value_text.len);
    HttpField field = {.name = arena_dup(r->arena, name_text).ptr, .value = arena_dup(r->arena, value_text).ptr};
    (void)http_field_vec_push(&r->headers, field);
    return MHD_YES;
}

/* True when nothing but the empty line stands between the last field and the end of the head. */
static bool ends_with_empty_line(const HttpExchange *x, const char *method, uintptr_t last_end)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection->handle, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!info)
        return false;
    uintptr_t head_end = x->target_address - strlen(method) - 1 + info->header_size;
    return head_end - last_end <= 2 * LINE_END_MAX;
}

static int take_headers(HttpExchange *x, const char *method, const char *version, Err *reterr)
{
    HeaderCopy copy = {.request = &x->request, .previous_end = x->target_address + x->target.len + 1 + strlen(version)};
    (void)MHD_get_connection_values_n(x->connection->handle, MHD_HEADER_KIND, copy_header, &copy);
    if (copy.too_many)
        return err_set(reterr, ERR_HEADER_TOO_LARGE, "more than %d header fields", HEADERS_MAX);
    if (copy.has_nul)
        return err_set(reterr, ERR_FRAMING, "a header field has a NUL byte");
    if (library_hides_lines && (copy.has_gap || !ends_with_empty_line(x, method, copy.previous_end)))
        return err_set(reterr, ERR_FRAMING, "a header line is folded or has no name");
    return 0;
}

static bool method_from_string(const char *text, HttpMethod *ret)
{
    for (HttpMethod m = HTTP_GET; m < _HTTP_METHOD_MAX; m++) {
        if (strcmp(text, http_method_to_string(m)) == 0) {
            *ret = m;
            return true;
        }
    }
    return false;
}

/* The answer to an OPTIONS request: what there is, and to the permitted origins what they may send. */
static int answer_options(HttpExchange *x, unsigned allowed)
{
    HttpRequest *r = &x->request;
    _cleanup_buf_ Buf methods = BUF_INIT;
    http_router_write_allowed(allowed, &methods);
    http_request_add_header(r, "Allow", buf_cstr(&methods));
    if (x->allowed_origin) {
        http_request_add_header(r, "Access-Control-Allow-Methods", buf_cstr(&methods));
        http_request_add_header(r, "Access-Control-Allow-Headers",
                                "Authorization, Content-Type, Content-Encoding, If-None-Match, X-CSRF-Token");
        http_request_add_header(r, "Access-Control-Max-Age", "600");
    }
    r->status = 204;
    r->content_type = NULL;
    return 0;
}

enum { ROUTE_FOUND, ROUTE_ANSWERED };

static int find_route(HttpExchange *x, const char *method, Err *reterr)
{
    HttpRequest *r = &x->request;
    r->head = strcmp(method, "HEAD") == 0;
    bool options = strcmp(method, "OPTIONS") == 0;
    bool known = r->head || method_from_string(method, &r->method); /* HEAD stays HTTP_GET */

    HttpMatch match;
    int found =
        http_router_match(x->listener->router, known ? r->method : _HTTP_METHOD_MAX, r->path, r->arena, &match, reterr);
    if (found < 0)
        return found;
    if (found == HTTP_ROUTER_NO_PATH)
        return err_set(reterr, ERR_NOT_FOUND, "there is nothing at this path");
    if (options)
        return answer_options(x, match.allowed), ROUTE_ANSWERED;
    if (found == HTTP_ROUTER_NO_METHOD) {
        _cleanup_buf_ Buf methods = BUF_INIT;
        http_router_write_allowed(match.allowed, &methods);
        http_request_add_header(r, "Allow", buf_cstr(&methods));
        return err_set(reterr, ERR_METHOD_NOT_ALLOWED, "this path answers %s only", buf_cstr(&methods));
    }
    r->route = match.route;
    x->route_index = match.index;
    memcpy(r->path_values, match.path_values, sizeof r->path_values);
    return ROUTE_FOUND;
}

static int refuse_too_large(HttpExchange *x, Err *reterr)
{
    http_metrics_count(x->listener->metrics, HTTP_EVENT_TOO_LARGE);
    size_t limit = x->request.route ? x->request.route->body_limit : 0;
    if (limit == 0)
        return err_set(reterr, ERR_TOO_LARGE, "no request body is expected here");
    return err_set(reterr, ERR_TOO_LARGE, "the request body is larger than %zu bytes", limit);
}

static int refuse_busy(HttpExchange *x, const char *what, Err *reterr)
{
    http_metrics_count(x->listener->metrics, HTTP_EVENT_BUSY);
    http_request_add_header(&x->request, "Retry-After", "1");
    return err_set(reterr, ERR_TOO_MANY_REQUESTS, "%s", what);
}

/* All that is known from the head. ROUTE_ANSWERED: the answer stands in the request already. */
static int check_head(HttpExchange *x, const char *method, const char *version, Err *reterr)
{
    HttpRequest *r = &x->request;
    HttpFraming framing = {0};
    int result = take_headers(x, method, version, reterr);
    x->has_body = true; /* until the framing says otherwise: a refusal then ends the connection */
    if (result == 0)
        result = http_framing_check(&r->headers, version, &framing, reterr);
    if (result < 0) {
        http_metrics_count(x->listener->metrics, HTTP_EVENT_FRAMING);
        return result;
    }
    x->has_body = framing.chunked || framing.length > 0;

    http_connection_describe(x);
    x->allowed_origin =
        http_answer_allowed_origin(x->listener->options.cors_origins, http_request_header(r, "Origin"), r->arena);
    result = http_target_parse(x->target, r->arena, &r->path, &r->query, reterr);
    if (result == 0)
        result = find_route(x, method, reterr);
    if (result != ROUTE_FOUND)
        return result;
    if (framing.length > r->route->body_limit || (framing.chunked && r->route->body_limit == 0))
        return refuse_too_large(x, reterr);
    return ROUTE_FOUND;
}

static enum MHD_Result on_head(HttpExchange *x, const char *method, const char *version)
{
    Err err = ERR_INIT;
    x->stage = HTTP_STAGE_BODY;
    int result = check_head(x, method, version, &err);
    if (result < 0)
        return http_exchange_refuse(x, &err);
    if (result == ROUTE_ANSWERED) {
        x->close = x->has_body;
        http_answer_compose(&x->request, HTTP_DONE, NULL);
        return http_exchange_send(x);
    }
    http_connection_set_phase(x->connection, HTTP_PHASE_BODY, clock_monotonic() + x->listener->options.body_timeout);
    return MHD_YES;
}

/* Once something is wrong the rest is read and dropped: libmicrohttpd takes no answer in the middle of a body. */
static enum MHD_Result on_body(HttpExchange *x, Slice piece)
{
    HttpListener *l = x->listener;
    size_t limit = x->request.route->body_limit;
    x->body_seen += piece.len;
    if (x->refusal.code != ERR_NONE)
        return x->body_seen > limit + DISCARD_MAX ? MHD_NO : MHD_YES;

    if (x->body_seen > limit) {
        (void)refuse_too_large(x, &x->refusal);
    } else if (atomic_fetch_add(&l->body_bytes, piece.len) + piece.len > l->options.body_bytes_max) {
        atomic_fetch_sub(&l->body_bytes, piece.len);
        (void)refuse_busy(x, "too many request bodies at once", &x->refusal);
    } else if (buf_try_append(&x->body, piece) < 0) {
        atomic_fetch_sub(&l->body_bytes, piece.len);
        (void)refuse_busy(x, "not enough memory for the request body", &x->refusal);
    } else {
        gauge_add(http_metrics_body_bytes(l->metrics), (int64_t)piece.len);
    }
    return MHD_YES;
}

static enum MHD_Result answer_inline(HttpExchange *x)
{
    HttpRequest *r = &x->request;
    Err err = ERR_INIT;
    int result = r->route->handler(r, &err);
    http_answer_compose(r, result == HTTP_LATER ? -1 : result, &err);
    return http_exchange_send(x);
}

static enum MHD_Result on_whole(HttpExchange *x)
{
    HttpListener *l = x->listener;
    HttpRequest *r = &x->request;
    x->body_done = true;
    if (x->refusal.code != ERR_NONE)
        return http_exchange_refuse(x, &x->refusal);
    r->body = buf_slice(&x->body);
    if (r->route->inline_answer)
        return answer_inline(x);

    Usec handler_timeout = l->options.handler_timeout;
    r->deadline = clock_monotonic() + handler_timeout;
    x->expires = r->deadline + (handler_timeout / 4 < USEC_PER_SEC ? handler_timeout / 4 : USEC_PER_SEC);
    Err err = ERR_INIT;
    if (!http_exchange_suspend(x)) {
        (void)err_set(&err, ERR_UNAVAILABLE, "the server is stopping");
        return http_exchange_refuse(x, &err);
    }
    if (!queue_try_push(l->queue, x))
        http_request_finish(r, refuse_busy(x, "too many requests are waiting", &err), &err);
    return MHD_YES;
}

enum MHD_Result http_intake_on_request(void *cls UNUSED, struct MHD_Connection *handle UNUSED, const char *url UNUSED,
                                       const char *method, const char *version, const char *upload, size_t *upload_size,
                                       void **context)
{
    HttpExchange *x = *context;
    if (!x)
        return MHD_NO;
    switch (x->stage) {
    case HTTP_STAGE_HEAD:
        return on_head(x, method, version);
    case HTTP_STAGE_BODY:
        if (*upload_size == 0)
            return on_whole(x);
        Slice piece = slice_from(upload, *upload_size);
        *upload_size = 0;
        return on_body(x, piece);
    case HTTP_STAGE_PENDING:
        http_exchange_take_outcome(x);
        return http_exchange_send(x);
    case HTTP_STAGE_SENDING:
        break;
    }
    return MHD_NO;
}

void http_intake_on_completed(void *cls UNUSED, struct MHD_Connection *handle UNUSED, void **context,
                              enum MHD_RequestTerminationCode code UNUSED)
{
    HttpExchange *x = *context;
    *context = NULL;
    if (x && x->connection)
        http_exchange_complete(x);
}
