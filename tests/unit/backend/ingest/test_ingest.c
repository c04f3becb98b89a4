/* SPDX-License-Identifier: PostgreSQL */
/* The queue and the answers, with a store that is away: what is stored is proved on a real one in tests/sql. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "backend/ingest/ingest.h"
#include "tests/unit/backend/ingest/fixture.h"

typedef struct Answers {
    pthread_mutex_t lock;
    unsigned unavailable;
    unsigned too_late; /* among them */
    unsigned other;
} Answers;

static void on_done(void *arg, const PushAnswer *answer, const Err *err)
{
    Answers *a = arg;
    pthread_mutex_lock(&a->lock);
    if (!answer && err && err->code == ERR_UNAVAILABLE) {
        a->unavailable++;
        a->too_late += strstr(err->detail, "waited too long") != NULL;
    } else
        a->other++;
    pthread_mutex_unlock(&a->lock);
}

static int64_t gauge_value(const char *name)
{
    size_t count = 0;
    const TelemetryEntry *entries = ingest_telemetry(&count);
    for (size_t i = 0; i < count; i++)
        if (entries[i].type == TELEMETRY_GAUGE && strcmp(((Gauge *)entries[i].metric)->name, name) == 0)
            return ((Gauge *)entries[i].metric)->value;
    fail_msg("no gauge %s", name);
    return -1;
}

static void every_push_is_answered_once_or_refused_at_once(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_(store_closep) Store *store = NULL;
    Err err = ERR_INIT;
    Answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER};
    StoreOptions options = {.conninfo = "host=/nonexistent dbname=x user=x", .catalog = catalog};
    assert_int_equal(store_open(&store, &options, &err), 0);
    Ingest *ingest = NULL;
    IngestOptions ingest_options = {.store = store, .catalog = catalog, .writers = 2, .queue_batches = 4};
    assert_int_equal(ingest_new(&ingest, &ingest_options, &err), 0);

    PushBatch push = fixture_push(arena, "");
    unsigned taken = 0;
    unsigned too_late = 0;
    unsigned refused = 0;
    pthread_mutex_lock(&answers.lock); /* the writers are held up at their first answer, so the queue fills */
    for (int i = 0; i < 500; i++) {
        Usec deadline = i % 10 == 0 ? 0 : clock_monotonic() + 60 * USEC_PER_SEC; /* some are too late from the start */
        err = ERR_INIT;
        int r = ingest_push(ingest, &push, "c", deadline, on_done, &answers, &err);
        taken += r >= 0;
        too_late += r >= 0 && i % 10 == 0;
        if (r < 0)
            assert_int_equal(err.code, ERR_TOO_MANY_REQUESTS);
        refused += r < 0;
    }
    pthread_mutex_unlock(&answers.lock);
    ingest_free(ingest);
    assert_true(taken > 0);
    assert_int_equal(taken + refused, 500);
    assert_int_equal(answers.unavailable, taken);
    assert_int_equal(answers.too_late, too_late);
    assert_int_equal(answers.other, 0);
    assert_true(refused > 0);
    assert_int_equal(gauge_value("pganalytics_ingest_queue_bytes"), 0); /* refused ones were given back */
    assert_int_equal(gauge_value("pganalytics_ingest_queue_batches"), 0);
}

static void a_push_larger_than_the_queue_goes_through_alone(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_(store_closep) Store *store = NULL;
    Err err = ERR_INIT;
    Answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER};
    StoreOptions options = {.conninfo = "host=/nonexistent dbname=x user=x", .catalog = catalog};
    assert_int_equal(store_open(&store, &options, &err), 0);
    _cleanup_(ingest_freep) Ingest *ingest = NULL;
    IngestOptions ingest_options = {.store = store, .catalog = catalog, .queue_bytes = 1};
    assert_int_equal(ingest_new(&ingest, &ingest_options, &err), 0);
    PushBatch push = fixture_push(arena, "");
    assert_int_equal(ingest_push(ingest, &push, "c", clock_monotonic() + 60 * USEC_PER_SEC, on_done, &answers, &err),
                     0);
    ingest = ingest_free(ingest);
    assert_int_equal(answers.unavailable, 1);
}

static void what_waits_is_counted_with_what_will_be_refused(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_(store_closep) Store *store = NULL;
    Err err = ERR_INIT;
    Answers answers = {.lock = PTHREAD_MUTEX_INITIALIZER};
    StoreOptions options = {.conninfo = "host=/nonexistent dbname=x user=x", .catalog = catalog};
    assert_int_equal(store_open(&store, &options, &err), 0);
    Ingest *ingest = NULL;
    IngestOptions ingest_options = {.store = store, .catalog = catalog, .writers = 1, .queue_bytes = 64 << 10};
    assert_int_equal(ingest_new(&ingest, &ingest_options, &err), 0);

    _cleanup_buf_ Buf members = BUF_INIT; /* some 40 kB for a family that nobody knows */
    buf_append_cstr(&members,
                    "\"spool\":\"s\",\"sequence\":1,\"servers\":[{\"name\":\"m\"}],\"frames\":[{\"family\":\"nobodys\","
                    "\"server\":\"m\",\"time\":\"2026-01-01T00:00:00Z\",\"columns\":[\"a\"],\"rows\":[");
    for (int i = 0; i < 40; i++)
        buf_printf(&members, "%s[\"%01000d\"]", i ? "," : "", i);
    buf_append_cstr(&members, "]}]");
    PushBatch push = fixture_push(arena, buf_cstr(&members));
    assert_in_range(push.memory_bytes, 40000, 60000);
    unsigned taken = 0;
    int r = 0;
    pthread_mutex_lock(&answers.lock); /* the writer is held up at its first answer */
    while (r >= 0 && taken < 100) {
        r = ingest_push(ingest, &push, "c", clock_monotonic() + 60 * USEC_PER_SEC, on_done, &answers, &err);
        taken += r >= 0;
    }
    pthread_mutex_unlock(&answers.lock);
    ingest = ingest_free(ingest);
    assert_int_equal(err.code, ERR_TOO_MANY_REQUESTS);
    assert_in_range(taken, 1, 55); /* the writer's own group, then one that waits */
}

static void too_many_writers_are_refused(void **state)
{
    (void)state;
    Ingest *ingest = NULL;
    Err err = ERR_INIT;
    assert_true(ingest_new(&ingest, &(IngestOptions){.writers = 1000}, &err) < 0);
    assert_int_equal(err.code, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_push_is_answered_once_or_refused_at_once),
        cmocka_unit_test(a_push_larger_than_the_queue_goes_through_alone),
        cmocka_unit_test(what_waits_is_counted_with_what_will_be_refused),
        cmocka_unit_test(too_many_writers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
