/* SPDX-License-Identifier: PostgreSQL */
/* Fewer rows, the same sum. Through delta_apply(), as it is used. */
#include "collector/increase/rollup.h"

#include "collector/increase/delta.h"
#include "tests/support/unit.h"

static const FamilyColumn DATNAME = {.name = "datname", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn CALLS = {.name = "calls", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn TIME = {.name = "time", .kind = COLUMN_COUNTER, .type = COLUMN_FLOAT8};
static const FamilyColumn SIZE = {.name = "size", .kind = COLUMN_GAUGE, .type = COLUMN_INT8, .combine = COMBINE_SUM};
static const FamilyColumn LAST = {.name = "last", .kind = COLUMN_GAUGE, .type = COLUMN_FLOAT8, .combine = COMBINE_MAX};
static const FamilyColumn FIRST = {
    .name = "first", .kind = COLUMN_GAUGE, .type = COLUMN_FLOAT8, .combine = COMBINE_MIN};
static const FamilyColumn OWN = {.name = "own", .kind = COLUMN_GAUGE, .type = COLUMN_INT8};
static const FamilyColumn NOTE = {.name = "note", .kind = COLUMN_INFO, .type = COLUMN_TEXT};
static const FamilyColumn *const COLUMNS[] = {&DATNAME, &NAME, &CALLS, &TIME, &SIZE, &LAST, &FIRST, &OWN, &NOTE};

enum { WIDTH = 9, ROWS_MOST = 40 };
enum { AT_NAME = 1, AT_CALLS, AT_TIME, AT_SIZE, AT_LAST, AT_FIRST, AT_OWN, AT_NOTE };

typedef struct Fixture {
    Delta *delta;
    Arena *arena;
    Cell cells[ROWS_MOST * WIDTH];
    Slice rolled[ROWS_MOST * 2];
    Reading reading;
    PushFrame frame;
} Fixture;

static int setup(void **state)
{
    static Fixture x;
    x = (Fixture){.delta = delta_new(), .arena = arena_new(0)};
    x.reading = (Reading){.family = "f",
                          .database = "app",
                          .epoch = "e",
                          .columns = COLUMNS,
                          .column_count = WIDTH,
                          .label_count = 2,
                          .cells = x.cells,
                          .rolled = x.rolled};
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    Fixture *x = *state;
    delta_free(x->delta);
    arena_free(x->arena);
    return 0;
}

/* A row of @name that is added up under @root (NULL: its own). */
static void row(Fixture *x, const char *name, const char *root, int64_t calls, int64_t size)
{
    Cell *cells = &x->cells[x->reading.row_count * WIDTH];
    cells[0] = (Cell){.type = CELL_TEXT, .text = SLICE_LIT("app")};
    cells[AT_NAME] = (Cell){.type = CELL_TEXT, .text = slice_cstr(name)};
    cells[AT_CALLS] = (Cell){.type = CELL_INT, .integer = calls};
    cells[AT_TIME] = (Cell){.type = CELL_FLOAT, .number = (double)calls / 2};
    cells[AT_SIZE] = (Cell){.type = CELL_INT, .integer = size};
    cells[AT_LAST] = cells[AT_FIRST] = (Cell){.type = CELL_FLOAT, .number = (double)size};
    cells[AT_OWN] = (Cell){.type = CELL_INT, .integer = size};
    cells[AT_NOTE] = (Cell){.type = CELL_TEXT, .text = slice_cstr(name)};
    x->rolled[x->reading.row_count * 2] = SLICE_NULL;
    x->rolled[x->reading.row_count * 2 + 1] = slice_cstr(root);
    x->reading.row_count++;
}

/* Reads, keeps, and begins the next reading. */
static void apply(Fixture *x, Usec at)
{
    x->reading.wall = x->reading.monotonic = at * USEC_PER_SEC;
    delta_apply(x->delta, x->arena, &x->reading, &x->frame);
    delta_commit(x->delta);
    x->reading.row_count = 0;
}

static const Cell *find(const Fixture *x, const char *name)
{
    for (size_t i = 0; i < x->frame.row_count; i++) {
        if (slice_eq_cstr(x->frame.cells[i * WIDTH + AT_NAME].text, name))
            return &x->frame.cells[i * WIDTH];
    }
    return NULL;
}

static int64_t sum_of_calls(const Fixture *x)
{
    int64_t sum = 0;
    for (size_t i = 0; i < x->frame.row_count; i++)
        sum += x->frame.cells[i * WIDTH + AT_CALLS].integer; /* 0 where it is not known */
    return sum;
}

static void partitions_are_added_up_under_their_root(void **state)
{
    Fixture *x = *state;
    row(x, "alone", NULL, 5, 50);
    row(x, "p1", "root", 10, 100);
    row(x, "p2", "root", 20, 300);
    apply(x, 100);
    assert_int_equal(x->frame.row_count, 2);
    row(x, "alone", NULL, 5, 50);
    row(x, "p1", "root", 13, 100);
    row(x, "p2", "root", 20, 300); /* stood still, but its size counts */
    row(x, "p3", "root", 4, 7);
    apply(x, 160);
    assert_int_equal(x->frame.row_count, 1);
    const Cell *root = find(x, "root");
    assert_slice(root[0].text, "app");
    assert_int_equal(root[AT_CALLS].integer, 3 + 4);
    assert_true(root[AT_TIME].number > 3.49 && root[AT_TIME].number < 3.51);
    assert_int_equal(root[AT_SIZE].integer, 100 + 300 + 7);
    assert_true(root[AT_LAST].number > 299 && root[AT_FIRST].number < 8);
    assert_int_equal(root[AT_OWN].type, CELL_NULL);
    assert_int_equal(root[AT_NOTE].type, CELL_NULL);
}

/* What a dropped partition has counted is not taken back: no negative, no new epoch. */
static void a_dropped_partition_takes_nothing_away(void **state)
{
    Fixture *x = *state;
    row(x, "p1", "root", 1000, 1);
    row(x, "p2", "root", 20, 2);
    apply(x, 100);
    row(x, "p2", "root", 25, 2);
    apply(x, 160);
    assert_int_equal(x->frame.row_count, 1);
    assert_int_equal(find(x, "root")[AT_CALLS].integer, 5);
    assert_int_equal(delta_resets(x->delta), 0);
    assert_false(x->frame.gap);
}

/* The root's own row and those of partitions that carry its name are one. */
static void rows_that_would_share_their_labels_are_one(void **state)
{
    Fixture *x = *state;
    row(x, "root", NULL, 1, 1);
    row(x, "p1", "root", 1, 1);
    apply(x, 100);
    row(x, "root", NULL, 3, 1);
    row(x, "p1", "root", 9, 1);
    apply(x, 160);
    assert_int_equal(x->frame.row_count, 1);
    assert_int_equal(find(x, "root")[AT_CALLS].integer, 10);
}

static void nothing_travels_when_nothing_moved(void **state)
{
    Fixture *x = *state;
    for (Usec at = 100; at <= 160; at += 60) {
        row(x, "p1", "root", 1, 1);
        row(x, "p2", "root", 2, 2);
        apply(x, at);
    }
    assert_int_equal(x->frame.row_count, 0);
}

/* With every turn other rows are the largest: each increase is told exactly once, by name or in the rest. */
static void the_sum_is_true_whoever_is_at_the_top(void **state)
{
    Fixture *x = *state;
    static const char *const NAMES[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    enum { COUNT = 10, TURNS = 50 };
    int64_t calls[COUNT] = {0}, truth = 0, told = 0;
    x->reading.top = 3;
    x->reading.top_by = "calls";
    for (int turn = 0; turn <= TURNS; turn++) {
        for (int i = 0; i < COUNT; i++) {
            int64_t more = turn ? (turn * 7 + i * 13) % 11 : 0;
            calls[i] += more;
            truth += more;
            row(x, NAMES[i], i < 4 ? "root" : NULL, calls[i], 1);
        }
        x->reading.keyframe = turn % 5 == 0;
        apply(x, 100 + turn);
        told += turn ? sum_of_calls(x) : 0;
        assert_true(x->frame.row_count <= 4);
    }
    assert_int_equal(told, truth);
}

static void the_rest_has_counters_only(void **state)
{
    Fixture *x = *state;
    x->reading.top = 1;
    for (int turn = 1; turn <= 2; turn++) {
        row(x, "a", NULL, turn, 10);
        row(x, "b", NULL, 100 * turn, 20);
        row(x, "c", NULL, 2 * turn, 30);
        apply(x, 100 * turn);
    }
    assert_int_equal(x->frame.row_count, 2);
    assert_int_equal(find(x, "b")[AT_CALLS].integer, 100);
    const Cell *rest = find(x, ROLLUP_OTHER);
    assert_slice(rest[0].text, "app"); /* of one database: its name is known */
    assert_int_equal(rest[AT_CALLS].integer, 3);
    assert_int_equal(rest[AT_SIZE].type, CELL_NULL);
    assert_int_equal(rest[AT_NOTE].type, CELL_NULL);
}

/* At the first reading nothing is known of any increase, so neither is their sum. */
static void a_sum_of_what_is_not_known_is_not_known(void **state)
{
    Fixture *x = *state;
    x->reading.top = 1;
    row(x, "a", NULL, 1, 10);
    row(x, "b", NULL, 2, 20);
    row(x, "c", NULL, 3, 30);
    apply(x, 100);
    assert_int_equal(find(x, ROLLUP_OTHER)[AT_CALLS].type, CELL_NULL);
}

/* One row more than the top is sent as it is: a rest of one row would only hide its name. */
static void a_rest_of_one_row_keeps_its_name(void **state)
{
    Fixture *x = *state;
    x->reading.top = 2;
    row(x, "a", NULL, 1, 10);
    row(x, "b", NULL, 2, 20);
    row(x, "c", NULL, 3, 30);
    apply(x, 100);
    assert_int_equal(x->frame.row_count, 3);
    assert_null(find(x, ROLLUP_OTHER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(partitions_are_added_up_under_their_root, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dropped_partition_takes_nothing_away, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_would_share_their_labels_are_one, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_travels_when_nothing_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(the_sum_is_true_whoever_is_at_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rest_has_counters_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sum_of_what_is_not_known_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rest_of_one_row_keeps_its_name, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
