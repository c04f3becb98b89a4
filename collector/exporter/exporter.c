/* SPDX-License-Identifier: PostgreSQL */
/*
 * See exporter.h. libmicrohttpd runs on our thread, one daemon for each address: poll() waits for their descriptors,
 * for the next deadline, and for the end. Its own timeout is about silence; one who drips is ended by the deadlines
 * here.
 *
 * Everything but the start and exporter_stop() is on that thread.
 */
#include "collector/exporter/exporter.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "collector/exporter/exposition.h"
#include "collector/exporter/negotiate.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/io/listen.h"
#include "lib/telemetry/telemetry.h"
#include "lib/wire/compress.h"

enum { BACKLOG = 128, ENCODINGS = 2 };
#define ANSWER_LIFETIME USEC_PER_SEC

typedef struct Connection {
    int fd;
    bool is_loopback;
    Usec deadline; /* monotonic */
    struct Connection *next, *previous;
} Connection;

/* An answer that several connections may share: libmicrohttpd counts them. */
typedef struct Answer {
    struct MHD_Response *response; /* NULL: none */
    Usec made_at;
} Answer;

struct Exporter {
    Snapshots *snapshots;
    void (*on_own_metrics)(void *arg, Buf *out, ExpositionFormat format);
    void *arg;
    char *token;
    Usec request_max;
    struct MHD_Daemon *daemons[SETTINGS_LISTEN_MAX];
    size_t daemon_count;
    int wake_fd;
    pthread_t thread;
    bool running;
    _Atomic bool stop;

    Connection *connections;
    Answer answers[_EXPOSITION_FORMAT_MAX][ENCODINGS]; /* of all servers */
    uint64_t scrapes;
    uint64_t refused; /* wrong path, method, token */
    double last_seconds;
};

/* --- Connections -------------------------------------------------------------------------------------------------- */

static bool address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return v6.sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

static void on_connection(void *cls, struct MHD_Connection *handle, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    Exporter *e = cls;
    Connection *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = mem_alloc(sizeof(*c));
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
        c->fd = info ? info->connect_fd : -1;
        info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        c->is_loopback = info && info->client_addr && address_is_loopback(info->client_addr);
        c->deadline = clock_monotonic() + EXPORTER_IDLE_MAX;
        c->next = e->connections;
        if (c->next)
            c->next->previous = c;
        e->connections = c;
        *context = c;
    } else if (c) {
        if (c->previous)
            c->previous->next = c->next;
        else
            e->connections = c->next;
        if (c->next)
            c->next->previous = c->previous;
        free(c);
        *context = NULL;
    }
}

static Connection *connection_of(struct MHD_Connection *handle)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_completed(void *cls, struct MHD_Connection *handle, void **context UNUSED,
                         enum MHD_RequestTerminationCode code UNUSED)
{
    (void)cls;
    Connection *c = connection_of(handle);
    if (c)
        c->deadline = clock_monotonic() + EXPORTER_IDLE_MAX;
}

/* Shuts those that have had their time: libmicrohttpd then finds them closed. Gives the next deadline. */
static Usec expire_connections(const Exporter *e, Usec now)
{
    Usec next = USEC_NEVER;
    for (Connection *c = e->connections; c; c = c->next) {
        if (c->deadline <= now) {
            (void)shutdown(c->fd, SHUT_RDWR);
            c->deadline = now + USEC_PER_SEC;
        }
        next = c->deadline < next ? c->deadline : next;
    }
    return next;
}

/* --- Answers ------------------------------------------------------------------------------------------------------ */

static void append_figure(Buf *out, ExpositionFormat format, const char *name, const char *type, const char *help,
                          double value)
{
    exposition_append_head(out, format, name, type, help);
    buf_printf(out, "%s ", name);
    exposition_append_value(out, value);
}

static void write_own(Exporter *e, Buf *out, ExpositionFormat format)
{
    SnapshotsStats stats;
    snapshots_stats(e->snapshots, &stats);
    append_figure(out, format, "pg_exporter_scrapes_total", "counter", "Scrapes answered.", (double)e->scrapes);
    append_figure(out, format, "pg_exporter_last_scrape_duration_seconds", "gauge",
                  "Time it took to make the last answer; no query is part of it.", e->last_seconds);
    append_figure(out, format, "pganalytics_exporter_refused_requests_total", "counter",
                  "Requests with another path or method, or without the token.", (double)e->refused);
    append_figure(out, format, "pganalytics_exporter_snapshots", "gauge", "Readings that scrapes are answered from.",
                  (double)stats.count);
    append_figure(out, format, "pganalytics_exporter_snapshots_bytes", "gauge", "Memory that they take.",
                  (double)stats.bytes);
    append_figure(out, format, "pganalytics_exporter_left_out_readings_total", "counter",
                  "Readings that had no room in memory.", (double)stats.readings_left_out);
    append_figure(out, format, "pganalytics_exporter_left_out_rows_total", "counter",
                  "Rows beyond what one reading may show.", (double)stats.rows_left_out);
    if (e->on_own_metrics)
        e->on_own_metrics(e->arg, out, format);
    telemetry_write_process(out, format);
}

