#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The listener's own metrics: requests by route and status class, seconds by route, connections, what was refused.
 * Made once from the route table; changed with atomics from any thread. */
#include "backend/http/http.h"
#include "lib/telemetry/telemetry.h"

typedef enum HttpEvent {
    HTTP_EVENT_CONNECTION,      /* accepted */
    HTTP_EVENT_TIMEOUT_IDLE,    /* closed: no request */
    HTTP_EVENT_TIMEOUT_HEAD,    /* closed: the head took too long */
    HTTP_EVENT_TIMEOUT_BODY,    /* closed: the body took too long */
    HTTP_EVENT_TIMEOUT_SEND,    /* closed: the client does not take the answer */
    HTTP_EVENT_TIMEOUT_HANDLER, /* answered 503: no answer until the deadline */
    HTTP_EVENT_FRAMING,         /* refused */
    HTTP_EVENT_TOO_LARGE,       /* refused */
    HTTP_EVENT_BUSY,            /* refused: queue or memory for bodies is full */
    HTTP_EVENT_CERTIFICATE,     /* a client certificate was shown that is not accepted */
    HTTP_EVENT_LATE_ANSWER,     /* a handler was ready after its deadline */
    _HTTP_EVENT_MAX
} HttpEvent;

typedef struct HttpMetrics HttpMetrics;

HttpMetrics *http_metrics_new(const HttpRoute *routes, size_t count);
HttpMetrics *http_metrics_free(HttpMetrics *m);
DEFINE_CLEANUP(HttpMetrics *, http_metrics_free)

void http_metrics_count(HttpMetrics *m, HttpEvent event);
uint64_t http_metrics_value(HttpMetrics *m, HttpEvent event);
/* @route_index: of the table, or its count for requests that match no route. */
void http_metrics_observe(HttpMetrics *m, size_t route_index, int status, Usec duration);
Gauge *http_metrics_connections(HttpMetrics *m);
Gauge *http_metrics_in_flight(HttpMetrics *m);
Gauge *http_metrics_body_bytes(HttpMetrics *m);
void http_metrics_write(HttpMetrics *m, Buf *out);
