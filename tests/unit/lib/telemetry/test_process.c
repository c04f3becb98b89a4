/* SPDX-License-Identifier: PostgreSQL */
/* The process's own figures: present, of the right size, and moving when the process changes. */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/telemetry/telemetry.h"

static double figure(const char *name)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    telemetry_write_process(&out, EXPOSITION_TEXT);
    Slice rest = buf_slice(&out);
    while (rest.ptr) {
        Slice line = slice_split(&rest, '\n');
        double value;
        if (slice_eq_cstr(slice_split(&line, ' '), name) && slice_to_double(line, &value))
            return value;
    }
    fail_msg("%s is not there", name);
    return 0;
}

static void tells_size_and_age(void **state)
{
    (void)state;
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    double peak = (double)usage.ru_maxrss * 1024;
    double resident = figure("process_resident_memory_bytes");
    assert_true(resident > peak / 100 && resident <= peak * 1.5);
    assert_true(figure("process_virtual_memory_bytes") > resident);
    assert_true(figure("process_cpu_seconds_total") >= 0);
    assert_true(figure("process_max_fds") >= 64);
    double started = figure("process_start_time_seconds");
    double now = (double)clock_wall() / (double)USEC_PER_SEC;
    assert_true(started > now - 600 && started < now + 2);
}

static void counts_descriptors(void **state)
{
    (void)state;
    double before = figure("process_open_fds");
    _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(figure("process_open_fds") == before + 1);
    int open_fds = 0;
    for (int i = 0; i < 1024; i++)
        open_fds += fcntl(i, F_GETFD) >= 0;
    assert_true(figure("process_open_fds") == open_fds);
}

static void *wait_at(void *barrier)
{
    (void)pthread_barrier_wait(barrier);
    return NULL;
}

static void *end_at_once(void *arg)
{
    return arg;
}

static void counts_threads(void **state)
{
    (void)state;
    pthread_barrier_t barrier;
    /* The thread sanitizer starts a thread of its own with our first. */
    pthread_t first;
    assert_int_equal(pthread_create(&first, NULL, end_at_once, NULL), 0);
    assert_int_equal(pthread_join(first, NULL), 0);

    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    double before = figure("process_threads");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_at, &barrier), 0);
    assert_true(figure("process_threads") == before + 1);
    (void)pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_barrier_destroy(&barrier);
}

static void describes_each_figure(void **state)
{
    (void)state;
    _cleanup_buf_ Buf out = BUF_INIT;
    telemetry_write_process(&out, EXPOSITION_TEXT);
    Slice rest = buf_slice(&out);
    for (Slice line; (line = slice_split(&rest, '\n')).len > 0;) {
        assert_true(slice_starts_with(line, SLICE_LIT("# HELP process_")));
        assert_true(slice_starts_with(slice_split(&rest, '\n'), SLICE_LIT("# TYPE process_")));
        assert_true(slice_starts_with(slice_split(&rest, '\n'), SLICE_LIT("process_")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_size_and_age),
        cmocka_unit_test(counts_descriptors),
        cmocka_unit_test(counts_threads),
        cmocka_unit_test(describes_each_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
