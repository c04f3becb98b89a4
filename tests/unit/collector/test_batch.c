/* SPDX-License-Identifier: PostgreSQL */
#include "collector/batch.h"

#include "tests/support/unit.h"

static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn CALLS = {.name = "calls", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn *const COLUMNS[] = {&NAME, &CALLS};

static Delta *delta;
static Batch batch;

static int setup(void **state)
{
    (void)state;
    delta = delta_new();
    batch_init(&batch, delta, "main");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    batch_done(&batch);
    delta = delta_free(delta);
    return 0;
}

static Reading reading_of(Cell *cells, size_t rows, Usec wall)
{
    return (Reading){.family = "f",
                     .database = "app",
                     .epoch = "e",
                     .wall = wall,
                     .monotonic = wall,
                     .columns = COLUMNS,
                     .column_count = 2,
                     .label_count = 1,
                     .cells = cells,
                     .row_count = rows};
}

/* What is encoded is what the backend's decoder reads. */
static void an_encoded_batch_decodes(void **state)
{
    (void)state;
    Usec start = 1700000000 * USEC_PER_SEC;
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a\"b")}, {.type = CELL_INT, .integer = 5}};
    Reading reading = reading_of(cells, 1, start);
    batch_add(&batch, &reading);
    delta_commit(delta);
    batch_clear(&batch);
    cells[1].integer = 12;
    reading = reading_of(cells, 1, start + 60 * USEC_PER_SEC);
    batch_add(&batch, &reading);

    PushServer server = {.name = SLICE_LIT("main"), .reachable = true, .interval_ms = 60000, .version_num = 150020};
    BatchHead head = {.collector_id = "c1",
                      .spool = "00112233-4455-4677-8899-aabbccddeeff",
                      .sequence = 7,
                      .sent_at = start + 61 * USEC_PER_SEC,
                      .server = &server};
    _cleanup_buf_ Buf text = BUF_INIT;
    batch_encode(&batch, &head, &text);

    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch back;
    Err err = ERR_INIT;
    assert_ok(push_decode(buf_slice(&text), arena, &back, &err), &err);
    assert_slice(back.collector_id, "c1");
    assert_int_equal(back.sequence, 7);
    assert_int_equal(back.server_count, 1);
    assert_slice(back.servers[0].name, "main");
    assert_int_equal(back.frame_count, 1);
    assert_slice(back.frames[0].server, "main");
    assert_slice(back.frames[0].database, "app");
    assert_int_equal(back.frames[0].interval_ms, 60000);
    assert_int_equal(back.frames[0].row_count, 1);
    assert_slice(back.frames[0].cells[0].text, "a\"b");
    assert_int_equal(back.frames[0].cells[1].integer, 7);
}

static void the_bounds_ask_for_a_flush_but_never_refuse_the_first(void **state)
{
    (void)state;
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a")}, {.type = CELL_INT, .integer = 5}};
    Reading reading = reading_of(cells, 1, 1);
    batch.row_count = BATCH_ROWS_MAX;
    assert_true(batch_has_room(&batch, &reading));
    batch.row_count = 0;
    batch_add(&batch, &reading);
    assert_true(batch_has_room(&batch, &reading));
    batch.row_count = BATCH_ROWS_MAX;
    assert_false(batch_has_room(&batch, &reading));
    batch.row_count = 1;
    batch.bytes = BATCH_BYTES_MAX;
    assert_false(batch_has_room(&batch, &reading));
    batch_clear(&batch);
    assert_int_equal(batch.row_count + batch.bytes + batch.frames.len, 0);
    for (size_t i = 0; i < BATCH_FRAMES_MAX; i++)
        batch_add(&batch, &reading);
    assert_false(batch_has_room(&batch, &reading));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_encoded_batch_decodes, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bounds_ask_for_a_flush_but_never_refuse_the_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
