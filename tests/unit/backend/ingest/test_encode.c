/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/ingest/encode.h"
#include "lib/pg/copy.h"
#include "tests/unit/backend/ingest/fixture.h"

static CheckedBatch checked_of(Arena *arena, const Catalog *catalog, const char *columns, const char *rows)
{
    PushBatch *push = arena_new_object(arena, PushBatch);
    *push =
        fixture_push(arena, arena_printf(arena,
                                         "\"frames\":[{\"family\":\"fam\",\"server\":\"s\",\"time\":\"2026-01-01T00:00:"
                                         "00Z\",\"interval_ms\":1000,\"columns\":[%s],\"rows\":[%s]}],"
                                         "\"servers\":[{\"name\":\"s\"}]",
                                         columns, rows));
    CheckedBatch checked;
    CheckLimits limits = {.now = push->frames[0].time, .retention = USEC_PER_SEC, .future_max = 0};
    check_batch(push, catalog, limits, arena, &checked);
    assert_int_equal(checked.frame_count, 1);
    return checked;
}

static void different_labels_have_different_keys(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    CheckedBatch checked =
        checked_of(arena, catalog, "\"b\",\"a\"",
                   "[\"x\",\"y\"],[\"y\",\"x\"],[\"\",\"xy\"],[\"xy\",\"\"],[null,\"xy\"],[\"xy\",null],"
                   "[null,null],[\"\",\"\"]");
    Buf keys[8];
    for (size_t i = 0; i < 8; i++) {
        keys[i] = BUF_INIT;
        encode_series_key(&keys[i], &checked.frames[0], i);
        for (size_t j = 0; j < i; j++)
            assert_false(slice_eq(buf_slice(&keys[i]), buf_slice(&keys[j])));
    }
    for (size_t i = 0; i < 8; i++)
        buf_done(&keys[i]);
    /* the order of the frame's columns does not matter, nor do columns that are not labels */
    CheckedBatch other = checked_of(arena, catalog, "\"n\",\"a\",\"b\"", "[7,\"y\",\"x\"]");
    _cleanup_buf_ Buf one = BUF_INIT;
    _cleanup_buf_ Buf two = BUF_INIT;
    encode_series_key(&one, &checked.frames[0], 0);
    encode_series_key(&two, &other.frames[0], 0);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
}

static void labels_are_an_object_without_those_that_have_no_value(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    CheckedBatch checked = checked_of(arena, catalog, "\"a\",\"b\"", "[\"q\\\"\",\"y\"],[null,\"y\"],[null,null]");
    static const char *const EXPECTED[] = {"{\"a\":\"q\\\"\",\"b\":\"y\"}", "{\"b\":\"y\"}", "{}"};
    for (size_t i = 0; i < 3; i++) {
        _cleanup_buf_ Buf labels = BUF_INIT;
        encode_series_labels(&labels, &checked.frames[0], i);
        assert_string_equal(buf_cstr(&labels), EXPECTED[i]);
    }
}

static void rows_become_copy_data_in_the_order_of_the_catalog(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    CheckedBatch checked =
        checked_of(arena, catalog, "\"t\",\"a\",\"n\"", "[\"text\",\"x\",5],[\"left out\",\"y\",6],[null,\"z\",null]");
    CheckedFrame *frame = &checked.frames[0];
    frame->server_id = 3;
    frame->series[0] = 11;
    frame->series[2] = 13; /* the second row has no series */

    _cleanup_buf_ Buf expected = BUF_INIT;
    pg_copy_begin(&expected);
    for (int i = 0; i < 2; i++) {
        pg_copy_row(&expected, 7);
        pg_copy_timestamptz(&expected, frame->frame->time);
        pg_copy_int4(&expected, 3);
        pg_copy_int4(&expected, i ? 13 : 11);
        pg_copy_int4(&expected, 1000);
        if (i == 0)
            pg_copy_int8(&expected, 5);
        else
            pg_copy_null(&expected);
        pg_copy_null(&expected); /* f was not sent */
        if (i == 0)
            pg_copy_text(&expected, SLICE_LIT("text"));
        else
            pg_copy_null(&expected);
    }
    pg_copy_end(&expected);

    _cleanup_(encoder_freep) Encoder *e = encoder_new();
    for (int round = 0; round < 2; round++) { /* the second one reuses the stream */
        const char *family;
        const char *columns;
        Slice data;
        size_t at = 0;
        encoder_clear(e);
        assert_false(encoder_next(e, &at, &family, &columns, &data));
        encoder_add_frame(e, frame);
        at = 0;
        assert_true(encoder_next(e, &at, &family, &columns, &data));
        assert_string_equal(family, "fam");
        assert_string_equal(columns, "(time, server_id, series_id, interval_ms, \"n\", \"f\", \"t\")");
        assert_true(slice_eq(data, buf_slice(&expected)));
        assert_false(encoder_next(e, &at, &family, &columns, &data));
    }
}

/* Two collectors may say different things of a family of theirs; and a push's memory is gone before the next one. */
static void families_of_users_have_a_stream_for_each_definition(void **state)
{
    (void)state;
    static const char *const DEFINITIONS[] = {"{\"name\":\"n\",\"kind\":\"gauge\",\"type\":\"float8\"}",
                                              "{\"name\":\"n\",\"kind\":\"gauge\",\"type\":\"float8\"},"
                                              "{\"name\":\"m\",\"kind\":\"gauge\",\"type\":\"float8\"}"};
    static const char *const COLUMNS[] = {"(time, server_id, series_id, interval_ms, \"n\")",
                                          "(time, server_id, series_id, interval_ms, \"n\", \"m\")"};
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    _cleanup_(encoder_freep) Encoder *e = encoder_new();
    for (size_t round = 0; round < 2; round++) {
        encoder_clear(e);
        for (size_t i = 0; i < 2; i++) {
            _cleanup_(arena_freep) Arena *arena = arena_new(0);
            PushBatch push = fixture_push(
                arena,
                arena_printf(arena,
                             "\"families\":[{\"name\":\"own\",\"scope\":\"instance\",\"columns\":[%s]}],"
                             "\"frames\":[{\"family\":\"own\",\"server\":\"s\",\"time\":\"2026-01-01T00:00:00Z\","
                             "\"columns\":[\"n\"],\"rows\":[[1]]}],\"servers\":[{\"name\":\"s\"}]",
                             DEFINITIONS[i]));
            CheckedBatch checked;
            CheckLimits limits = {.now = push.frames[0].time, .retention = USEC_PER_SEC};
            check_batch(&push, catalog, limits, arena, &checked);
            assert_int_equal(checked.frame_count, 1);
            checked.frames[0].series[0] = 1;
            encoder_add_frame(e, &checked.frames[0]);
        }
        size_t at = 0;
        for (size_t i = 0; i < 2; i++) {
            const char *family, *columns;
            Slice data;
            assert_true(encoder_next(e, &at, &family, &columns, &data));
            assert_string_equal(family, "own");
            assert_string_equal(columns, COLUMNS[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_labels_have_different_keys),
        cmocka_unit_test(labels_are_an_object_without_those_that_have_no_value),
        cmocka_unit_test(rows_become_copy_data_in_the_order_of_the_catalog),
        cmocka_unit_test(families_of_users_have_a_stream_for_each_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
