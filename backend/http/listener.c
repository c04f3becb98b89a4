/* SPDX-License-Identifier: PostgreSQL */
/*
 * Listener: options, the listening socket, libmicrohttpd's daemon, the TLS handshake's certificate, start and stop.
 * What happens to a request is in intake.c, exchange.c and workers.c.
 */
#include "backend/http/listener.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "backend/http/exchange.h"
#include "lib/base/log.h"
#include "lib/io/listen.h"

/* TLS 1.3 only: collectors are ours, and every browser of the last years speaks it. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"

enum {
    CONNECTION_MEMORY = 16 << 10, /* bounds the head of a request: 431 */
    BACKLOG = 1024,
};

static void set_default_usec(Usec *value, Usec otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_default(unsigned *value, unsigned otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static unsigned clamp(unsigned value, unsigned least, unsigned most)
{
    return value < least ? least : value > most ? most : value;
}

static void complete_options(HttpListenerOptions *o, Arena *arena)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned cores = online > 0 ? (unsigned)online : 1;
    set_default(&o->io_threads, clamp(cores / 2, 1, 64));
    set_default(&o->workers, clamp(cores * 4, 8, 64));
    set_default(&o->queue_capacity, 1024);
    set_default(&o->connections_max, 4096);
    set_default(&o->connections_per_address, 512);
    if (o->body_bytes_max == 0)
        o->body_bytes_max = (size_t)512 << 20;
    set_default_usec(&o->idle_timeout, 75 * USEC_PER_SEC);
    set_default_usec(&o->head_timeout, 10 * USEC_PER_SEC);
    set_default_usec(&o->body_timeout, 60 * USEC_PER_SEC);
    set_default_usec(&o->handler_timeout, 30 * USEC_PER_SEC);
    set_default_usec(&o->send_timeout, 120 * USEC_PER_SEC);
    if (o->connections_max < o->io_threads)
        o->connections_max = o->io_threads;

    o->address = arena_strdup(arena, o->address ? o->address : "");
    o->cors_origins = o->cors_origins && o->cors_origins[0] ? arena_strdup(arena, o->cors_origins) : NULL;
    o->client_cert_header =
        o->client_cert_header && o->client_cert_header[0] ? arena_strdup(arena, o->client_cert_header) : NULL;
    o->trusted_proxies = NULL; /* parsed */
    o->client_ca_pem = arena_dup(arena, o->client_ca_pem);
}

static int bind_socket(HttpListener *l, int *ret_fd, Err *reterr)
{
    int r = listen_tcp(l->options.address, l->options.port, BACKLOG, ret_fd, &l->port, reterr);
    if (r < 0 && reterr && reterr->code == ERR_CONFLICT)
        err_hint(reterr, "set PORT to another one, or stop the program that uses it");
    return err_trace(r);
}

/* Called in each handshake. GnuTLS has no argument for us here; the session carries libmicrohttpd's connection. */
static int on_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info UNUSED,
                          gnutls_pcert_st **ret_chain, unsigned *ret_count, gnutls_ocsp_data_st **ret_ocsp,
                          unsigned *ret_ocsp_count, gnutls_privkey_t *ret_key, unsigned *ret_flags)
{
    struct MHD_Connection *handle = gnutls_session_get_ptr(session);
    const union MHD_ConnectionInfo *context =
        handle ? MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT) : NULL;
    HttpConnection *c = context ? context->socket_context : NULL;
    if (!c)
        return -1;
    if (http_trust_generation(c->listener->trust) > 0)
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    *ret_ocsp = NULL;
    *ret_ocsp_count = 0;
    *ret_flags = 0; /* ours: GnuTLS frees nothing */
    return http_server_cert_get(c->listener->server_cert, ret_chain, ret_count, ret_key) ? 0 : -1;
}

