/* SPDX-License-Identifier: PostgreSQL */
/* Log: both formats, levels and counts, whole lines from many threads, complaints that do not flood. */
#include "tests/support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"

static Buf lines = BUF_INIT;

static void keep_line(void *arg, LogLevel level, Slice line)
{
    (void)level;
    buf_append(arg, line);
    buf_append_char(arg, '\n');
}

static int begin(void **state)
{
    (void)state;
    buf_clear(&lines);
    log_setup("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_capture(keep_line, &lines);
    return 0;
}

static int end(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    buf_done(&lines);
    return 0;
}

/* The line behind its time, and the time in its form. */
static Slice without_time(const char *time_form)
{
    size_t len = strlen(time_form);
    assert_true(lines.len > len);
    for (size_t i = 0; i < len; i++)
        if (time_form[i] == '0' ? lines.ptr[i] < '0' || lines.ptr[i] > '9' : lines.ptr[i] != time_form[i])
            fail_msg("%s", lines.ptr);
    return slice_skip(slice_trim(buf_slice(&lines)), len);
}

static Err an_error(void)
{
    Err e = ERR_INIT;
    (void)err_set(&e, ERR_SQL, "no table \"t\"");
    err_hint(&e, "create it");
    memcpy(e.sqlstate, "42P01", 6);
    err_at(&e, 2, 5);
    return e;
}

static void writes_text(void **state)
{
    (void)state;
    Err e = an_error();
    log_info("it happened", log_str("word", "plain"), log_str("empty", ""), log_str("null", NULL),
             log_str("spaces", "a b"), log_str("lines", "a\nb"), log_str("sign", "a=b"), log_str("quote", "a\"b"),
             log_int("n", -5), log_number("x", 0.5), log_bool("yes", true), log_bool("no", false),
             log_slice("cut", slice_from("abcdef", 3)), log_str("euro", "\xE2\x82\xAC"), log_error_field(&e));
    assert_slice(without_time("0000-00-00 00:00:00.000 "),
                 "INFO  it happened word=plain empty=\"\" null=\"\" spaces=\"a b\" lines=\"a\\nb\" sign=\"a=b\" "
                 "quote=\"a\\\"b\" n=-5 x=0.5 yes=true no=false cut=abc euro=\"\xE2\x82\xAC\" "
                 "error=\"no table \\\"t\\\"\" code=sql_failed hint=\"create it\" sqlstate=42P01 place=2:5");
}

static void writes_json(void **state)
{
    (void)state;
    Err e = an_error();
    Err bare = {.code = ERR_TIMEOUT};
    log_setup("prog", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_warn("it \"happened\"", log_str("s", "a\nb"), log_int("n", INT64_MIN), log_number("x", 1e-7),
             log_number("nan", (double)NAN), log_bool("b", true), log_error_field(&e),
             ((LogField){.key = "cause", .type = LOG_FIELD_ERR, .value.err = &bare}));
    assert_slice(without_time("{\"time\":\"0000-00-00T00:00:00.000000Z\","),
                 "\"level\":\"warn\",\"program\":\"prog\",\"message\":\"it \\\"happened\\\"\",\"s\":\"a\\nb\","
                 "\"n\":-9223372036854775808,\"x\":1e-07,\"nan\":null,\"b\":true,"
                 "\"error\":{\"code\":\"sql_failed\",\"message\":\"no table \\\"t\\\"\",\"hint\":\"create it\","
                 "\"sqlstate\":\"42P01\",\"line\":2,\"column\":5},"
                 "\"cause\":{\"code\":\"timeout\",\"message\":\"it took longer than allowed\"}}");
}

static void names_the_source_at_debug_only(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("one");
    assert_non_null(strstr(lines.ptr, "DEBUG one source=tests/unit/lib/base/test_log.c:"));
    buf_clear(&lines);
    log_info("two");
    assert_null(strstr(lines.ptr, "source"));
    log_write(LOG_LEVEL_ERROR, "f.c", 1, "no fields", NULL);
    assert_non_null(strstr(lines.ptr, "ERROR no fields\n"));
    log_setup("test", LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
    log_write(LOG_LEVEL_DEBUG, "f.c", 12, "no fields", NULL);
    assert_non_null(strstr(lines.ptr, "\"message\":\"no fields\",\"source\":\"f.c:12\"}"));
}

static void PRINTF_LIKE(1, 2) library_says(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_library("libthing", format, args);
    va_end(args);
}

static void takes_the_words_of_libraries(void **state)
{
    (void)state;
    library_says("silent %d\n", 1);
    assert_int_equal(lines.len, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    library_says("failed with %d\n", 7);
    assert_non_null(strstr(lines.ptr, "library=libthing text=\"failed with 7\""));
}

static void keeps_below_its_level_silent(void **state)
{
    (void)state;
    uint64_t info = log_count(LOG_LEVEL_INFO), failures = log_count(LOG_LEVEL_ERROR);
    log_set_level(LOG_LEVEL_WARN);
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_true(log_enabled(LOG_LEVEL_WARN));
    log_info("silent");
    log_fail("loud");
    assert_int_equal(log_count(LOG_LEVEL_INFO), info);
    assert_int_equal(log_count(LOG_LEVEL_ERROR), failures + 1);
    assert_null(strstr(lines.ptr, "silent"));
}

static void knows_the_names_of_levels(void **state)
{
    (void)state;
    for (int i = 0; i < _LOG_LEVEL_MAX; i++) {
        LogLevel back = _LOG_LEVEL_MAX;
        assert_true(log_level_from_string(slice_cstr(log_level_to_string((LogLevel)i)), &back));
        assert_int_equal(back, i);
    }
    LogLevel level = LOG_LEVEL_WARN;
    assert_false(log_level_from_string(SLICE_LIT("INFO"), &level));
    assert_false(log_level_from_string(SLICE_LIT("verbose"), &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
}

enum { THREADS = 4, LINES_EACH = 300 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES_EACH; i++)
        log_info("from a thread", log_int("thread", *(int *)arg), log_int("i", i));
    return NULL;
}

static void *read_all(void *arg)
{
    int fd = *(int *)arg;
    Buf *text = calloc(1, sizeof(*text));
    char chunk[4096];
    for (ssize_t n; (n = read(fd, chunk, sizeof(chunk))) > 0;)
        buf_append(text, slice_from(chunk, (size_t)n));
    return text;
}

/* Standard error is a pipe of ours here, read meanwhile, since it is smaller than all the lines. */
static void writes_whole_lines_from_many_threads(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int before = dup(STDERR_FILENO);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(ends[1]);
    log_setup("threads", LOG_FORMAT_AUTO, LOG_LEVEL_INFO); /* no terminal: JSON */

    pthread_t reader, writers[THREADS];
    int numbers[THREADS];
    assert_int_equal(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&writers[i], NULL, write_lines, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(writers[i], NULL);
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    void *result;
    (void)pthread_join(reader, &result);
    (void)close(ends[0]);

    Buf *text = result;
    size_t count = 0;
    Slice rest = buf_slice(text);
    for (Slice line; (line = slice_split(&rest, '\n')).len > 0; count++) {
        assert_true(slice_starts_with(line, SLICE_LIT("{\"time\":\"")));
        assert_true(slice_ends_with(line, SLICE_LIT("}")));
        assert_int_equal(slice_find(slice_skip(line, 1), SLICE_LIT("{")), -1);
    }
    assert_int_equal(count, THREADS * LINES_EACH);
    buf_done(text);
    free(text);
}

static void survives_a_standard_error_that_takes_nothing(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    int before = dup(STDERR_FILENO);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    (void)dup2(full, STDERR_FILENO);
    errno = EINTR;
    log_info("into the void");
    int after = errno;
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    (void)close(full);
    assert_int_equal(after, EINTR); /* logging never disturbs the errno that is being handled */
}

typedef struct Step {
    int at_seconds;
    bool fails;    /* else it recovers */
    bool expected; /* a line is due */
    uint64_t held_back;
} Step;

static void run_steps(const Step *steps, size_t count)
{
    Complain c = {0};
    for (size_t i = 0; i < count; i++) {
        Usec now = steps[i].at_seconds * USEC_PER_SEC;
        bool due = steps[i].fails ? complain_due(&c, now) : complain_recovered(&c, now);
        if (due != steps[i].expected || (due && c.held_back != steps[i].held_back))
            fail_msg("step %zu: due %d, held back %llu", i, due, (unsigned long long)c.held_back);
    }
}

static void complains_first_and_then_ever_more_seldom(void **state)
{
    (void)state;
    static const Step steps[] = {
        {0, false, false, 0},                                             /* nothing to recover from */
        {0, true, true, 0},                                               /* the first is said */
        {1, true, false, 0},   {9, true, false, 0},  {10, true, true, 2}, /* 10 s later, two left out */
        {11, true, false, 0},  {29, true, false, 0}, {30, true, true, 2}, /* 20 s later */
        {70, true, true, 0},                                              /* 40 s later, none left out */
        {71, true, false, 0},  {72, false, true, 1},                      /* recovered, said once, one left out */
        {73, false, false, 0},
    };
    run_steps(steps, ARRAY_LENGTH(steps));
}

static void complains_at_least_every_hour(void **state)
{
    (void)state;
    Complain c = {0};
    Usec last = 0, longest = 0;
    for (Usec now = 0; now < 24 * 3600 * USEC_PER_SEC; now += 60 * USEC_PER_SEC) {
        if (!complain_due(&c, now))
            continue;
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    assert_int_equal(longest, 3600 * USEC_PER_SEC);
}

static void flapping_does_not_flood(void **state)
{
    (void)state;
    static const Step steps[] = {
        {100, true, true, 0},  {101, false, true, 0},  /* fails and recovers, both said */
        {102, true, false, 0}, {103, false, false, 0}, /* again at once: neither is */
        {104, true, false, 0}, {112, true, true, 2},   /* still failing 10 s after the last line: said */
        {113, false, true, 0}, {200, true, true, 0},   /* much later it is news again */
    };
    run_steps(steps, ARRAY_LENGTH(steps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_text, begin, end),
        cmocka_unit_test_setup_teardown(writes_json, begin, end),
        cmocka_unit_test_setup_teardown(names_the_source_at_debug_only, begin, end),
        cmocka_unit_test_setup_teardown(takes_the_words_of_libraries, begin, end),
        cmocka_unit_test_setup_teardown(keeps_below_its_level_silent, begin, end),
        cmocka_unit_test_setup_teardown(writes_whole_lines_from_many_threads, begin, end),
        cmocka_unit_test_setup_teardown(survives_a_standard_error_that_takes_nothing, begin, end),
        cmocka_unit_test(knows_the_names_of_levels),
        cmocka_unit_test(complains_first_and_then_ever_more_seldom),
        cmocka_unit_test(complains_at_least_every_hour),
        cmocka_unit_test(flapping_does_not_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
