/* SPDX-License-Identifier: PostgreSQL */
/* The push format's decoder: what it reads, and for everything it refuses the code and the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/lib/wire/push_batches.h"

#define HEAD   "{\"collector_id\":\"c1\","
#define SERVER "\"servers\":[{\"name\":\"main\"}],"
#define TIME   "\"time\":\"2026-11-21T02:00:00Z\","
/* A frame with @columns and @rows, the frame before it being fine. */
#define FRAME(columns, rows)                                                                                           \
    HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[[1]]},"       \
                "{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":" columns ",\"rows\":" rows "}]}"

static PushBatch decode(const char *text, Arena *arena)
{
    PushBatch batch;
    Err err = ERR_INIT;

    if (push_decode(slice_cstr(text), arena, &batch, &err) != 0)
        fail_msg("%s: %s", text, err.detail);
    return batch;
}

static void test_smallest_batch_is_read(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch = decode("{\"collector_id\":\"c1\",\"metrics\":[]}", arena);

    assert_true(slice_eq_cstr(batch.collector_id, "c1"));
    assert_null(batch.spool.ptr);
    assert_int_equal(batch.sequence, 0);
    assert_int_equal(batch.frame_count, 0);
    assert_int_equal(batch.metric_count, 0);
}

static void test_every_member_is_read(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch b = decode("{\"collector_id\":\"c1\",\"spool\":\"s\",\"sequence\":9223372036854775807,"
                         "\"sent_at\":\"2026-11-21T03:00:00+01:00\",\"agent\":{\"version\":\"3.0.0\"},"
                         "\"servers\":[{\"name\":\"main\",\"system_identifier\":\"18446744073709551615\","
                         "\"version_num\":150020,\"in_recovery\":true,\"reachable\":false,\"error\":\"no route\","
                         "\"postmaster_start\":\"2026-11-20T00:00:00Z\",\"interval_ms\":10000}],"
                         "\"frames\":[{\"family\":\"f\",\"server\":\"main\",\"database\":\"app\"," TIME
                         "\"interval_ms\":60000,\"keyframe\":true,\"gap\":true,\"columns\":[\"a\",\"b\"],"
                         "\"rows\":[[\"x\",1],[null,-2.5]]}],"
                         "\"metrics\":[{\"name\":\"m\",\"value\":1,\"time\":\"2026-11-21T02:00:00.5Z\","
                         "\"labels\":{\"l\":\"v\"}}]}",
                         arena);
    const PushServer *s = &b.servers[0];
    const PushFrame *f = &b.frames[0];
    const Usec two = (Usec)1795226400 * USEC_PER_SEC; /* 2026-11-21 02:00 */

    assert_int_equal(b.sequence, INT64_MAX);
    assert_int_equal(b.sent_at, two);
    assert_true(slice_eq_cstr(b.agent_version, "3.0.0"));
    assert_true(slice_eq_cstr(s->system_identifier, "18446744073709551615"));
    assert_int_equal(s->version_num, 150020);
    assert_true(s->in_recovery);
    assert_false(s->reachable);
    assert_true(slice_eq_cstr(s->error, "no route"));
    assert_int_equal(s->postmaster_start, two - 26 * 3600 * USEC_PER_SEC);
    assert_int_equal(s->interval_ms, 10000);
    assert_true(slice_eq_cstr(f->database, "app"));
    assert_int_equal(f->interval_ms, 60000);
    assert_true(f->keyframe && f->gap);
    assert_true(slice_eq_cstr(f->columns[1], "b"));
    assert_int_equal(f->row_count, 2);
    assert_int_equal(f->cells[0].type, CELL_TEXT);
    assert_int_equal(f->cells[1].integer, 1);
    assert_int_equal(f->cells[2].type, CELL_NULL);
    assert_true(f->cells[3].type == CELL_FLOAT && f->cells[3].number == -2.5);
    assert_int_equal(b.metrics[0].time, two + 500000);
    assert_true(b.metrics[0].value == 1.0);
    assert_true(slice_eq_cstr(b.metrics[0].label_values[0], "v"));
}

static void test_absent_members_have_their_default(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch b = decode(HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME
                                     "\"database\":null,\"columns\":[\"a\"],\"rows\":[]}]}",
                         arena);

    assert_true(b.servers[0].reachable);
    assert_false(b.servers[0].in_recovery);
    assert_null(b.servers[0].error.ptr);
    assert_null(b.frames[0].database.ptr);
    assert_int_equal(b.frames[0].interval_ms, 0);
    assert_false(b.frames[0].keyframe || b.frames[0].gap);
    assert_int_equal(b.frames[0].row_count, 0);
}

static void test_integers_are_exact_and_larger_ones_float(void **state UNUSED)
{
    static const struct {
        const char *text;
        CellType type;
        int64_t integer;
        double number;
    } cases[] = {
        {"9007199254740993", CELL_INT, 9007199254740993, 0},
        {"9223372036854775807", CELL_INT, INT64_MAX, 0},
        {"-9223372036854775808", CELL_INT, INT64_MIN, 0},
        {"9223372036854775808", CELL_FLOAT, 0, 9223372036854775808.0},
        {"18446744073709551615", CELL_FLOAT, 0, 18446744073709551616.0},
        {"100000000000000000000", CELL_FLOAT, 0, 1e20},
        {"-9223372036854775809", CELL_FLOAT, 0, -9223372036854775808.0},
        {"1.0", CELL_FLOAT, 0, 1.0},
        {"1e3", CELL_FLOAT, 0, 1000.0},
        {"5e-324", CELL_FLOAT, 0, 5e-324},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        const char *text = arena_printf(arena,
                                        HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME
                                                    "\"columns\":[\"a\"],\"rows\":[[%s]]}]}",
                                        cases[i].text);
        Cell cell = decode(text, arena).frames[0].cells[0];
        if (cell.type != cases[i].type ||
            (cell.type == CELL_INT ? cell.integer != cases[i].integer : cell.number != cases[i].number))
            fail_msg("%s is read as another number", cases[i].text);
    }
}

static void test_batch_does_not_point_into_the_text(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0), *other = arena_new(0);
    _cleanup_buf_ Buf text = BUF_INIT;
    PushBatch made = push_batches_random(7, other), batch;

    push_encode(&made, &text);
    assert_int_equal(push_decode(buf_slice(&text), arena, &batch, NULL), 0);
    memset(text.ptr, 'x', text.len);
    assert_null(push_batches_difference(&made, &batch));
}