static void on_library_log(void *cls UNUSED, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_library_log(void *cls UNUSED, const char *format, va_list args)
{
    log_library("libmicrohttpd", format, args);
}

static int start_daemon(HttpListener *l, int fd, Err *reterr)
{
    const HttpListenerOptions *o = &l->options;
    struct MHD_OptionItem options[16];
    size_t n = 0;
#define ADD(...) options[n++] = (struct MHD_OptionItem){__VA_ARGS__}
    ADD(MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL);
    ADD(MHD_OPTION_CONNECTION_LIMIT, o->connections_max, NULL);
    ADD(MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_address, NULL);
    ADD(MHD_OPTION_CONNECTION_TIMEOUT, o->idle_timeout / USEC_PER_SEC + 1, NULL);
    ADD(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    ADD(MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL);
    ADD(MHD_OPTION_THREAD_POOL_SIZE, o->io_threads > 1 ? o->io_threads : 0, NULL);
    ADD(MHD_OPTION_LISTEN_SOCKET, fd, NULL);
    ADD(MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_connection_notify, l);
    ADD(MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_intake_on_completed, l);
    ADD(MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_intake_on_target, l);
    if (o->tls) {
        ADD(MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES);
        ADD(MHD_OPTION_HTTPS_CERT_CALLBACK2, 0, (void *)(uintptr_t)on_certificate);
        if (o->client_ca_pem.len > 0) /* named to clients, so that browsers ask nobody who has none of ours */
            ADD(MHD_OPTION_HTTPS_MEM_TRUST, 0, (void *)(uintptr_t)o->client_ca_pem.ptr);
    }
    ADD(MHD_OPTION_END, 0, NULL);
#undef ADD

    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     (o->tls ? MHD_USE_TLS : 0);
    l->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_intake_on_request, l, MHD_OPTION_EXTERNAL_LOGGER,
                                 on_library_log, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!l->daemon) {
        (void)close(fd);
        return err_set(reterr, ERR_INTERNAL, "the HTTP server could not be started");
    }
    return 0;
}

static int prepare(HttpListener *l, const HttpListenerOptions *options, Err *reterr)
{
    int r = http_networks_parse(options->trusted_proxies, &l->trusted_proxies, reterr);
    if (r < 0)
        return r;
    l->options = *options;
    complete_options(&l->options, l->arena);
    l->trust = http_trust_new();
    l->server_cert = http_server_cert_new();
    l->metrics = http_metrics_new(options->routes, options->route_count);
    r = http_router_new(&l->router, options->routes, options->route_count, reterr);
    if (r == 0 && options->tls)
        r = http_listener_set_certificate(l, options->certificate_pem, options->key_pem, reterr);
    if (r == 0 && options->client_ca_pem.len > 0)
        r = http_trust_set(l->trust, options->client_ca_pem, reterr);
    l->options.certificate_pem = l->options.key_pem = SLICE_NULL; /* the caller's; not needed any more */
    return r;
}

static HttpListener *listener_new(void)
{
    HttpListener *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->arena = arena_new(0);
    l->wake_fd = -1;
    (void)pthread_mutex_init(&l->connections_lock, NULL);
    (void)pthread_mutex_init(&l->pending_lock, NULL);
    (void)pthread_mutex_init(&l->linger_lock, NULL);
    (void)pthread_mutex_init(&l->counts_lock, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->counts_changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return l;
}

int http_listener_start(HttpListener **ret, const HttpListenerOptions *options, Err *reterr)
{
    (void)signal(SIGPIPE, SIG_IGN); /* GnuTLS writes to sockets that clients have left */
    _cleanup_(http_listener_freep) HttpListener *l = listener_new();

    int fd = -1;
    int r = prepare(l, options, reterr);
    if (r == 0)
        r = bind_socket(l, &fd, reterr);
    if (r < 0)
        return r;

    r = http_workers_start(l, reterr);
    if (r == 0)
        r = http_watchdog_start(l, reterr);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    r = start_daemon(l, fd, reterr);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(l);
    return 0;
}

uint16_t http_listener_port(const HttpListener *l)
{
    return l->port;
}

int http_listener_set_certificate(HttpListener *l, Slice certificate_pem, Slice key_pem, Err *reterr)
{
    /* A handshake ends within head_timeout, so nothing uses what was replaced longer ago than twice that. */
    return http_server_cert_set(l->server_cert, certificate_pem, key_pem, clock_monotonic(),
                                2 * l->options.head_timeout, reterr);
}

int http_listener_set_client_ca(HttpListener *l, Slice ca_pem, Err *reterr)
{
    return http_trust_set(l->trust, ca_pem, reterr);
}

HttpListener *http_request_listener(const HttpRequest *r)
{
    return r->exchange ? r->exchange->listener : NULL;
}

void http_listener_write_metrics(HttpListener *l, Buf *out)
{
    http_metrics_write(l->metrics, out);
}

/* Waits until *@count is 0, at most until @deadline. */
static bool wait_zero(HttpListener *l, const size_t *count, Usec deadline)
{
    const struct timespec until = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    (void)pthread_mutex_lock(&l->counts_lock);
    int r = 0;
    while (*count > 0 && r != ETIMEDOUT) {
        r = deadline == USEC_NEVER ? pthread_cond_wait(&l->counts_changed, &l->counts_lock)
                                   : pthread_cond_timedwait(&l->counts_changed, &l->counts_lock, &until);
    }
    bool zero = *count == 0;
    (void)pthread_mutex_unlock(&l->counts_lock);
    return zero;
}

static void close_pending(HttpListener *l)
{
    (void)pthread_mutex_lock(&l->pending_lock);
    l->closing = true;
    (void)pthread_mutex_unlock(&l->pending_lock);
    http_watchdog_expire_all(l);
}

void http_listener_stop(HttpListener *l, Usec limit)
{
    if (l->stopped)
        return;
    l->stopped = true;
    if (l->daemon) {
        atomic_store(&l->draining, true);
        MHD_socket listening = MHD_quiesce_daemon(l->daemon);
        if (!wait_zero(l, &l->in_flight, clock_monotonic() + limit))
            log_warn("requests are still in flight: they are answered 503");
        close_pending(l);
        if (!wait_zero(l, &l->in_flight, clock_monotonic() + USEC_PER_SEC))
            http_watchdog_shut_all(l);
        (void)wait_zero(l, &l->in_flight, USEC_NEVER); /* their sockets are shut: it does not take long */
        MHD_stop_daemon(l->daemon);
        l->daemon = NULL;
        if (listening != MHD_INVALID_SOCKET)
            (void)close(listening);
    }
    http_workers_stop(l);
    http_watchdog_stop(l);
}

HttpListener *http_listener_free(HttpListener *l)
{
    if (!l)
        return NULL;
    http_listener_stop(l, USEC_PER_SEC);
    (void)wait_zero(l, &l->alive, USEC_NEVER);
    (void)http_router_free(l->router);
    (void)http_metrics_free(l->metrics);
    (void)http_trust_free(l->trust);
    (void)http_server_cert_free(l->server_cert);
    http_network_vec_done(&l->trusted_proxies);
    (void)pthread_mutex_destroy(&l->connections_lock);
    (void)pthread_mutex_destroy(&l->pending_lock);
    (void)pthread_mutex_destroy(&l->linger_lock);
    (void)pthread_cond_destroy(&l->counts_changed);
    (void)pthread_mutex_destroy(&l->counts_lock);
    (void)arena_free(l->arena);
    free(l);
    return NULL;
}
