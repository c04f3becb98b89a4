/* SPDX-License-Identifier: PostgreSQL */
#include "collector/spool/batch.h"

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

/* Families of users are described, once, and only those that the batch has rows of. */
static void families_of_users_are_described(void **state)
{
    (void)state;
    static const char OWN[] = "help = 'h'\nfrom = 'v'\ninterval = 5\n[[column]]\nname = 'calls'\nkind = 'counter'\n"
                              "unit = 'calls'\nhelp = 'h'\n[[column]]\nname = 'name'\nkind = 'label'\n";
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    _cleanup_buf_ Buf used = BUF_INIT, unused = BUF_INIT, text = BUF_INIT;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch back;
    Err err = ERR_INIT;
    buf_printf(&used, "name = 'f'\n%s", OWN);
    buf_printf(&unused, "name = 'g'\n%s", OWN);
    assert_int_equal(catalog_new(&catalog, NULL, 0, NULL), 0);
    assert_ok(catalog_add_own(catalog, "f.toml", buf_slice(&used), &err), &err);
    assert_ok(catalog_add_own(catalog, "g.toml", buf_slice(&unused), &err), &err);
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a")}, {.type = CELL_INT, .integer = 5}};
    Reading reading = reading_of(cells, 1, 1700000000 * USEC_PER_SEC);
    batch_add(&batch, &reading);
    reading.database = "other";
    batch_add(&batch, &reading);

    PushServer server = {.name = SLICE_LIT("main"), .reachable = true};
    BatchHead head = {
        .collector_id = "c1", .sent_at = 1700000001 * USEC_PER_SEC, .server = &server, .catalog = catalog};
    batch_encode(&batch, &head, &text);
    assert_ok(push_decode(buf_slice(&text), arena, &back, &err), &err);
    assert_int_equal(back.family_count, 1);
    const PushFamily *f = &back.families[0];
    assert_slice(f->name, "f");
    assert_slice(f->scope, "instance");
    assert_int_equal(f->interval_s, 5);
    assert_int_equal(f->column_count, 2);
    assert_slice(f->columns[0].name, "name");
    assert_slice(f->columns[0].kind, "label");
    assert_slice(f->columns[1].type, "int8");
    assert_slice(f->columns[1].unit, "calls");
}

static void a_batch_knows_whether_it_tells_anything_new(void **state)
{
    (void)state;
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a")}, {.type = CELL_INT, .integer = 5}};
    Reading reading = reading_of(cells, 1, 1700000000 * USEC_PER_SEC);
    assert_false(batch.has_news);
    batch_add(&batch, &reading);
    assert_true(batch.has_news);
    delta_commit(delta);
    batch_clear(&batch);
    reading.wall += USEC_PER_SEC;
    batch_add(&batch, &reading);
    assert_false(batch.has_news); /* the same row */
    reading.row_count = 0;
    reading.events_since = 1;
    batch_add(&batch, &reading);
    assert_false(batch.has_news); /* nothing has happened */
    reading.row_count = 1;
    batch_add(&batch, &reading);
    assert_true(batch.has_news);
    reading.row_count = 0;
    batch_add(&batch, &reading);
    assert_true(batch.has_news); /* it stays so */
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

/* Events are told as they are: no baseline, no comparison, every row. */
static void events_are_not_compared(void **state)
{
    (void)state;
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a")}, {.type = CELL_INT, .integer = 5}};
    Reading reading = reading_of(cells, 1, 1700000000 * USEC_PER_SEC);
    reading.events_since = 10 * USEC_PER_SEC;
    batch_add(&batch, &reading);
    batch_add(&batch, &reading);
    assert_int_equal(batch.frames.len, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(batch.frames.items[i].interval_ms, 10000);
        assert_true(batch.frames.items[i].keyframe);
        assert_int_equal(batch.frames.items[i].row_count, 1);
        assert_slice(batch.frames.items[i].cells[0].text, "a");
        assert_int_equal(batch.frames.items[i].cells[1].integer, 5);
    }
    assert_false(delta_has(delta, "f", "app"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_are_not_compared, setup, teardown),
        cmocka_unit_test_setup_teardown(an_encoded_batch_decodes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_batch_knows_whether_it_tells_anything_new, setup, teardown),
        cmocka_unit_test_setup_teardown(families_of_users_are_described, setup, teardown),
        cmocka_unit_test_setup_teardown(the_bounds_ask_for_a_flush_but_never_refuse_the_first, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