typedef struct Case {
    const char *text;
    ErrCode code;
    const char *detail; /* the error's detail begins with it */
    const char *hint;
} Case;

#define FAMILIES(members) HEAD "\"families\":[{\"name\":\"f\",\"scope\":\"instance\"," members "}]}"
#define COLUMN_OF_200_BYTES                                                                                            \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"             \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static const Case refused[] = {
    /* not JSON, or not an object */
    {"", ERR_SYNTAX, "", NULL},
    {"hello", ERR_SYNTAX, "not valid JSON at line 1, column 1", NULL},
    {"[]", ERR_BODY_INVALID, "expected an object", NULL},
    {"{\"collector_id\":\"c1\"} x", ERR_SYNTAX, "not valid JSON at line 1, column", NULL},
    {"{\"collector_id\":\"\xff\"}", ERR_SYNTAX, "not valid JSON at line 1, column", NULL},
    {"{\"collector_id\":\"\\ud800\"}", ERR_SYNTAX, "not valid JSON at line 1, column", NULL},
    {FRAME("[\"a\"]", "[[NaN]]"), ERR_SYNTAX, "not valid JSON at line 1, column", NULL},
    {FRAME("[\"a\"]", "[[1e999]]"), ERR_SYNTAX, "not valid JSON at line 1, column", NULL},
    {FRAME("[\"a\"]", "[[[[[[[[1]]]]]]]]"), ERR_TOO_LARGE, "the JSON text is nested", NULL},
    /* the batch */
    {"{}", ERR_BODY_INVALID, "collector_id", NULL},
    {"{\"collector_id\":7}", ERR_BODY_INVALID, "collector_id: expected a string", NULL},
    {"{\"collector_id\":\"\"}", ERR_BODY_INVALID, "collector_id", NULL},
    {"{\"collector_id\":\"a\\u0000b\"}", ERR_BODY_INVALID, "collector_id", NULL},
    {"{\"collector_id\":\"a\\nb\"}", ERR_BODY_INVALID, "collector_id: a name may not hold control characters", NULL},
    {HEAD "\"frame\":[]}", ERR_BODY_INVALID, "unknown member \"frame\"", "frames"},
    {HEAD "\"spool\":\"s\"}", ERR_BODY_INVALID, "sequence: missing, but \"spool\" is given", NULL},
    {HEAD "\"sequence\":1}", ERR_BODY_INVALID, "spool: missing, but \"sequence\" is given", NULL},
    {HEAD "\"spool\":\"s\",\"sequence\":0}", ERR_BODY_INVALID, "sequence", NULL},
    {HEAD "\"spool\":\"s\",\"sequence\":1.5}", ERR_BODY_INVALID, "sequence", NULL},
    {HEAD "\"sent_at\":\"yesterday\"}", ERR_BODY_INVALID, "sent_at: \"yesterday\" is not a time", NULL},
    {HEAD "\"sent_at\":1795226400}", ERR_BODY_INVALID, "sent_at: expected a string", NULL},
    {HEAD "\"agent\":\"3.0\"}", ERR_BODY_INVALID, "agent: expected an object", NULL},
    {HEAD "\"agent\":{\"versoin\":\"3\"}}", ERR_BODY_INVALID, "agent: unknown member \"versoin\"", "version"},
    {HEAD "\"servers\":{}}", ERR_BODY_INVALID, "servers: expected an array, found an object", NULL},
    {HEAD "\"frames\":1}", ERR_BODY_INVALID, "frames: expected an array, found the number 1", NULL},
    {HEAD "\"metrics\":\"x\"}", ERR_BODY_INVALID, "metrics: expected an array, found a string \"x\"", NULL},
    /* servers */
    {HEAD "\"families\":{}}", ERR_BODY_INVALID, "families: expected an array", NULL},
    {HEAD "\"families\":[{}]}", ERR_BODY_INVALID, "families[0].name", NULL},
    {FAMILIES("\"columns\":5"), ERR_BODY_INVALID, "families[0].columns: expected an array", NULL},
    {FAMILIES("\"columns\":[],\"sql\":\"x\""), ERR_BODY_INVALID, "families[0]: unknown member \"sql\"", NULL},
    {FAMILIES("\"columns\":[],\"interval\":-1"), ERR_BODY_INVALID, "families[0].interval", NULL},
    {FAMILIES("\"columns\":[{\"name\":\"a\"}]"), ERR_BODY_INVALID, "families[0].columns[0].kind", NULL},
    {FAMILIES("\"columns\":[{\"name\":\"" COLUMN_OF_200_BYTES "\",\"kind\":\"k\",\"type\":\"t\"}]"), ERR_BODY_INVALID,
     "families[0].columns[0].name", NULL},
    {HEAD
     "\"families\":[{\"name\":\"a\",\"scope\":\"s\",\"columns\":[]},{\"name\":\"a\",\"scope\":\"s\",\"columns\":[]}]}",
     ERR_BODY_INVALID, "families[1].name: the same as of families[0]", NULL},
    {HEAD "\"servers\":[null]}", ERR_BODY_INVALID, "servers[0]: expected an object, found null", NULL},
    {HEAD "\"servers\":[{}]}", ERR_BODY_INVALID, "servers[0].name", NULL},
    {HEAD "\"servers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"a\"}]}", ERR_BODY_INVALID,
     "servers[2].name: the same as of servers[0]", NULL},
    {HEAD "\"servers\":[{\"name\":\"a\",\"system_identifier\":\"12x\"}]}", ERR_BODY_INVALID,
     "servers[0].system_identifier: expected the digits", NULL},
    {HEAD "\"servers\":[{\"name\":\"a\",\"reachable\":\"yes\"}]}", ERR_BODY_INVALID, "servers[0].reachable: expected",
     NULL},
    {HEAD "\"servers\":[{\"name\":\"a\",\"error\":\"e\"}]}", ERR_BODY_INVALID,
     "servers[0].error: given for a server that is reachable", NULL},
    {HEAD "\"servers\":[{\"name\":\"a\",\"version\":15}]}", ERR_BODY_INVALID, "servers[0]: unknown member \"version\"",
     NULL},
    {HEAD "\"servers\":[{\"name\":\"a\",\"postmaster_start\":\"1999-12-31T23:59:59Z\"}]}", ERR_BODY_INVALID,
     "servers[0].postmaster_start: 1999-12-31T23:59:59Z is not between", NULL},
    /* frames */
    {HEAD "\"frames\":[[]]}", ERR_BODY_INVALID, "frames[0]: expected an object", NULL},
    {HEAD "\"frames\":[{\"family\":\"f\"}]}", ERR_BODY_INVALID, "frames[0].server", NULL},
    {HEAD "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0].server: \"main\" is not the name of one of \"servers\"", NULL},
    {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\",\"time\":\"2200-01-01T00:00:00Z\",\"columns\":"
                 "[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0].time: 2200-01-01T00:00:00Z is not between the years 2000 and 2200", NULL},
    {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\",\"time\":\"\",\"columns\":[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0].time", NULL},
    {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME
                 "\"interval_ms\":-1,\"columns\":[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0].interval_ms", NULL},
    {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME
                 "\"colums\":[\"a\"],\"columns\":[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0]: unknown member \"colums\"", "columns"},
    {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME
                 "\"rows\":[],\"columns\":[\"a\"],\"rows\":[]}]}",
     ERR_BODY_INVALID, "frames[0].rows is given more than once", NULL},
    /* columns and rows */
    {FRAME("\"a\"", "[]"), ERR_BODY_INVALID, "frames[1].columns: expected an array", NULL},
    {FRAME("[]", "[]"), ERR_BODY_INVALID, "frames[1].columns: expected at least one name", NULL},
    {FRAME("[\"a\",3]", "[]"), ERR_BODY_INVALID, "frames[1].columns[1]: expected a string, found the number 3", NULL},
    {FRAME("[null]", "[]"), ERR_BODY_INVALID, "frames[1].columns[0]: expected a string, found null", NULL},
    {FRAME("[\"a\",\"\"]", "[]"), ERR_BODY_INVALID, "frames[1].columns[1]: a name may not be empty", NULL},
    {FRAME("[\"a\",\"b\",\"a\"]", "[]"), ERR_BODY_INVALID,
     "frames[1].columns[2]: \"a\" is the name of columns[0] already", NULL},
    {FRAME("[\"a\"]", "{}"), ERR_BODY_INVALID, "frames[1].rows: expected an array", NULL},
    {FRAME("[\"a\"]", "[[1],2]"), ERR_BODY_INVALID, "frames[1].rows[1]: expected an array, found the number 2", NULL},
    {FRAME("[\"a\",\"b\"]", "[[1,2],[1]]"), ERR_BODY_INVALID,
     "frames[1].rows[1]: expected 2 values, one for each column, found 1", NULL},
    {FRAME("[\"a\"]", "[[1],[1],[1,2]]"), ERR_BODY_INVALID,
     "frames[1].rows[2]: expected 1 values, one for each column, found 2", NULL},
    {FRAME("[\"a\",\"b\"]", "[[1,true]]"), ERR_BODY_INVALID,
     "frames[1].rows[0][1]: expected a number, a string or null, found true", NULL},
    {FRAME("[\"a\",\"b\"]", "[[1,{}]]"), ERR_BODY_INVALID,
     "frames[1].rows[0][1]: expected a number, a string or null, found an object", NULL},
    {FRAME("[\"a\",\"b\"]", "[[1,[]]]"), ERR_BODY_INVALID,
     "frames[1].rows[0][1]: expected a number, a string or null, found an array", NULL},
    {FRAME("[\"a\"]", "[[\"x\"],[\"a\\u0000b\"]]"), ERR_BODY_INVALID,
     "frames[1].rows[1][0]: a text may not hold \\u0000", NULL},
    /* metrics */
    {HEAD "\"metrics\":[{\"value\":1}]}", ERR_BODY_INVALID, "metrics[0].name", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\"}]}", ERR_BODY_INVALID, "metrics[0].value: expected a number, found nothing",
     NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":\"1\"}]}", ERR_BODY_INVALID,
     "metrics[0].value: expected a number, found a string \"1\"", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":[]}]}", ERR_BODY_INVALID,
     "metrics[0].labels: expected an object, found an array", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"l\":2}}]}", ERR_BODY_INVALID,
     "metrics[0].labels: l: expected a string, found the number 2", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"l\":\"\",\"l\":\"\"}}]}", ERR_BODY_INVALID,
     "metrics[0].labels: \"l\" stands here twice", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"\":\"v\"}}]}", ERR_BODY_INVALID,
     "metrics[0].labels: a name may not be empty", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"time\":\"2026-02-29T00:00:00Z\"}]}", ERR_BODY_INVALID,
     "metrics[0].time: \"2026-02-29T00:00:00Z\" is not a time", NULL},
    {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"label\":{}}]}", ERR_BODY_INVALID,
     "metrics[0]: unknown member \"label\"", "labels"},
};

