/* SPDX-License-Identifier: PostgreSQL */
/* Connections: born and buried by libmicrohttpd's notifications on I/O threads; the list is for the watchdog. */
#include "backend/http/exchange.h"

#include <gnutls/gnutls.h>
#include <strings.h>

void http_connection_set_phase(HttpConnection *c, HttpPhase phase, Usec deadline)
{
    atomic_store(&c->deadline, deadline);
    atomic_store(&c->phase, phase);
}

static void connection_open(HttpListener *l, struct MHD_Connection *handle, void **socket_context)
{
    HttpConnection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->listener = l;
    c->handle = handle;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr || !http_address_from_sockaddr(info->client_addr, &c->peer))
        c->peer = (HttpAddress){{0}};
    /* The first request line is part of the handshake's time: whoever connects has something to say. */
    http_connection_set_phase(c, HTTP_PHASE_HEAD, clock_monotonic() + l->options.head_timeout);

    (void)pthread_mutex_lock(&l->connections_lock);
    c->next = l->connections;
    if (c->next)
        c->next->previous = c;
    l->connections = c;
    (void)pthread_mutex_unlock(&l->connections_lock);

    http_metrics_count(l->metrics, HTTP_EVENT_CONNECTION);
    gauge_add(http_metrics_connections(l->metrics), 1);
    *socket_context = c;
}

static void connection_close(HttpConnection *c)
{
    HttpListener *l = c->listener;
    (void)pthread_mutex_lock(&l->connections_lock);
    if (c->previous)
        c->previous->next = c->next;
    else
        l->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    (void)pthread_mutex_unlock(&l->connections_lock);

    gauge_add(http_metrics_connections(l->metrics), -1);
    if (c->exchange)
        http_exchange_complete(c->exchange); /* not reported as completed: the head was never whole */
    free(c);
}

void http_connection_notify(void *cls, struct MHD_Connection *handle, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_open(cls, handle, socket_context);
    } else if (*socket_context) {
        connection_close(*socket_context);
        *socket_context = NULL;
    }
}

/* Once for each connection, and again when the list of trusted CAs changed. */
static void verify_session(HttpConnection *c)
{
    uint64_t generation = http_trust_generation(c->listener->trust);
    if (generation == 0 || c->certificate_generation == generation)
        return;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!info || !info->tls_session)
        return;
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(info->tls_session, &count);
    http_trust_verify(c->listener->trust, chain, count, &c->certificate);
    c->certificate_generation = generation;
    if (c->certificate.fault[0] != '\0')
        http_metrics_count(c->listener->metrics, HTTP_EVENT_CERTIFICATE);
}

/* Copied: a handler may outlive the connection, or the next request on it. */
static void set_certificate(HttpRequest *r, const HttpCertificate *c)
{
    if (c->serial[0] != '\0') {
        r->certificate_serial = arena_strdup(r->arena, c->serial);
        r->certificate_name = arena_strdup(r->arena, c->name);
    } else if (c->fault[0] != '\0') {
        r->certificate_fault = arena_strdup(r->arena, c->fault);
    }
}

/*
 * The value of a header that proxies write; all its fields as one list. Some proxies add a field of their own behind
 * what the client made up, so the first one alone must not be believed.
 */
static const char *joined_header(const HttpRequest *r, const char *name, size_t *ret_fields)
{
    const char *joined = NULL;
    *ret_fields = 0;
    for (size_t i = 0; i < r->headers.len; i++) {
        const HttpField *field = &r->headers.items[i];
        if (strcasecmp(field->name, name) != 0)
            continue;
        joined = joined ? arena_printf(r->arena, "%s,%s", joined, field->value) : field->value;
        ++*ret_fields;
    }
    return joined;
}

static void take_handed_over(HttpListener *l, HttpRequest *r)
{
    size_t fields = 0;
    const char *text = l->options.client_cert_header ? joined_header(r, l->options.client_cert_header, &fields) : NULL;
    if (fields == 0)
        return;
    HttpCertificate certificate = {.fault = "the proxy handed over two certificates"};
    if (fields == 1)
        http_trust_verify_text(l->trust, slice_cstr(text), &certificate);
    r->certificate_serial = r->certificate_name = r->certificate_fault = NULL;
    set_certificate(r, &certificate);
}

void http_connection_describe(HttpExchange *x)
{
    HttpConnection *c = x->connection;
    HttpListener *l = x->listener;
    HttpRequest *r = &x->request;
    size_t fields;
    const char *forwarded = joined_header(r, "X-Forwarded-For", &fields);
    HttpAddress client = http_address_of_client(&l->trusted_proxies, &c->peer, forwarded);
    char *text = arena_alloc(r->arena, HTTP_ADDRESS_TEXT_SIZE);
    http_address_to_text(&client, text);
    r->remote_address = text;
    /* A request that came through any proxy is not from this host, whatever its socket says. */
    r->remote_is_loopback = http_address_is_loopback(&c->peer) && !forwarded;
    r->tls = l->options.tls;

    if (l->options.tls) {
        verify_session(c);
        http_certificate_check_time(&c->certificate, clock_wall());
        set_certificate(r, &c->certificate);
    }
    if (!http_networks_contain(&l->trusted_proxies, &c->peer))
        return;
    const char *protocol = joined_header(r, "X-Forwarded-Proto", &fields);
    if (protocol && fields == 1 && strcasecmp(protocol, "https") == 0)
        r->tls = true;
    take_handed_over(l, r);
}
