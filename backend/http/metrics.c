/* SPDX-License-Identifier: PostgreSQL */
/* The listener's metrics. Rows that never counted are left out of the text: most routes never give a 5xx. */
#include "backend/http/metrics.h"

#include <assert.h>
#include <stdio.h>

enum { CLASSES = 4 }; /* 2xx 3xx 4xx 5xx */

static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

typedef struct RouteMetrics {
    char labels[CLASSES][176];
    char seconds_labels[144];
    Counter requests[CLASSES];
    Histogram seconds;
} RouteMetrics;

struct HttpMetrics {
    size_t route_count; /* routes[route_count] is for requests without a route */
    RouteMetrics *routes;
    Counter events[_HTTP_EVENT_MAX];
    Gauge connections;
    Gauge in_flight;
    Gauge body_bytes;
};

#define CONNECTIONS "pganalytics_http_connections_total"
#define TIMEOUTS    "pganalytics_http_timeouts_total"
#define REFUSED     "pganalytics_http_refused_total"
static const char timeouts_help[] = "Requests and connections that took longer than allowed, by phase.";
static const char refused_help[] = "Requests refused before a handler saw them, by reason.";

static const Counter event_rows[] = {
    [HTTP_EVENT_CONNECTION] = {CONNECTIONS, NULL, "Connections accepted.", 0},
    [HTTP_EVENT_TIMEOUT_IDLE] = {TIMEOUTS, "phase=\"idle\"", timeouts_help, 0},
    [HTTP_EVENT_TIMEOUT_HEAD] = {TIMEOUTS, "phase=\"head\"", timeouts_help, 0},
    [HTTP_EVENT_TIMEOUT_BODY] = {TIMEOUTS, "phase=\"body\"", timeouts_help, 0},
    [HTTP_EVENT_TIMEOUT_SEND] = {TIMEOUTS, "phase=\"send\"", timeouts_help, 0},
    [HTTP_EVENT_TIMEOUT_HANDLER] = {TIMEOUTS, "phase=\"handler\"", timeouts_help, 0},
    [HTTP_EVENT_FRAMING] = {REFUSED, "reason=\"framing\"", refused_help, 0},
    [HTTP_EVENT_TOO_LARGE] = {REFUSED, "reason=\"too_large\"", refused_help, 0},
    [HTTP_EVENT_BUSY] = {REFUSED, "reason=\"busy\"", refused_help, 0},
    [HTTP_EVENT_CERTIFICATE] = {"pganalytics_http_certificates_refused_total", NULL,
                                "Client certificates shown that are not accepted.", 0},
    [HTTP_EVENT_LATE_ANSWER] = {"pganalytics_http_late_answers_total", NULL,
                                "Handlers that were ready after the client had been told 503.", 0},
};
static_assert(ARRAY_LENGTH(event_rows) == _HTTP_EVENT_MAX, "every event has a counter");

static void route_metrics_init(RouteMetrics *m, const char *method, const char *pattern)
{
    (void)snprintf(m->seconds_labels, sizeof m->seconds_labels, "method=\"%s\",route=\"%s\"", method, pattern);
    for (int i = 0; i < CLASSES; i++) {
        (void)snprintf(m->labels[i], sizeof m->labels[i], "%s,code=\"%dxx\"", m->seconds_labels, i + 2);
        m->requests[i] = (Counter){.name = "pganalytics_http_requests_total",
                                   .labels = m->labels[i],
                                   .help = "Requests answered, by route and status class."};
    }
    m->seconds = (Histogram){.name = "pganalytics_http_request_seconds",
                             .labels = m->seconds_labels,
                             .help = "From the request line to the end of the answer, by route.",
                             .bounds = bounds,
                             .bounds_count = ARRAY_LENGTH(bounds)};
}