static void assert_refused(Slice text, const Case *c)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch;
    Err err = ERR_INIT;
    int r = push_decode(text, arena, &batch, &err);
    int shown = text.len > 200 ? 200 : (int)text.len;

    if (r != -err_code_errno(c->code) || err.code != c->code)
        fail_msg("%.*s: expected %s, got %s: %s", shown, text.ptr, err_code_slug(c->code), err_code_slug(err.code),
                 err.detail);
    if (!slice_starts_with(slice_cstr(err.detail), slice_cstr(c->detail)))
        fail_msg("%.*s: expected \"%s\", got \"%s\"", shown, text.ptr, c->detail, err.detail);
    if (c->hint && !strstr(err.hint, c->hint))
        fail_msg("%.*s: expected the hint \"%s\", got \"%s\"", shown, text.ptr, c->hint, err.hint);
    assert_int_equal(push_decode(text, arena, &batch, NULL), r); /* nobody has to be interested */
}

static void test_faults_are_refused_with_their_place(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
        assert_refused(slice_cstr(refused[i].text), &refused[i]);
}

/* @before, then @count times @item with commas between (a %zu in it becomes the number), then @after. */
static void repeat(Buf *out, const char *before, const char *item, size_t count, const char *after)
{
    const char *at = strstr(item, "%zu");

    buf_append_cstr(out, before);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        buf_append(out, slice_from(item, at ? (size_t)(at - item) : strlen(item)));
        if (at) {
            buf_append_int64(out, (int64_t)i);
            buf_append_cstr(out, at + 3);
        }
    }
    buf_append_cstr(out, after);
}

