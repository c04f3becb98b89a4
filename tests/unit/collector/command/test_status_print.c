/* SPDX-License-Identifier: PostgreSQL */
#include "collector/command/status_print.h"

#include <string.h>

#include "tests/support/unit.h"

/* What status_print() writes of @json; *ret_healthy its result. */
static char *printed(const char *json, bool *ret_healthy)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    *ret_healthy = status_print(out, slice_cstr(json));
    assert_int_equal(fclose(out), 0);
    return text;
}

static const char well[] =
    "{\"version\":\"3\",\"time\":1000000000000,\"collector_id\":\"c\","
    "\"process\":{\"pid\":7,\"started\":729900000000,\"resident_bytes\":5000000,\"memory_limit\":256000000},"
    "\"sender\":{\"url\":\"https://b\",\"last_success\":999995000000,\"sent_batches\":12,\"failures\":1,"
    "\"refused_batches\":0,\"clock_skew_us\":-250000},"
    "\"credentials\":{\"certificate_ends\":87400000000000,\"token_ends\":0},"
    "\"servers\":[{\"name\":\"main\",\"watched\":true,\"reachable\":true,\"since\":999000000000,\"version\":\"15.2\","
    "\"in_recovery\":true,\"last_reading\":999999000000,\"families\":{\"read\":60,\"failing\":1,\"missing\":1},"
    "\"failing\":[{\"family\":\"f\",\"reason\":\"why\",\"hint\":\"grant it\"}],\"missing\":[{\"family\":\"m\","
    "\"reason\":\"create extension m\"}],\"advice\":[\"alter it\"],\"cost\":{\"sql_ms_per_reading\":12.34,"
    "\"rows_per_reading\":100,\"bytes_per_reading\":2000,\"dearest\":[{\"family\":\"f\",\"ms_per_run\":3.5}]},"
    "\"spool\":{\"batches\":2,\"bytes\":300,\"oldest\":999940000000}}],\"problems\":[]}";

static void people_can_read_it(void **state)
{
    (void)state;
    bool healthy;
    char *text = printed(well, &healthy);
    static const char *const parts[] = {
        "process 7, running for 3 d 3 h, 5.0 MB resident of at most 256 MB",
        "https://b: last batch taken 5 s ago, 12 batches, 1 failures, clock -0.2 s off",
        "certificate  1000 days left",
        "server main: reachable for 16 min 40 s, PostgreSQL 15.2 (standby), last reading 1 s ago",
        "60 read, 1 failing, 1 not there",
        "12.3 ms of SQL, 100 rows, 2000 bytes",
        "dearest    f: 3.50 ms a run",
        "2 batches, 300 bytes, the oldest of 1 min ago",
        "failing    f: why: grant it",
        "missing    m: create extension m",
        "advice     alter it",
        "no problems",
    };
    assert_true(healthy);
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("\"%s\" is not in:\n%s", parts[i], text);
    free(text);
}

static const struct {
    const char *json, *part;
} bad[] = {
    {"{\"problems\":[\"the token has ended\"]}", "problem: the token has ended"},
    {"{\"problems\":[],\"servers\":[{\"name\":\"x\",\"watched\":true,\"reachable\":false,\"error\":\"refused\"}]}",
     "server x: NOT REACHABLE, last reading never\n  error      refused\n"},
    {"{\"problems\":[],\"servers\":[{\"name\":\"x\",\"watched\":false}]}", "server x: not watched any more\n"},
    {"{\"problems\":[],\"time\":5,\"credentials\":{\"certificate_ends\":4}}", "certificate  has ended"},
};

static void what_is_wrong_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        bool healthy;
        char *text = printed(bad[i].json, &healthy);
        assert_int_equal(healthy, i > 0); /* only problems count */
        if (!strstr(text, bad[i].part))
            fail_msg("\"%s\" is not in:\n%s", bad[i].part, text);
        free(text);
    }
}

static void what_is_none_of_ours_is_not_well(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "rubbish",          "[]",
                                        "{}", "{\"problems\":5}", "{\"servers\":{},\"problems\":\"\"}"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        bool healthy;
        free(printed(texts[i], &healthy));
        assert_false(healthy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_can_read_it),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(what_is_none_of_ours_is_not_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