static enum MHD_Result send_text(Exporter *e, struct MHD_Connection *handle, unsigned status, const char *text)
{
    e->refused += status >= 400;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (status == MHD_HTTP_UNAUTHORIZED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"metrics\"");
    enum MHD_Result r = MHD_queue_response(handle, status, response);
    MHD_destroy_response(response);
    return r;
}

/* NULL: no such server, or no memory. */
static struct MHD_Response *make_answer(Exporter *e, ExpositionFormat format, bool gzip, const char *server)
{
    Usec start = clock_monotonic();
    Buf text = BUF_INIT;
    ExpositionOptions options = {.format = format, .server = server, .now_wall = clock_wall()};
    bool known = exposition_write(e->snapshots, &options, &text);
    if (known && !server)
        write_own(e, &text, format);
    exposition_append_end(&text, format);
    e->last_seconds = (double)(clock_monotonic() - start) / (double)USEC_PER_SEC;
    Buf packed = BUF_INIT;
    if (known && gzip && wire_compress(WIRE_GZIP, buf_slice(&text), &packed, NULL) >= 0)
        buf_done(&text);
    else
        gzip = false;
    Buf *body = gzip ? &packed : &text;
    size_t len = body->len;
    char *bytes = buf_take(body);
    struct MHD_Response *response = known ? MHD_create_response_from_buffer_with_free_callback(len, bytes, free) : NULL;
    buf_done(&packed);
    if (!response) {
        free(bytes);
        return NULL;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, exposition_content_type(format));
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
    if (gzip)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    return response;
}

static void drop_answer(Answer *answer)
{
    if (answer->response)
        MHD_destroy_response(answer->response); /* connections that send it have their own reference */
    *answer = (Answer){0};
}

static Slice header_of(struct MHD_Connection *handle, const char *name)
{
    return slice_cstr(MHD_lookup_connection_value(handle, MHD_HEADER_KIND, name));
}

