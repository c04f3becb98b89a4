/* SPDX-License-Identifier: PostgreSQL */
/* Own metrics: the exact text that Prometheus reads, and sums that hold under concurrent change. */
#include "tests/support/unit.h"

#include <math.h>
#include <pthread.h>

#include "lib/telemetry/telemetry.h"

static void writes_counters_and_gauges(void **state)
{
    (void)state;
    Counter ok = {.name = "pushes_total", .labels = "code=\"ok\"", .help = "Pushes.\nBy \\ code."};
    Counter bad = {.name = "pushes_total", .labels = "code=\"bad\"", .help = "Pushes.\nBy \\ code."};
    Gauge depth = {.name = "queue_depth", .help = "Waiting."};
    const TelemetryEntry entries[] = {{TELEMETRY_COUNTER, &ok}, {TELEMETRY_COUNTER, &bad}, {TELEMETRY_GAUGE, &depth}};
    counter_add(&ok, UINT64_MAX);
    counter_add(&bad, 2);
    gauge_set(&depth, 5);
    gauge_add(&depth, -12);
    _cleanup_buf_ Buf out = BUF_INIT;
    telemetry_write_text(&out, entries, ARRAY_LENGTH(entries));
    assert_slice(buf_slice(&out), "# HELP pushes_total Pushes.\\nBy \\\\ code.\n"
                                  "# TYPE pushes_total counter\n"
                                  "pushes_total{code=\"ok\"} 18446744073709551615\n"
                                  "pushes_total{code=\"bad\"} 2\n"
                                  "# HELP queue_depth Waiting.\n"
                                  "# TYPE queue_depth gauge\n"
                                  "queue_depth -7\n");
}

static void writes_histograms_cumulatively(void **state)
{
    (void)state;
    static const double bounds[] = {0.005, 0.1, 2.5};
    Histogram plain = {.name = "t_seconds", .help = "Time.", .bounds = bounds, .bounds_count = 3};
    Histogram labelled = {
        .name = "t_seconds", .labels = "route=\"/x\"", .help = "Time.", .bounds = bounds, .bounds_count = 3};
    histogram_observe(&plain, 0.005); /* the bound itself belongs to its bucket */
    histogram_observe(&plain, 0.0051);
    histogram_observe(&plain, 0);
    histogram_observe(&plain, -1); /* counted, but a sum never goes down */
    histogram_observe(&plain, 10);
    histogram_observe(&plain, (double)NAN);
    histogram_observe(&plain, (double)INFINITY);
    const TelemetryEntry entries[] = {{TELEMETRY_HISTOGRAM, &plain}, {TELEMETRY_HISTOGRAM, &labelled}};
    _cleanup_buf_ Buf out = BUF_INIT;
    telemetry_write_text(&out, entries, ARRAY_LENGTH(entries));
    assert_slice(buf_slice(&out), "# HELP t_seconds Time.\n"
                                  "# TYPE t_seconds histogram\n"
                                  "t_seconds_bucket{le=\"0.005\"} 3\n"
                                  "t_seconds_bucket{le=\"0.1\"} 4\n"
                                  "t_seconds_bucket{le=\"2.5\"} 4\n"
                                  "t_seconds_bucket{le=\"+Inf\"} 6\n"
                                  "t_seconds_sum 10.0101\n"
                                  "t_seconds_count 6\n"
                                  "t_seconds_bucket{route=\"/x\",le=\"0.005\"} 0\n"
                                  "t_seconds_bucket{route=\"/x\",le=\"0.1\"} 0\n"
                                  "t_seconds_bucket{route=\"/x\",le=\"2.5\"} 0\n"
                                  "t_seconds_bucket{route=\"/x\",le=\"+Inf\"} 0\n"
                                  "t_seconds_sum{route=\"/x\"} 0\n"
                                  "t_seconds_count{route=\"/x\"} 0\n");
}

static const double one_bound[] = {0.5};
static Counter shared_counter = {.name = "c", .help = "c"};
static Histogram shared_histogram = {.name = "h", .help = "h", .bounds = one_bound, .bounds_count = 1};

enum { THREADS = 4, ROUNDS = 20000 };

static void *change(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        counter_add(&shared_counter, 1);
        histogram_observe(&shared_histogram, i % 2);
    }
    return NULL;
}

static void loses_nothing_between_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, change, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(shared_counter.value, THREADS * ROUNDS);
    assert_int_equal(shared_histogram.buckets[0], THREADS * ROUNDS / 2);
    assert_int_equal(shared_histogram.buckets[1], THREADS * ROUNDS / 2);
    assert_int_equal(shared_histogram.sum_micro, (uint64_t)THREADS * ROUNDS / 2 * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_counters_and_gauges),
        cmocka_unit_test(writes_histograms_cumulatively),
        cmocka_unit_test(loses_nothing_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
