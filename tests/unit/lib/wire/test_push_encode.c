/* SPDX-License-Identifier: PostgreSQL */
/* The push format's encoder: exact texts, and what it writes is read back the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/lib/wire/push_batches.h"

static void assert_encodes(const PushBatch *batch, const char *expected)
{
    _cleanup_buf_ Buf out = BUF_INIT;

    push_encode(batch, &out);
    assert_string_equal(buf_cstr(&out), expected);
}

static void test_empty_batch_is_small(void **state UNUSED)
{
    PushBatch batch = {.collector_id = SLICE_LIT("c1")};

    assert_encodes(&batch, "{\"collector_id\":\"c1\",\"servers\":[],\"frames\":[],\"metrics\":[]}");
}

static void test_members_with_their_default_are_left_out(void **state UNUSED)
{
    PushServer servers[] = {
        {.name = SLICE_LIT("main"), .reachable = true, .version_num = 150020, .error = SLICE_LIT("is not written")},
        {.name = SLICE_LIT("gone"), .error = SLICE_LIT("no \"route\""), .interval_ms = 10000, .in_recovery = true},
    };
    PushBatch batch = {.collector_id = SLICE_LIT("c1"), .servers = servers, .server_count = 2};

    assert_encodes(&batch, "{\"collector_id\":\"c1\",\"servers\":[{\"name\":\"main\",\"version_num\":150020},"
                           "{\"name\":\"gone\",\"in_recovery\":true,\"reachable\":false,\"error\":\"no \\\"route\\\"\","
                           "\"interval_ms\":10000}],\"frames\":[],\"metrics\":[]}");
}

static void test_frame_with_every_kind_of_cell(void **state UNUSED)
{
    Slice columns[] = {SLICE_LIT("datname"), SLICE_LIT("xact_commit")};
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("app")},
                    {.type = CELL_INT, .integer = INT64_MIN},
                    {.type = CELL_NULL},
                    {.type = CELL_FLOAT, .number = 0.1},
                    {.type = CELL_FLOAT, .number = (double)NAN},
                    {.type = CELL_FLOAT, .number = 1e300},
                    {.type = CELL_FLOAT, .number = 0},
                    {.type = CELL_FLOAT, .number = -0.0},
                    {.type = CELL_FLOAT, .number = -7},
                    {.type = CELL_FLOAT, .number = 999999999999999}};
    PushFrame frame = {.family = SLICE_LIT("pg_stat_database"),
                       .server = SLICE_LIT("main"),
                       .database = SLICE_LIT("app"),
                       .time = USEC_POSTGRES_EPOCH + 1,
                       .interval_ms = 60000,
                       .keyframe = true,
                       .gap = true,
                       .columns = columns,
                       .column_count = 2,
                       .cells = cells,
                       .row_count = 5};
    PushBatch batch = {.collector_id = SLICE_LIT("c1"),
                       .spool = SLICE_LIT("s1"),
                       .sequence = 4711,
                       .sent_at = USEC_POSTGRES_EPOCH,
                       .agent_version = SLICE_LIT("3.0.0"),
                       .frames = &frame,
                       .frame_count = 1};

    assert_encodes(&batch, "{\"collector_id\":\"c1\",\"spool\":\"s1\",\"sequence\":4711,"
                           "\"sent_at\":\"2000-01-01T00:00:00.000000Z\",\"agent\":{\"version\":\"3.0.0\"},"
                           "\"servers\":[],\"frames\":[{\"family\":\"pg_stat_database\",\"server\":\"main\","
                           "\"database\":\"app\",\"time\":\"2000-01-01T00:00:00.000001Z\",\"interval_ms\":60000,"
                           "\"keyframe\":true,\"gap\":true,\"columns\":[\"datname\",\"xact_commit\"],"
                           "\"rows\":[[\"app\",-9223372036854775808],[null,0.1],[null,1e300],"
                           "[0.0,-0.0],[-7.0,999999999999999.0]]}],\"metrics\":[]}");
}

static void test_metric_with_labels(void **state UNUSED)
{
    Slice names[] = {SLICE_LIT("room"), SLICE_LIT("row")}, values[] = {SLICE_LIT("a"), SLICE_LIT("\n")};
    PushMetric metrics[] = {{.name = SLICE_LIT("temperature"),
                             .value = 21.5,
                             .label_names = names,
                             .label_values = values,
                             .label_count = 2},
                            {.name = SLICE_LIT("count"), .value = 3, .time = USEC_POSTGRES_EPOCH}};
    PushBatch batch = {.collector_id = SLICE_LIT("c1"), .metrics = metrics, .metric_count = 2};

    assert_encodes(&batch,
                   "{\"collector_id\":\"c1\",\"servers\":[],\"frames\":[],\"metrics\":[{\"name\":\"temperature\","
                   "\"value\":21.5,\"labels\":{\"room\":\"a\",\"row\":\"\\n\"}},{\"name\":\"count\",\"value\":3.0,"
                   "\"time\":\"2000-01-01T00:00:00.000000Z\"}]}");
}

static void assert_round_trip(const PushBatch *batch, const char *what, uint64_t seed)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf first = BUF_INIT, second = BUF_INIT;
    PushBatch back;
    Err err = ERR_INIT;

    push_encode(batch, &first);
    if (push_decode(buf_slice(&first), arena, &back, &err) != 0)
        fail_msg("%s batch %llu: %s in %s", what, (unsigned long long)seed, err.detail, buf_cstr(&first));
    const char *difference = push_batches_difference(batch, &back);
    if (difference)
        fail_msg("%s batch %llu: %s differs in %s", what, (unsigned long long)seed, difference, buf_cstr(&first));
    push_encode(&back, &second);
    assert_string_equal(buf_cstr(&first), buf_cstr(&second)); /* nothing was lost by reading it */
}

static void test_generated_batches_are_read_back_the_same(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        PushBatch batch = push_batches_random(seed, arena);
        assert_round_trip(&batch, "random", seed);
    }
}

static void test_realistic_batch_is_read_back_the_same(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch = push_batches_realistic(1, arena);
    size_t rows = 0, values = 0;

    for (size_t i = 0; i < batch.frame_count; i++) {
        rows += batch.frames[i].row_count;
        values += batch.frames[i].row_count * batch.frames[i].column_count;
    }
    assert_int_equal(rows, 1150);
    assert_in_range(values, 25000, 27000);
    assert_round_trip(&batch, "realistic", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_batch_is_small),
        cmocka_unit_test(test_members_with_their_default_are_left_out),
        cmocka_unit_test(test_frame_with_every_kind_of_cell),
        cmocka_unit_test(test_metric_with_labels),
        cmocka_unit_test(test_generated_batches_are_read_back_the_same),
        cmocka_unit_test(test_realistic_batch_is_read_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
