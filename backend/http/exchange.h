#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Inside of the listener, shared by its sources (listener.c, connection.c, exchange.c, intake.c, workers.c,
 * watchdog.c) and by nothing else.
 *
 * An exchange is one request with its answer. Two sides hold it: the I/O thread from the request line until
 * libmicrohttpd reports the request completed, and, once dispatched, the handler until http_request_finish(). It is
 * freed by whoever lets go last.
 *
 * Invariants
 *  1. A connection is suspended only while its exchange is on the pending list; both change under pending_lock.
 *  2. Each pending exchange is resumed exactly once: by the one who sets .outcome from NONE, under pending_lock.
 *  3. Once .closing is set (under pending_lock) nothing is put on the list, so an empty list stays empty and the
 *     daemon may be stopped.
 *  4. After EXPIRED the I/O thread never reads what a handler may write (the request's answer fields).
 *  5. A socket is shut down from outside only under connections_lock while its connection is on the list;
 *     libmicrohttpd reports the end of a connection, which takes it off, before it closes the socket.
 */
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backend/http/address.h"
#include "backend/http/listener.h"
#include "backend/http/metrics.h"
#include "backend/http/server_cert.h"
#include "backend/http/trust.h"
#include "lib/base/queue.h"

/* What a connection is doing, as the watchdog sees it. */
typedef enum HttpPhase {
    HTTP_PHASE_IDLE, /* no request line yet: handshake, or between requests */
    HTTP_PHASE_HEAD, /* request line came, header fields are awaited */
    HTTP_PHASE_BODY,
    HTTP_PHASE_PENDING, /* suspended: its exchange has the deadline */
    HTTP_PHASE_SEND,
    _HTTP_PHASE_MAX
} HttpPhase;

typedef struct HttpConnection {
    struct HttpConnection *next;
    struct HttpConnection *previous;
    HttpListener *listener;
    struct MHD_Connection *handle;
    int fd;
    _Atomic HttpPhase phase;
    _Atomic Usec deadline; /* monotonic: shut down then */
    HttpAddress peer;
    struct HttpExchange *exchange;   /* I/O thread: the one that is not completed */
    HttpCertificate certificate;     /* I/O thread: what the TLS session showed */
    uint64_t certificate_generation; /* of the trust it was verified under; 0: not yet */
} HttpConnection;

/* Where an exchange is, for its I/O thread. */
typedef enum HttpStage { HTTP_STAGE_HEAD, HTTP_STAGE_BODY, HTTP_STAGE_PENDING, HTTP_STAGE_SENDING } HttpStage;
typedef enum HttpOutcome { HTTP_OUTCOME_NONE, HTTP_OUTCOME_ANSWERED, HTTP_OUTCOME_EXPIRED } HttpOutcome;

typedef struct HttpExchange {
    HttpRequest request;
    HttpListener *listener;
    HttpConnection *connection;        /* until completed */
    struct HttpExchange *pending_next; /* pending_lock */
    struct HttpExchange *pending_previous;
    HttpOutcome outcome; /* pending_lock */
    Usec expires;        /* monotonic; a little after request.deadline, so that a handler that keeps to
                            its deadline can still say what was wrong */
    _Atomic unsigned holders;
    HttpStage stage;
    size_t route_index;       /* of the table, or its count */
    Usec started;             /* monotonic */
    Slice target;             /* raw */
    uintptr_t target_address; /* where libmicrohttpd has it; not to be read */
    Buf body;
    size_t body_seen; /* bytes that came, kept or not */
    bool has_body;
    bool body_done;
    Err refusal; /* code not NONE: found while reading the body */
    int sent_status;
    bool close;                 /* the connection ends with this answer */
    const char *allowed_origin; /* CORS; NULL: none */
    Buf expired_answer;
} HttpExchange;

enum { HTTP_LINGER_MAX = 64 };

/* A connection that was answered before its body was read: closing at once would make the kernel send a reset, which
 * can destroy the answer on its way. The rest is read and thrown away for a moment instead. */
typedef struct HttpLinger {
    int fd;
    Usec until;
    size_t bytes_left;
} HttpLinger;

struct HttpListener {
    HttpListenerOptions options; /* complete; strings in .arena */
    Arena *arena;
    HttpRouter *router;
    HttpMetrics *metrics;
    HttpTrust *trust;
    HttpServerCert *server_cert;
    HttpNetworkVec trusted_proxies;
    struct MHD_Daemon *daemon;
    uint16_t port;

    Queue *queue; /* of HttpExchange, to the workers */
    pthread_t *workers;
    unsigned workers_running;

    pthread_t watchdog;
    bool watchdog_runs;
    _Atomic bool watchdog_ends;
    int wake_fd; /* eventfd: there is something new for the watchdog */

    pthread_mutex_t connections_lock;
    HttpConnection *connections;

    pthread_mutex_t pending_lock;
    HttpExchange *pending;
    bool closing;

    pthread_mutex_t linger_lock;
    HttpLinger lingering[HTTP_LINGER_MAX];
    size_t lingering_count;

    _Atomic bool draining; /* every answer ends its connection */
    pthread_mutex_t counts_lock;
    pthread_cond_t counts_changed; /* in_flight or alive became 0 */
    size_t in_flight;              /* exchanges not completed */
    size_t alive;                  /* exchanges not freed */
    _Atomic size_t body_bytes;     /* of exchanges not freed */
    bool stopped;
};

/* connection.c, I/O threads */
void http_connection_notify(void *cls, struct MHD_Connection *handle, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
void http_connection_set_phase(HttpConnection *c, HttpPhase phase, Usec deadline);
void http_connection_describe(HttpExchange *x); /* who is there: address, TLS, client certificate */

/* exchange.c */
HttpExchange *http_exchange_new(HttpConnection *c, const char *target);
void http_exchange_unref(HttpExchange *x);
bool http_exchange_suspend(HttpExchange *x); /* I/O thread; false: closing */
void http_exchange_deliver(HttpExchange *x);
bool http_exchange_is_expired(HttpExchange *x);                        /* any thread */
void http_exchange_take_outcome(HttpExchange *x);                      /* I/O thread, after the resume */
enum MHD_Result http_exchange_send(HttpExchange *x);                   /* I/O thread */
enum MHD_Result http_exchange_refuse(HttpExchange *x, const Err *err); /* I/O thread: compose and send */
void http_exchange_complete(HttpExchange *x);                          /* I/O thread */

/* intake.c, I/O threads: libmicrohttpd's callbacks for requests */
void *http_intake_on_target(void *cls, const char *target, struct MHD_Connection *handle);
enum MHD_Result http_intake_on_request(void *cls, struct MHD_Connection *handle, const char *url, const char *method,
                                       const char *version, const char *upload, size_t *upload_size, void **context);
void http_intake_on_completed(void *cls, struct MHD_Connection *handle, void **context,
                              enum MHD_RequestTerminationCode code);

/* workers.c */
int http_workers_start(HttpListener *l, Err *reterr) MUST_CHECK;
void http_workers_stop(HttpListener *l); /* finishes what is queued, joins */

/* watchdog.c */
int http_watchdog_start(HttpListener *l, Err *reterr) MUST_CHECK;
void http_watchdog_stop(HttpListener *l);
void http_watchdog_expire_all(HttpListener *l); /* every pending exchange now */
void http_watchdog_shut_all(HttpListener *l);   /* every connection now */
void http_watchdog_linger(HttpListener *l, int fd);