HttpMetrics *http_metrics_new(const HttpRoute *routes, size_t count)
{
    HttpMetrics *m = calloc(1, sizeof *m);
    if (!m || !(m->routes = calloc(count + 1, sizeof *m->routes)))
        abort();
    m->route_count = count;
    for (size_t i = 0; i < count; i++)
        route_metrics_init(&m->routes[i], http_method_to_string(routes[i].method), routes[i].pattern);
    route_metrics_init(&m->routes[count], "", "none");
    for (size_t i = 0; i < _HTTP_EVENT_MAX; i++)
        m->events[i] =
            (Counter){.name = event_rows[i].name, .labels = event_rows[i].labels, .help = event_rows[i].help};
    m->connections = (Gauge){.name = "pganalytics_http_connections", .help = "Open connections."};
    m->in_flight = (Gauge){.name = "pganalytics_http_requests_in_flight", .help = "Requests begun and not answered."};
    m->body_bytes = (Gauge){.name = "pganalytics_http_body_bytes", .help = "Request bodies held in memory."};
    return m;
}

HttpMetrics *http_metrics_free(HttpMetrics *m)
{
    if (m) {
        free(m->routes);
        free(m);
    }
    return NULL;
}

void http_metrics_count(HttpMetrics *m, HttpEvent event)
{
    counter_add(&m->events[event], 1);
}

uint64_t http_metrics_value(HttpMetrics *m, HttpEvent event)
{
    return atomic_load_explicit(&m->events[event].value, memory_order_relaxed);
}

void http_metrics_observe(HttpMetrics *m, size_t route_index, int status, Usec duration)
{
    RouteMetrics *route = &m->routes[route_index < m->route_count ? route_index : m->route_count];
    int class = status / 100 - 2;
    counter_add(&route->requests[class < 0 || class >= CLASSES ? CLASSES - 1 : class], 1);
    histogram_observe(&route->seconds, (double)duration / (double)USEC_PER_SEC);
}

Gauge *http_metrics_connections(HttpMetrics *m)
{
    return &m->connections;
}

Gauge *http_metrics_in_flight(HttpMetrics *m)
{
    return &m->in_flight;
}

Gauge *http_metrics_body_bytes(HttpMetrics *m)
{
    return &m->body_bytes;
}

static bool has_counted(const Counter *c)
{
    return atomic_load_explicit(&c->value, memory_order_relaxed) > 0;
}

static bool route_was_used(const RouteMetrics *m)
{
    for (size_t i = 0; i < CLASSES; i++) {
        if (has_counted(&m->requests[i]))
            return true;
    }
    return false;
}

void http_metrics_write(HttpMetrics *m, Buf *out)
{
    size_t most = (m->route_count + 1) * (CLASSES + 1) + _HTTP_EVENT_MAX + 3;
    TelemetryEntry *entries = calloc(most, sizeof *entries);
    if (!entries)
        abort();

    size_t count = 0; /* entries of one name stand together */
    for (size_t i = 0; i <= m->route_count; i++) {
        for (size_t class = 0; class < CLASSES; class ++) {
            if (has_counted(&m->routes[i].requests[class]))
                entries[count++] = (TelemetryEntry){TELEMETRY_COUNTER, &m->routes[i].requests[class]};
        }
    }
    for (size_t i = 0; i <= m->route_count; i++) {
        if (route_was_used(&m->routes[i]))
            entries[count++] = (TelemetryEntry){TELEMETRY_HISTOGRAM, &m->routes[i].seconds};
    }
    for (size_t i = 0; i < _HTTP_EVENT_MAX; i++)
        entries[count++] = (TelemetryEntry){TELEMETRY_COUNTER, &m->events[i]};
    entries[count++] = (TelemetryEntry){TELEMETRY_GAUGE, &m->connections};
    entries[count++] = (TelemetryEntry){TELEMETRY_GAUGE, &m->in_flight};
    entries[count++] = (TelemetryEntry){TELEMETRY_GAUGE, &m->body_bytes};
    telemetry_write_text(out, entries, count);
    free(entries);
}
