/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/ingest/check.h"
#include "tests/unit/backend/ingest/fixture.h"

static const Usec HOUR = 3600 * USEC_PER_SEC;

static CheckLimits limits(void)
{
    Usec now = 0;
    assert_true(clock_parse_iso(SLICE_LIT("2026-01-01T00:00:00Z"), &now));
    return (CheckLimits){.now = now, .retention = 24 * HOUR, .future_max = HOUR};
}

#define FRAME(family, time, columns, rows)                                                                             \
    "\"frames\":[{\"family\":\"" family "\",\"server\":\"s\",\"time\":\"" time                                         \
    "\",\"interval_ms\":1000,\"columns\":[" columns "],\"rows\":[" rows "]}],\"servers\":[{\"name\":\"s\"}]"
#define NOW "2025-12-31T23:59:00Z"

static void rows_are_accepted_or_counted_under_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *push;
        int64_t rows, values;
        const char *reason; /* of the first refusal; NULL: none */
        int64_t refused;
    } CASES[] = {
        {"", 0, 0, NULL, 0},
        {FRAME("fam", NOW, "\"a\",\"n\",\"f\",\"t\"", "[\"x\",1,2.5,\"z\"],[null,null,null,null]"), 2, 3, NULL, 0},
        {FRAME("fam", NOW, "\"a\",\"n\"", ""), 0, 0, NULL, 0},
        {FRAME("fam", NOW, "\"f\",\"n\"", "[3,4.0]"), 1, 2, NULL, 0},
        {FRAME("fam", NOW, "\"n\"", "[9223372036854775807]"), 1, 1, NULL, 0},
        {FRAME("nope", NOW, "\"a\"", "[\"x\"],[\"y\"]"), 0, 0, "the family is not known", 2},
        {FRAME("fam", NOW, "\"a\",\"z\",\"n\"", "[\"x\",7,1]"), 1, 1, "column z is not known: its values were left out",
         1},
        {FRAME("fam", NOW, "\"z\"", "[7]"), 0, 0, "column z is not known: its values were left out", 1},
        {FRAME("fam", NOW, "\"n\"", "[1],[\"1\"]"), 0, 0, "column n holds text where a number belongs (row 1)", 2},
        {FRAME("fam", NOW, "\"a\"", "[1]"), 0, 0, "column a holds a number where text belongs (row 0)", 1},
        {FRAME("fam", NOW, "\"t\"", "[1]"), 0, 0, "column t holds a number where text belongs (row 0)", 1},
        {FRAME("fam", NOW, "\"n\"", "[-1]"), 0, 0, "column n is a counter and holds a negative increase (row 0)", 1},
        {FRAME("fam", NOW, "\"f\"", "[-1]"), 1, 1, NULL, 0},
        {FRAME("fam", NOW, "\"n\"", "[1.5]"), 0, 0,
         "column n holds a fraction or a huge number where a whole number belongs (row 0)", 1},
        {FRAME("fam", NOW, "\"n\"", "[1e19]"), 0, 0,
         "column n holds a fraction or a huge number where a whole number belongs (row 0)", 1},
        {FRAME("fam", "2025-12-30T23:59:59Z", "\"n\"", "[1]"), 0, 0, "older than what is kept", 1},
        {FRAME("fam", "2025-12-31T00:00:00Z", "\"n\"", "[1]"), 1, 1, NULL, 0},
        {FRAME("fam", "2026-01-01T01:00:00Z", "\"n\"", "[1]"), 1, 1, NULL, 0},
        {FRAME("fam", "2026-01-01T01:00:01Z", "\"n\"", "[1]"), 0, 0,
         "too far in the future: check the clock of the sender", 1},
        {FRAME("statement_text", NOW, "\"queryid\",\"query\"", "[\"1\",\"select 1\"]"), 1, 1, NULL, 0},
        {"\"metrics\":[{\"name\":\"m\",\"value\":1.5}]", 1, 1, NULL, 0},
        {"\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"name\":\"x\"}}]", 0, 0,
         "the label \"name\" is taken by the metric's own name", 1},
        {"\"metrics\":[{\"name\":\"m\",\"value\":1,\"time\":\"2020-01-01T00:00:00Z\"}]", 0, 0,
         "older than what is kept", 1},
    };
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        PushBatch push = fixture_push(arena, CASES[i].push);
        CheckedBatch checked;
        check_batch(&push, catalog, limits(), arena, &checked);
        assert_int_equal(checked.answer.accepted_rows, CASES[i].rows);
        assert_int_equal(checked.answer.accepted_values, CASES[i].values);
        if (CASES[i].reason) {
            assert_true(checked.answer.rejected_count > 0);
            assert_string_equal(checked.answer.rejected[0].reason.ptr, CASES[i].reason);
            assert_int_equal(checked.answer.rejected[0].rows, CASES[i].refused);
        } else {
            assert_int_equal(checked.answer.rejected_count, 0);
        }
    }
}

