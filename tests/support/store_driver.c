/* SPDX-License-Identifier: PostgreSQL */
/*
 * The store and the ingest without the HTTP around them, for tests/sql/test_store.py.
 *   store_driver migrate CONNINFO
 *   store_driver query CONNINFO NAME [PARAMETER...]     \N is SQL NULL; prints the value, or nothing when it is empty
 *   store_driver maintain CONNINFO NOW                  NOW: RFC 3339
 *   store_driver push CONNINFO                          a push a line on stdin, "number answer" a line on stdout, as
 * they come store_driver cluster DATA_DIR                       prints the connection string; stops at the end of stdin
 * Failures of the store are answers: {"error":"slug","message":"..."} and exit code 3.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend/ingest/ingest.h"
#include "backend/store/cluster.h"
#include "backend/store/maintenance.h"
#include "backend/store/store.h"
#include "lib/base/log.h"

static const Usec DEADLINE = 60 * USEC_PER_SEC;

static void print_error(const char *before, const Err *err)
{
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_printf(&b, "%s{\"error\":\"%s\",\"message\":", before, err_code_slug(err->code));
    buf_append_json_string(&b, slice_cstr(err->detail));
    buf_append_cstr(&b, "}\n");
    (void)fputs(buf_cstr(&b), stdout); /* the test notices what is missing */
    (void)fflush(stdout);
}

static int finish(int r, const Err *err)
{
    if (r >= 0)
        return 0;
    print_error("", err);
    return 3;
}

static int run_query(Store *s, int argc, char **argv, Err *reterr)
{
    const char *values[16];
    size_t count = 0;
    for (int i = 1; i < argc && count < ARRAY_LENGTH(values); i++)
        values[count++] = strcmp(argv[i], "\\N") == 0 ? NULL : argv[i];
    _cleanup_buf_ Buf value = BUF_INIT;
    StoreParams params = {.values = values, .count = count};
    int r = store_query(s, argv[0], params, clock_monotonic() + DEADLINE, &value, reterr);
    if (r == STORE_OK)
        (void)puts(buf_cstr(&value)); /* as above */
    return r;
}

typedef struct Job {
    unsigned long number;
    Buf text;
    Arena *arena;
    PushBatch batch;
} Job;

static pthread_mutex_t print_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_done(void *arg, const PushAnswer *answer, const Err *err)
{
    Job *job = arg;
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_printf(&b, "%lu ", job->number);
    pthread_mutex_lock(&print_lock);
    if (err) {
        print_error(buf_cstr(&b), err);
    } else {
        push_answer_encode(answer, &b);
        (void)puts(buf_cstr(&b)); /* as above */
        (void)fflush(stdout);
    }
    pthread_mutex_unlock(&print_lock);
    buf_done(&job->text);
    arena_free(job->arena);
    free(job);
}

static void push_line(Ingest *i, unsigned long number, const char *line, size_t len)
{
    Err err = ERR_INIT;
    Job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->number = number;
    job->arena = arena_new(0);
    buf_append(&job->text, slice_from(line, len));
    int r = push_decode(buf_slice(&job->text), job->arena, &job->batch, &err);
    if (r >= 0) {
        char *id = arena_printf(job->arena, "%.*s", SLICE_ARG(job->batch.collector_id));
        r = ingest_push(i, &job->batch, id, clock_monotonic() + DEADLINE, on_done, job, &err);
    }
    if (r < 0)
        on_done(job, NULL, &err);
}

static int run_push(Store *s, const Catalog *catalog, Err *reterr)
{
    _cleanup_(ingest_freep) Ingest *i = NULL;
    IngestOptions options = {.store = s, .catalog = catalog};
    int r = ingest_new(&i, &options, reterr);
    if (r < 0)
        return r;
    char *line = NULL;
    size_t capacity = 0;
    unsigned long number = 0;
    for (ssize_t n = getline(&line, &capacity, stdin); n > 0; n = getline(&line, &capacity, stdin))
        push_line(i, number++, line, (size_t)n);
    free(line);
    return 0;
}

static int with_store(int argc, char **argv, Err *reterr)
{
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    _cleanup_(store_closep) Store *s = NULL;
    int r = catalog_new_builtin(&catalog, reterr);
    if (r < 0)
        return r;
    StoreOptions options = {.conninfo = argv[2], .catalog = catalog};
    r = store_open(&s, &options, reterr);
    if (r < 0)
        return r;
    Usec now = 0;
    if (strcmp(argv[1], "migrate") == 0)
        return store_migrate(s, clock_monotonic() + DEADLINE, reterr);
    if (strcmp(argv[1], "maintain") == 0 && argc > 3 && clock_parse_iso(slice_cstr(argv[3]), &now))
        return maintenance_run(s, now, reterr);
    if (strcmp(argv[1], "query") == 0 && argc > 3)
        return run_query(s, argc - 3, argv + 3, reterr);
    if (strcmp(argv[1], "push") == 0)
        return run_push(s, catalog, reterr);
    return err_set(reterr, ERR_USAGE, "see the head of tests/support/store_driver.c");
}

static int run_cluster(const char *data_dir, Err *reterr)
{
    _cleanup_(cluster_stopp) Cluster *c = NULL;
    int r = cluster_start(&c, &(ClusterOptions){.data_dir = data_dir}, reterr);
    if (r < 0)
        return r;
    (void)puts(cluster_conninfo(c)); /* as above */
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    Err err = ERR_INIT;
    log_setup("store_driver", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    if (argc >= 3 && strcmp(argv[1], "cluster") == 0)
        return finish(run_cluster(argv[2], &err), &err);
    if (argc >= 3)
        return finish(with_store(argc, argv, &err), &err);
    (void)err_set(&err, ERR_USAGE, "see the head of tests/support/store_driver.c");
    return finish(-1, &err);
}
