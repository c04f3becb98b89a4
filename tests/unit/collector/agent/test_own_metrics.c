/* SPDX-License-Identifier: PostgreSQL */
/* What is told of each server: everything that was lost, nothing of what is not there. */
#include "collector/agent/own_metrics.h"

#include "tests/support/unit.h"

static void write_part(const OwnPart *part, Buf *out)
{
    buf_clear(out);
    own_metrics_write(part, 1, NULL, out, EXPOSITION_TEXT);
}

static bool has(Buf *text, const char *line)
{
    return strstr(buf_cstr(text), line) != NULL;
}

static void tells_what_was_lost(void **state)
{
    (void)state;
    static const TargetStats stats = {.batches = 7, .lost_batches = 2, .lost_readings = 5, .resets = 3};
    const OwnPart part = {.server = "a",
                          .target = &stats,
                          .has_spool = true,
                          .spool = {.batches = 4, .bytes = 999, .dropped_batches = 6, .damaged_records = 1}};
    static const char *const LINES[] = {
        "\npganalytics_batches_total{server=\"a\"} 7\n",
        "\npganalytics_batches_not_kept_total{server=\"a\"} 2\n",
        "\npganalytics_readings_given_up_total{server=\"a\"} 5\n",
        "\npganalytics_resets_total{server=\"a\"} 3\n",
        "\npganalytics_spool_batches{server=\"a\"} 4\n",
        "\npganalytics_spool_bytes{server=\"a\"} 999\n",
        "\npganalytics_spool_dropped_batches_total{server=\"a\"} 6\n",
        "\npganalytics_spool_damaged_records_total{server=\"a\"} 1\n",
    };
    _cleanup_buf_ Buf text = BUF_INIT;
    write_part(&part, &text);
    for (size_t i = 0; i < ARRAY_LENGTH(LINES); i++) {
        if (!has(&text, LINES[i]))
            fail_msg("%s is not in %s", LINES[i], buf_cstr(&text));
    }
}

static void tells_nothing_of_what_is_not_there(void **state)
{
    (void)state;
    static const TargetStats stats = {.lost_readings = 5};
    _cleanup_buf_ Buf text = BUF_INIT;
    write_part(&(OwnPart){.server = "scraped", .target = &stats}, &text);
    assert_true(has(&text, "pganalytics_readings_given_up_total{server=\"scraped\"} 5"));
    assert_false(has(&text, "pganalytics_batches_total"));
    assert_false(has(&text, "pganalytics_spool"));
    write_part(&(OwnPart){.server = "former", .has_spool = true, .spool = {.batches = 4}}, &text);
    assert_true(has(&text, "pganalytics_spool_batches{server=\"former\"} 4"));
    assert_false(has(&text, "pganalytics_readings_given_up_total"));
    assert_false(has(&text, "pganalytics_sender"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_was_lost),
        cmocka_unit_test(tells_nothing_of_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