static void a_label_that_is_too_long_refuses_its_row_only(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    char longer[WIRE_LABEL_VALUE_MAX + 2];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    PushBatch push = fixture_push(
        arena,
        arena_printf(arena, FRAME("fam", NOW, "\"a\",\"b\",\"n\"", "[\"x\",\"y\",1],[\"%s\",\"%s\",2],[\"\",\"\",3]"),
                     longer, longer));
    CheckedBatch checked;
    check_batch(&push, catalog, limits(), arena, &checked);
    assert_int_equal(checked.answer.accepted_rows, 2);
    assert_int_equal(checked.answer.accepted_values, 2);
    assert_int_equal(checked.answer.rejected_count, 1);
    assert_int_equal(checked.answer.rejected[0].rows, 1);
    assert_false(checked.frames[0].refused[0]);
    assert_true(checked.frames[0].refused[1]);

    /* what the store takes back later moves from accepted to refused, once */
    for (int i = 0; i < 2; i++)
        check_refuse_row(&checked, arena, &checked.frames[0], 2, "bound");
    assert_int_equal(checked.answer.accepted_rows, 1);
    assert_int_equal(checked.answer.accepted_values, 1);
    assert_int_equal(checked.answer.rejected[1].rows, 1);
}

static void the_list_of_reasons_is_bounded_and_still_complete(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf frames = BUF_INIT;
    for (int i = 0; i < 200; i++)
        buf_printf(&frames,
                   "%s{\"family\":\"f%d\",\"server\":\"s\",\"time\":\"" NOW "\",\"columns\":[\"a\"],\"rows\":[[1]]}",
                   i ? "," : "", i);
    PushBatch push =
        fixture_push(arena, arena_printf(arena, "\"frames\":[%s],\"servers\":[{\"name\":\"s\"}]", buf_cstr(&frames)));
    CheckedBatch checked;
    check_batch(&push, catalog, limits(), arena, &checked);
    assert_int_equal(checked.answer.rejected_count, 64);
    int64_t rows = 0;
    for (size_t i = 0; i < checked.answer.rejected_count; i++)
        rows += checked.answer.rejected[i].rows;
    assert_int_equal(rows, 200);
    assert_string_equal(checked.answer.rejected[63].reason.ptr, "other faults");
}

static void a_family_of_users_that_the_store_refuses_costs_its_rows_only(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch push = fixture_push(
        arena, "\"families\":[{\"name\":\"own\",\"scope\":\"instance\",\"columns\":[{\"name\":\"n\",\"kind\":\"gauge\","
               "\"type\":\"float8\"}]}],\"servers\":[{\"name\":\"s\"}],\"frames\":["
               "{\"family\":\"own\",\"server\":\"s\",\"time\":\"" NOW "\",\"columns\":[\"n\"],\"rows\":[[1],[2]]},"
               "{\"family\":\"fam\",\"server\":\"s\",\"time\":\"" NOW "\",\"columns\":[\"n\"],\"rows\":[[1]]},"
               "{\"family\":\"own\",\"server\":\"s\",\"time\":\"" NOW "\",\"columns\":[\"n\"],\"rows\":[[3]]}]");
    CheckedBatch checked;
    check_batch(&push, catalog, limits(), arena, &checked);
    assert_int_equal(checked.frame_count, 3);
    assert_int_equal(checked.answer.accepted_rows, 4);
    assert_int_equal(checked.own_count, 1);
    for (int i = 0; i < 2; i++)
        check_refuse_family(&checked, arena, checked.own[0].family, "conflict");
    assert_int_equal(checked.frame_count, 1);
    assert_string_equal(checked.frames[0].family->name, "fam");
    assert_int_equal(checked.answer.accepted_rows, 1);
    assert_int_equal(checked.answer.accepted_values, 1);
    assert_int_equal(checked.answer.rejected_count, 1);
    assert_int_equal(checked.answer.rejected[0].rows, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_accepted_or_counted_under_a_reason),
        cmocka_unit_test(a_label_that_is_too_long_refuses_its_row_only),
        cmocka_unit_test(the_list_of_reasons_is_bounded_and_still_complete),
        cmocka_unit_test(a_family_of_users_that_the_store_refuses_costs_its_rows_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
