/* SPDX-License-Identifier: PostgreSQL */
/* Workers: threads that run access checks and handlers. They take exchanges from one bounded queue. */
#include "backend/http/exchange.h"

static void run_handler(HttpExchange *x)
{
    HttpListener *l = x->listener;
    HttpRequest *r = &x->request;
    if (http_exchange_is_expired(x)) { /* waited too long for a worker; the client has its answer */
        http_exchange_unref(x);
        return;
    }

    Err err = ERR_INIT;
    int result = 0;
    if (r->route->access != ACCESS_ANYONE)
        result = l->options.on_access ? l->options.on_access(r, r->route->access, &err)
                                      : err_set(&err, ERR_FORBIDDEN, "this path is closed");
    if (result >= 0)
        result = r->route->handler(r, &err);
    if (result != HTTP_LATER) /* else the request may be gone already */
        http_request_finish(r, result, &err);
}

static void *worker_main(void *arg)
{
    HttpListener *l = arg;
    HttpExchange *x;
    while ((x = queue_pop(l->queue, USEC_NEVER)) != NULL)
        run_handler(x);
    return NULL;
}

int http_workers_start(HttpListener *l, Err *reterr)
{
    l->queue = queue_new(l->options.queue_capacity);
    l->workers = calloc(l->options.workers, sizeof *l->workers);
    if (!l->queue || !l->workers)
        return err_set(reterr, ERR_OUT_OF_MEMORY, "workers");
    while (l->workers_running < l->options.workers) {
        int failed = pthread_create(&l->workers[l->workers_running], NULL, worker_main, l);
        if (failed)
            return err_set_errno(reterr, ERR_INTERNAL, failed, "worker thread %u", l->workers_running + 1);
        l->workers_running++;
    }
    return 0;
}

void http_workers_stop(HttpListener *l)
{
    if (l->queue)
        queue_close(l->queue);
    while (l->workers_running > 0)
        (void)pthread_join(l->workers[--l->workers_running], NULL);
    free(l->workers);
    l->workers = NULL;
    (void)queue_free(l->queue);
    l->queue = NULL;
}
