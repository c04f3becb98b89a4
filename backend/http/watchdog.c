/* SPDX-License-Identifier: PostgreSQL */
/*
 * Watchdog: one thread that holds everything to its deadline. libmicrohttpd's timeouts begin anew with every byte, so
 * a client that sends one byte now and then would stay for ever; and suspended connections have none at all.
 * Each turn it looks at all connections (some thousand pointers: microseconds), all pending exchanges, and the
 * lingering sockets.
 */
#include "backend/http/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const Usec turn_max = 250 * USEC_PER_MSEC;
static const Usec turn_min = 5 * USEC_PER_MSEC;
static const Usec linger_time = 2 * USEC_PER_SEC;
enum { LINGER_BYTES = 32 << 20, LINGER_READ = 16384, LINGER_READS_A_TURN = 64 };

static const HttpEvent phase_events[] = {
    [HTTP_PHASE_IDLE] = HTTP_EVENT_TIMEOUT_IDLE, [HTTP_PHASE_HEAD] = HTTP_EVENT_TIMEOUT_HEAD,
    [HTTP_PHASE_BODY] = HTTP_EVENT_TIMEOUT_BODY, [HTTP_PHASE_PENDING] = HTTP_EVENT_TIMEOUT_HANDLER,
    [HTTP_PHASE_SEND] = HTTP_EVENT_TIMEOUT_SEND,
};

static void shut_overdue_connections(HttpListener *l, Usec now)
{
    (void)pthread_mutex_lock(&l->connections_lock);
    for (HttpConnection *c = l->connections; c; c = c->next) {
        if (atomic_load(&c->deadline) > now)
            continue;
        atomic_store(&c->deadline, USEC_NEVER); /* once */
        http_metrics_count(l->metrics, phase_events[atomic_load(&c->phase)]);
        (void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd sees the end and cleans up; gone already is as good */
    }
    (void)pthread_mutex_unlock(&l->connections_lock);
}

static void expire_pending(HttpListener *l, Usec now)
{
    (void)pthread_mutex_lock(&l->pending_lock);
    for (HttpExchange *x = l->pending; x; x = x->pending_next) {
        if (x->outcome != HTTP_OUTCOME_NONE || x->expires > now)
            continue;
        x->outcome = HTTP_OUTCOME_EXPIRED;
        http_metrics_count(l->metrics, HTTP_EVENT_TIMEOUT_HANDLER);
        MHD_resume_connection(x->connection->handle);
    }
    (void)pthread_mutex_unlock(&l->pending_lock);
}

/* Reads what there is. False: the socket is done with. */
static bool linger_read(HttpLinger *g)
{
    char scratch[LINGER_READ];
    for (int i = 0; i < LINGER_READS_A_TURN; i++) {
        ssize_t n = recv(g->fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (n == 0 || (size_t)n >= g->bytes_left)
            return false;
        g->bytes_left -= (size_t)n;
    }
    return true;
}

static void serve_lingering(HttpListener *l, Usec now)
{
    (void)pthread_mutex_lock(&l->linger_lock);
    size_t kept = 0;
    for (size_t i = 0; i < l->lingering_count; i++) {
        HttpLinger *g = &l->lingering[i];
        if (now < g->until && linger_read(g))
            l->lingering[kept++] = *g;
        else
            (void)close(g->fd);
    }
    l->lingering_count = kept;
    (void)pthread_mutex_unlock(&l->linger_lock);
}

static void wake(HttpListener *l)
{
    uint64_t one = 1;
    (void)!write(l->wake_fd, &one, sizeof one); /* full means that it is awake anyway */
}

void http_watchdog_linger(HttpListener *l, int fd)
{
    (void)pthread_mutex_lock(&l->linger_lock);
    int own = l->lingering_count < HTTP_LINGER_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0)
        l->lingering[l->lingering_count++] =
            (HttpLinger){.fd = own, .until = clock_monotonic() + linger_time, .bytes_left = LINGER_BYTES};
    (void)pthread_mutex_unlock(&l->linger_lock);
    if (own >= 0)
        wake(l);
}

static Usec turn_length(const HttpListenerOptions *o)
{
    const Usec all[] = {o->idle_timeout, o->head_timeout, o->body_timeout, o->handler_timeout, o->send_timeout};
    Usec turn = turn_max;
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        turn = all[i] / 8 < turn ? all[i] / 8 : turn;
    return turn < turn_min ? turn_min : turn;
}

/* Waits for a turn, a wake-up, or something to read on a lingering socket. */
static void wait_turn(HttpListener *l, Usec turn)
{
    struct pollfd fds[1 + HTTP_LINGER_MAX] = {{.fd = l->wake_fd, .events = POLLIN}};
    (void)pthread_mutex_lock(&l->linger_lock);
    size_t count = l->lingering_count;
    for (size_t i = 0; i < count; i++)
        fds[1 + i] = (struct pollfd){.fd = l->lingering[i].fd, .events = POLLIN};
    (void)pthread_mutex_unlock(&l->linger_lock);

    if (poll(fds, 1 + count, (int)(turn / USEC_PER_MSEC)) > 0 && (fds[0].revents & POLLIN)) {
        uint64_t ignored;
        (void)!read(l->wake_fd, &ignored, sizeof ignored);
    }
}

static void *watchdog_main(void *arg)
{
    HttpListener *l = arg;
    Usec turn = turn_length(&l->options);
    while (!atomic_load(&l->watchdog_ends)) {
        wait_turn(l, turn);
        Usec now = clock_monotonic();
        shut_overdue_connections(l, now);
        expire_pending(l, now);
        serve_lingering(l, now);
    }
    serve_lingering(l, USEC_NEVER);
    return NULL;
}

void http_watchdog_expire_all(HttpListener *l)
{
    expire_pending(l, USEC_NEVER);
}

void http_watchdog_shut_all(HttpListener *l)
{
    (void)pthread_mutex_lock(&l->connections_lock);
    for (HttpConnection *c = l->connections; c; c = c->next)
        (void)shutdown(c->fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&l->connections_lock);
}

int http_watchdog_start(HttpListener *l, Err *reterr)
{
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0)
        return err_set_errno(reterr, ERR_INTERNAL, errno, "eventfd");
    int failed = pthread_create(&l->watchdog, NULL, watchdog_main, l);
    if (failed)
        return err_set_errno(reterr, ERR_INTERNAL, failed, "watchdog thread");
    l->watchdog_runs = true;
    return 0;
}

void http_watchdog_stop(HttpListener *l)
{
    if (l->watchdog_runs) {
        atomic_store(&l->watchdog_ends, true);
        wake(l);
        (void)pthread_join(l->watchdog, NULL);
        l->watchdog_runs = false;
    }
    if (l->wake_fd >= 0)
        (void)close(l->wake_fd);
    l->wake_fd = -1;
}
