#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Listener: takes connections, reads requests within their limits and deadlines, has worker threads answer them.
 *
 * Threads: I/O threads (libmicrohttpd, epoll) read and write and never block; workers run access checks and handlers;
 * one watchdog ends what takes too long. Life of a request: reading -> queued -> (handler) -> answered | expired ->
 * sent. docs/decisions tells why libmicrohttpd, and which of its traps this module closes.
 */
#include "backend/http/http.h"
#include "backend/http/router.h"

typedef struct HttpListener HttpListener;

typedef struct HttpListenerOptions {
    const HttpRoute *routes; /* constant rows that outlive the listener */
    size_t route_count;
    HttpAccessFn on_access;  /* NULL: every route that is not ACCESS_ANYONE answers 403 */
    struct Backend *backend; /* given to handlers as r->backend */

    const char *address; /* NULL or "": all, IPv6 and IPv4 */
    uint16_t port;       /* 0: any free one, see http_listener_port() */
    bool tls;
    Slice certificate_pem; /* server certificate with its chain, leaf first; needed with .tls */
    Slice key_pem;
    Slice client_ca_pem; /* whose client certificates are accepted; absent: later, http_listener_set_client_ca */

    bool hsts;                      /* tell browsers to come by HTTPS only, for a year */
    const char *cors_origins;       /* comma list of exact origins; NULL: none */
    const char *trusted_proxies;    /* comma list of addresses and CIDR networks; NULL: none */
    const char *client_cert_header; /* in which trusted proxies hand over a client certificate; NULL: none */

    /* Zero: the default in brackets. */
    unsigned io_threads;              /* [cores / 2, at least 1] */
    unsigned workers;                 /* [cores * 4, between 8 and 64] */
    unsigned queue_capacity;          /* requests waiting for a worker [1024]; beyond: 429 */
    unsigned connections_max;         /* [4096] */
    unsigned connections_per_address; /* [512] */
    size_t body_bytes_max;            /* of all requests together [512 MiB]; beyond: 429 */
    Usec idle_timeout;                /* connection without a request [75 s] */
    Usec head_timeout;    /* from the connection's start, or the request line, to the end of the head [10 s] */
    Usec body_timeout;    /* for the whole body [60 s] */
    Usec handler_timeout; /* from the end of the body to the answer [30 s]: 503 */
    Usec send_timeout;    /* for the whole answer [120 s] */
} HttpListenerOptions;

/* Binds and starts. ERR_CONFIG for options, ERR_TLS for key material, ERR_IO when the port is taken (says so). */
int http_listener_start(HttpListener **ret, const HttpListenerOptions *options, Err *reterr) MUST_CHECK;
uint16_t http_listener_port(const HttpListener *l);

/* Hot changes, any thread; connections that stand keep what they had. On failure the old one stays. */
int http_listener_set_certificate(HttpListener *l, Slice certificate_pem, Slice key_pem, Err *reterr) MUST_CHECK;
int http_listener_set_client_ca(HttpListener *l, Slice ca_pem, Err *reterr) MUST_CHECK;

/* Takes no more connections, gives requests in flight until @limit from now to be answered (then 503), closes
 * connections, joins all threads. After it returns no handler runs; requests that were HTTP_LATER may still be finished
 * until http_listener_free(), which waits for them: whoever holds one must finish it. */
void http_listener_stop(HttpListener *l, Usec limit);
HttpListener *http_listener_free(HttpListener *l); /* stops first if need be */
DEFINE_CLEANUP(HttpListener *, http_listener_free)

/* The listener that took a request; NULL for one made by a test. */
HttpListener *http_request_listener(const HttpRequest *r);

/* Own metrics: requests by route and status class, seconds, connections, refusals. */
void http_listener_write_metrics(HttpListener *l, Buf *out);
