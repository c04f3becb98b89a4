/* SPDX-License-Identifier: PostgreSQL */
/*
 * The pool's idle connections are a stack: the one used last is used next, so that a quiet backend lets the others age.
 * All fields are under the mutex; connecting is done outside of it. Invariant: open = idle + taken, open <= most.
 */
#include "backend/store/pool.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "lib/base/random.h"

struct Pool {
    pthread_mutex_t lock;
    pthread_cond_t given; /* on the monotonic clock */
    const char *conninfo;
    size_t most;
    size_t open;
    size_t idle_count;
    PgConn **idle;
    Backoff backoff;
    Usec away_until; /* monotonic: no attempt to connect before */
    Err away;        /* why */
};

static const Usec CONNECT_TIMEOUT = 5 * USEC_PER_SEC;

static const char *const SETTINGS[] = {
    "search_path=pg_catalog",
    "timezone=UTC",
    "datestyle=ISO",
    "jit=off",
    "idle_in_transaction_session_timeout=60000",
    NULL,
};

Pool *pool_new(const char *conninfo, size_t connections)
{
    assert(connections > 0);
    Pool *p = calloc(1, sizeof *p);
    PgConn **idle = calloc(connections, sizeof *idle);
    if (!p || !idle)
        abort();
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->given, &attributes);
    pthread_condattr_destroy(&attributes);
    p->conninfo = conninfo;
    p->most = connections;
    p->idle = idle;
    p->backoff = (Backoff){.base = 100 * USEC_PER_MSEC, .cap = 5 * USEC_PER_SEC};
    return p;
}

Pool *pool_free(Pool *p)
{
    if (!p)
        return NULL;
    assert(p->open == p->idle_count);
    for (size_t i = 0; i < p->idle_count; i++)
        pg_conn_close(p->idle[i]);
    pthread_cond_destroy(&p->given);
    pthread_mutex_destroy(&p->lock);
    free(p->idle);
    free(p);
    return NULL;
}

int pool_connect(const char *conninfo, const char *application_name, Usec timeout, PgConn **ret, Err *reterr)
{
    PgConnOptions options = {
        .conninfo = conninfo,
        .application_name = application_name,
        .settings = SETTINGS,
        .connect_timeout = timeout,
    };
    return err_trace(pg_conn_open(ret, &options, reterr));
}

bool pool_connection_is_stale(PgConn *c)
{
    if (!pg_conn_usable(c))
        return true;
    /* A server says nothing to an idle connection, except goodbye. */
    struct pollfd p = {.fd = pg_conn_socket(c), .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

/* Waits under the lock until a connection is idle or one more may be opened. */
static int wait_for_room(Pool *p, Usec deadline, Err *reterr)
{
    struct timespec until = {.tv_sec = deadline / USEC_PER_SEC, .tv_nsec = deadline % USEC_PER_SEC * 1000};
    while (p->idle_count == 0 && p->open >= p->most)
        if (pthread_cond_timedwait(&p->given, &p->lock, &until) != 0)
            return err_set(reterr, ERR_UNAVAILABLE, "all %zu connections to the store are busy", p->most);
    return 0;
}

static int connect_one(Pool *p, Usec deadline, PgConn **ret, Err *reterr)
{
    Usec left = deadline - clock_monotonic();
    Err cause = ERR_INIT;
    int r = pool_connect(p->conninfo, "pganalytics-api", left < CONNECT_TIMEOUT ? left : CONNECT_TIMEOUT, ret, &cause);

    pthread_mutex_lock(&p->lock);
    if (r < 0) {
        p->open--;
        p->away = cause;
        p->away_until = clock_monotonic() + backoff_next(&p->backoff);
        pthread_cond_signal(&p->given);
    } else {
        backoff_reset(&p->backoff);
        p->away_until = 0;
    }
    pthread_mutex_unlock(&p->lock);
    if (r < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "the store is away: %s", cause.detail);
    return 0;
}

int pool_take(Pool *p, Usec deadline, PgConn **ret, Err *reterr)
{
    for (;;) {
        PgConn *c = NULL;
        pthread_mutex_lock(&p->lock);
        int r = wait_for_room(p, deadline, reterr);
        if (r < 0) {
            pthread_mutex_unlock(&p->lock);
            return r;
        }
        if (p->idle_count > 0) {
            c = p->idle[--p->idle_count];
        } else if (clock_monotonic() < p->away_until) {
            r = err_set(reterr, ERR_UNAVAILABLE, "the store is away: %s", p->away.detail);
        } else {
            p->open++;
        }
        pthread_mutex_unlock(&p->lock);
        if (r < 0)
            return r;
        if (!c)
            return connect_one(p, deadline, ret, reterr);
        if (!pool_connection_is_stale(c)) {
            *ret = c;
            return 0;
        }
        pool_discard(p, c); /* and its neighbours are probably as old: the loop finds out */
    }
}

void pool_give(Pool *p, PgConn *c)
{
    if (!pg_conn_usable(c)) {
        pool_discard(p, c);
        return;
    }
    pthread_mutex_lock(&p->lock);
    p->idle[p->idle_count++] = c;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

void pool_discard(Pool *p, PgConn *c)
{
    pg_conn_close(c);
    pthread_mutex_lock(&p->lock);
    p->open--;
    pthread_cond_signal(&p->given);
    pthread_mutex_unlock(&p->lock);
}

size_t pool_open_count(Pool *p)
{
    pthread_mutex_lock(&p->lock);
    size_t open = p->open;
    pthread_mutex_unlock(&p->lock);
    return open;
}