/* A list with one entry more than its limit is refused, and nothing is read of what it holds. */
static void test_lists_above_their_limit_are_refused(void **state UNUSED)
{
    static const struct {
        const char *before, *item, *after;
        size_t most;
        const char *place;
    } cases[] = {
        {HEAD "\"servers\":[", "{\"name\":\"s%zu\"}", "]}", WIRE_SERVERS_MAX, "servers: "},
        {HEAD SERVER "\"frames\":[", "{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[]}",
         "]}", WIRE_FRAMES_MAX, "frames: "},
        {HEAD "\"metrics\":[", "{\"name\":\"m\",\"value\":%zu}", "]}", WIRE_METRICS_MAX, "metrics: "},
        {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[", "\"c%zu\"",
         "],\"rows\":[]}]}", WIRE_COLUMNS_MAX, "frames[0].columns: "},
        {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[",
         "[%zu]", "]}]}", WIRE_ROWS_MAX, "frames[0].rows: "},
        {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{", "\"l%zu\":\"v\"", "}}]}", WIRE_LABELS_MAX,
         "metrics[0].labels: "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf full = BUF_INIT, over = BUF_INIT;
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        PushBatch batch;
        Err err = ERR_INIT;
        repeat(&full, cases[i].before, cases[i].item, cases[i].most, cases[i].after);
        if (push_decode(buf_slice(&full), arena, &batch, &err) != 0)
            fail_msg("%s%s", cases[i].place, err.detail);
        repeat(&over, cases[i].before, cases[i].item, cases[i].most + 1, cases[i].after);
        assert_refused(buf_slice(&over), &(Case){.code = ERR_TOO_LARGE, .detail = cases[i].place});
    }
}

static void test_ten_thousand_columns_are_refused(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    repeat(&text, HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[", "\"c%zu\"",
           10000, "],\"rows\":[]}]}");
    assert_refused(buf_slice(&text), &(Case){.code = ERR_TOO_LARGE,
                                             .detail = "frames[0].columns: 10000 entries, at most 128 are allowed"});
}

static void test_rows_of_all_frames_count_together(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    const char *frame = "{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[";

    buf_append_cstr(&text, HEAD SERVER "\"frames\":[");
    repeat(&text, frame, "[0]", WIRE_ROWS_MAX, "]},");
    repeat(&text, frame, "[0]", 1, "]}]}");
    assert_refused(buf_slice(&text), &(Case){.code = ERR_TOO_LARGE, .detail = "frames[1].rows: 200001 rows"});
}

/* 128 columns and many rows that are no arrays would be gigabytes of cells. */
static void test_rows_that_are_not_rows_cost_no_cells(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch;

    repeat(&text, HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[", "\"c%zu\"",
           WIRE_COLUMNS_MAX, "],\"rows\":[");
    repeat(&text, "", "[]", WIRE_ROWS_MAX, "]}]}");
    assert_true(push_decode(buf_slice(&text), arena, &batch, NULL) < 0);
    assert_in_range(arena_used_bytes(arena), 0, 100000);
}

static void test_texts_above_their_limit_are_refused(void **state UNUSED)
{
    static const struct {
        const char *before, *after;
        size_t most;
        ErrCode code;
        const char *place;
    } cases[] = {
        {"{\"collector_id\":\"", "\"}", WIRE_NAME_MAX, ERR_BODY_INVALID, "collector_id"},
        {HEAD "\"servers\":[{\"name\":\"", "\"}]}", WIRE_NAME_MAX, ERR_BODY_INVALID, "servers[0].name"},
        {HEAD "\"servers\":[{\"name\":\"a\",\"reachable\":false,\"error\":\"", "\"}]}", WIRE_ERROR_MAX,
         ERR_BODY_INVALID, "servers[0].error"},
        {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"", "\"],\"rows\":[]}]}",
         WIRE_NAME_MAX, ERR_TOO_LARGE, "frames[0].columns[0]: 129 bytes, at most 128"},
        {HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[[\"",
         "\"]]}]}", WIRE_INFO_VALUE_MAX, ERR_TOO_LARGE, "frames[0].rows[0][0]: 65537 bytes, at most 65536"},
        {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"l\":\"", "\"}}]}", WIRE_LABEL_VALUE_MAX,
         ERR_TOO_LARGE, "metrics[0].labels: l: 1025 bytes"},
        {HEAD "\"metrics\":[{\"name\":\"m\",\"value\":1,\"labels\":{\"", "\":\"v\"}}]}", WIRE_NAME_MAX, ERR_TOO_LARGE,
         "metrics[0].labels: 129 bytes"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (size_t more = 0; more < 2; more++) {
            _cleanup_buf_ Buf text = BUF_INIT;
            _cleanup_(arena_freep) Arena *arena = arena_new(0);
            PushBatch batch;
            Err err = ERR_INIT;
            buf_append_cstr(&text, cases[i].before);
            for (size_t n = 0; n < cases[i].most + more; n++)
                buf_append_char(&text, 'x');
            buf_append_cstr(&text, cases[i].after);
            if (more == 1)
                assert_refused(buf_slice(&text), &(Case){.code = cases[i].code, .detail = cases[i].place});
            else if (push_decode(buf_slice(&text), arena, &batch, &err) != 0)
                fail_msg("%s: %s", cases[i].place, err.detail);
        }
    }
}

static void test_long_strings_are_cut_in_messages(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch;
    Err err = ERR_INIT;

    assert_true(push_decode(SLICE_LIT(HEAD "\"metrics\":\"0123456789012345678901234567890123456789rest\"}"), arena,
                            &batch, &err) < 0);
    assert_string_equal(err.detail, "metrics: expected an array, found a string "
                                    "\"0123456789012345678901234567890123456789\"...");
}

static void test_text_above_the_limit_is_refused(void **state UNUSED)
{
    _cleanup_free_ char *text = malloc((size_t)WIRE_TEXT_MAX + 1);

    assert_non_null(text);
    memset(text, ' ', (size_t)WIRE_TEXT_MAX + 1);
    memcpy(text, "{\"collector_id\":\"c1\"}", 21);
    assert_refused(slice_from(text, (size_t)WIRE_TEXT_MAX + 1), &(Case){.code = ERR_TOO_LARGE, .detail = ""});
}

static void test_more_values_than_allowed_are_refused(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    repeat(&text, HEAD "\"metrics\":[", "0", WIRE_VALUES_MAX + 1, "]}");
    assert_refused(buf_slice(&text),
                   &(Case){.code = ERR_TOO_LARGE, .detail = "the batch has more than 4000000 values"});
}

static void test_commas_in_long_texts_are_not_values(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT, commas = BUF_INIT;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch batch;
    Err err = ERR_INIT;

    buf_append_cstr(&commas, "[\"\\\",");
    while (commas.len < 60000)
        buf_append_cstr(&commas, ",[{:");
    buf_append_cstr(&commas, "\"]");
    repeat(&text,
           HEAD SERVER "\"frames\":[{\"family\":\"f\",\"server\":\"main\"," TIME "\"columns\":[\"a\"],\"rows\":[",
           buf_cstr(&commas), 200, "]}]}");
    assert_true(text.len > 2 * WIRE_VALUES_MAX);
    if (push_decode(buf_slice(&text), arena, &batch, &err) != 0)
        fail_msg("%s", err.detail);
}

static void test_limit_of_the_arena_is_an_answer(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *source = arena_new(0);
    _cleanup_buf_ Buf text = BUF_INIT;
    PushBatch made = push_batches_realistic(3, source), batch;
    size_t refusals = 0;

    push_encode(&made, &text);
    for (size_t limit = 1; limit < 4 << 20; limit = limit * 5 / 4 + 1) {
        _cleanup_(arena_freep) Arena *arena = arena_new(limit);
        Err err = ERR_INIT;
        int r = push_decode(buf_slice(&text), arena, &batch, &err);
        if (r == 0)
            continue;
        assert_int_equal(err.code, ERR_TOO_LARGE);
        refusals++;
    }
    assert_in_range(refusals, 20, 70);
}

static void test_limit_of_the_arena_anywhere_is_an_answer(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        _cleanup_(arena_freep) Arena *source = arena_new(0), *whole = arena_new(0);
        _cleanup_buf_ Buf text = BUF_INIT;
        PushBatch made = push_batches_random(seed, source), batch;
        push_encode(&made, &text);
        assert_int_equal(push_decode(buf_slice(&text), whole, &batch, NULL), 0);
        for (size_t limit = 16; limit < arena_used_bytes(whole); limit += 16) {
            _cleanup_(arena_freep) Arena *arena = arena_new(limit);
            Err err = ERR_INIT;
            assert_true(push_decode(buf_slice(&text), arena, &batch, &err) < 0);
            assert_int_equal(err.code, ERR_TOO_LARGE);
        }
    }
}

static void test_batch_cut_at_every_byte_is_refused(void **state UNUSED)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        _cleanup_buf_ Buf text = BUF_INIT;
        PushBatch made = push_batches_random(seed, arena), batch;
        push_encode(&made, &text);
        for (size_t length = 0; length < text.len; length++) {
            _cleanup_free_ char *exact = malloc(length + 1); /* of its own, so that a read past its end is seen */
            Err err = ERR_INIT;
            memcpy(exact, text.ptr, length);
            arena_clear(arena);
            assert_true(push_decode(slice_from(exact, length), arena, &batch, &err) < 0);
            assert_int_equal(err.code, ERR_SYNTAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smallest_batch_is_read),
        cmocka_unit_test(test_every_member_is_read),
        cmocka_unit_test(test_absent_members_have_their_default),
        cmocka_unit_test(test_integers_are_exact_and_larger_ones_float),
        cmocka_unit_test(test_batch_does_not_point_into_the_text),
        cmocka_unit_test(test_faults_are_refused_with_their_place),
        cmocka_unit_test(test_lists_above_their_limit_are_refused),
        cmocka_unit_test(test_ten_thousand_columns_are_refused),
        cmocka_unit_test(test_rows_of_all_frames_count_together),
        cmocka_unit_test(test_rows_that_are_not_rows_cost_no_cells),
        cmocka_unit_test(test_texts_above_their_limit_are_refused),
        cmocka_unit_test(test_long_strings_are_cut_in_messages),
        cmocka_unit_test(test_text_above_the_limit_is_refused),
        cmocka_unit_test(test_more_values_than_allowed_are_refused),
        cmocka_unit_test(test_commas_in_long_texts_are_not_values),
        cmocka_unit_test(test_limit_of_the_arena_is_an_answer),
        cmocka_unit_test(test_limit_of_the_arena_anywhere_is_an_answer),
        cmocka_unit_test(test_batch_cut_at_every_byte_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