static enum MHD_Result send_metrics(Exporter *e, struct MHD_Connection *handle)
{
    ExpositionFormat format = negotiate_format(header_of(handle, MHD_HTTP_HEADER_ACCEPT));
    bool gzip = negotiate_gzip(header_of(handle, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    const char *server = MHD_lookup_connection_value(handle, MHD_GET_ARGUMENT_KIND, "server");
    Usec now = clock_monotonic();
    Answer own = {0}, *answer = server ? &own : &e->answers[format][gzip];
    e->scrapes++;
    if (!answer->response || now - answer->made_at >= ANSWER_LIFETIME) {
        drop_answer(answer);
        *answer = (Answer){.response = make_answer(e, format, gzip, server), .made_at = now};
    }
    if (!answer->response)
        return send_text(e, handle, MHD_HTTP_NOT_FOUND, "no server of that name is watched\n");
    enum MHD_Result r = MHD_queue_response(handle, MHD_HTTP_OK, answer->response);
    if (server)
        drop_answer(answer);
    return r;
}

static bool may_scrape(const Exporter *e, const Connection *c, Slice authorization)
{
    static const Slice scheme = SLICE_LIT("Bearer ");
    if (!e->token[0] || c->is_loopback)
        return true;
    if (!slice_starts_with(authorization, scheme))
        return false;
    Slice given = slice_trim(slice_skip(authorization, scheme.len));
    return given.len == strlen(e->token) && CRYPTO_memcmp(given.ptr, e->token, given.len) == 0;
}

/* Answered as soon as the head is read: nobody sends us a body. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *handle, const char *url, const char *method,
                                  const char *version UNUSED, const char *body UNUSED, size_t *body_bytes UNUSED,
                                  void **context UNUSED)
{
    Exporter *e = cls;
    Connection *c = connection_of(handle);
    if (!c)
        return MHD_NO;
    c->deadline = clock_monotonic() + e->request_max;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return send_text(e, handle, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
    if (strcmp(url, "/") == 0)
        return send_text(e, handle, MHD_HTTP_OK, "pgAnalytics collector: metrics are at /metrics\n");
    if (strcmp(url, "/metrics") != 0)
        return send_text(e, handle, MHD_HTTP_NOT_FOUND, "there is nothing here but /metrics\n");
    if (!may_scrape(e, c, header_of(handle, MHD_HTTP_HEADER_AUTHORIZATION)))
        return send_text(e, handle, MHD_HTTP_UNAUTHORIZED, "a token is needed: Authorization: Bearer ...\n");
    return send_metrics(e, handle);
}

/* --- The thread --------------------------------------------------------------------------------------------------- */

/* Milliseconds that poll() may sleep; -1: until something happens. */
static int sleep_ms(const Exporter *e, Usec next_deadline, Usec now)
{
    int64_t ms = next_deadline == USEC_NEVER ? INT64_MAX : (next_deadline - now) / USEC_PER_MSEC + 1;
    for (size_t i = 0; i < e->daemon_count; i++) {
        MHD_UNSIGNED_LONG_LONG timeout;
        if (MHD_get_timeout(e->daemons[i], &timeout) == MHD_YES && (int64_t)timeout < ms)
            ms = (int64_t)timeout;
    }
    return ms == INT64_MAX ? -1 : ms > 60000 ? 60000 : ms < 0 ? 0 : (int)ms;
}

static void *run(void *arg)
{
    Exporter *e = arg;
    struct pollfd waiting[SETTINGS_LISTEN_MAX + 1] = {{.fd = e->wake_fd, .events = POLLIN}};
    for (size_t i = 0; i < e->daemon_count; i++) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(e->daemons[i], MHD_DAEMON_INFO_EPOLL_FD);
        waiting[i + 1] = (struct pollfd){.fd = info ? info->epoll_fd : -1, .events = POLLIN};
    }
    while (!e->stop) {
        Usec now = clock_monotonic();
        Usec next = expire_connections(e, now);
        if (poll(waiting, e->daemon_count + 1, sleep_ms(e, next, now)) < 0 && errno != EINTR)
            log_debug("poll of the exporter failed", log_int("errno", errno));
        for (size_t i = 0; i < e->daemon_count; i++)
            (void)MHD_run(e->daemons[i]);
    }
    return NULL;
}

static void on_library_log(void *cls UNUSED, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_library_log(void *cls UNUSED, const char *format, va_list args)
{
    log_library("libmicrohttpd", format, args);
}

static int open_address(Exporter *e, Slice address, Err *reterr)
{
    char host[LISTEN_HOST_SIZE];
    uint16_t port;
    if (!listen_parse(address, host, &port))
        return err_set(reterr, ERR_CONFIG, "prometheus.listen: \"%.*s\" is not HOST:PORT", SLICE_ARG(address));
    int fd = -1;
    int r = listen_tcp(host, port, BACKLOG, &fd, NULL, reterr);
    if (r < 0) {
        err_prefix(reterr, "prometheus.listen");
        return err_trace(r);
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, e, MHD_OPTION_EXTERNAL_LOGGER, on_library_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)EXPORTER_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)EXPORTER_HEAD_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(EXPORTER_IDLE_MAX / USEC_PER_SEC), MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, e, MHD_OPTION_NOTIFY_COMPLETED, on_completed, e, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    if (!daemon) {
        (void)close(fd);
        return err_set(reterr, ERR_INTERNAL, "the HTTP server could not be started");
    }
    e->daemons[e->daemon_count++] = daemon;
    return 0;
}

int exporter_start(Exporter **ret, const ExporterOptions *options, Err *reterr)
{
    _cleanup_(exporter_stopp) Exporter *e = mem_alloc(sizeof(*e));
    *e = (Exporter){.snapshots = options->snapshots,
                    .on_own_metrics = options->on_own_metrics,
                    .arg = options->arg,
                    .token = mem_strdup(options->token ? options->token : ""),
                    .request_max = options->request_max ? options->request_max : EXPORTER_REQUEST_MAX,
                    .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (e->wake_fd < 0)
        return err_set_errno(reterr, ERR_INTERNAL, errno, "eventfd");
    for (Slice rest = slice_cstr(options->listen); rest.ptr && e->daemon_count < SETTINGS_LISTEN_MAX;) {
        int r = open_address(e, slice_trim(slice_split(&rest, ',')), reterr);
        if (r < 0)
            return err_trace(r);
    }
    int number = pthread_create(&e->thread, NULL, run, e);
    if (number)
        return err_set_errno(reterr, ERR_INTERNAL, number, "starting a thread");
    (void)pthread_setname_np(e->thread, "exporter"); /* for people who look; the thread works without */
    e->running = true;
    *ret = TAKE_PTR(e);
    return 0;
}

Exporter *exporter_stop(Exporter *e)
{
    if (!e)
        return NULL;
    if (e->running) {
        e->stop = true;
        (void)!write(e->wake_fd, &(uint64_t){1}, sizeof(uint64_t)); /* its counter cannot be full */
        pthread_join(e->thread, NULL);
    }
    for (size_t i = 0; i < e->daemon_count; i++)
        MHD_stop_daemon(e->daemons[i]);
    for (size_t i = 0; i < _EXPOSITION_FORMAT_MAX * ENCODINGS; i++)
        drop_answer(&e->answers[i / ENCODINGS][i % ENCODINGS]);
    closep(&e->wake_fd);
    explicit_bzero(e->token, strlen(e->token));
    free(e->token);
    free(e);
    return NULL;
}
