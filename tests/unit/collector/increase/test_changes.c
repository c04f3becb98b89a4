/* SPDX-License-Identifier: PostgreSQL */
/* Events from what is different between two readings. An event is shown as "kind change object.attribute: before >
 * after". */
#include "collector/increase/changes.h"

#include <stdio.h>

#include "lib/catalog/family.h"
#include "tests/support/unit.h"

static const char FAMILY_TEXT[] =
    "name = 'x'\nhelp = 'h'\nfrom = 'v'\nchange = 'thing'\n"
    "[[column]]\nname = 'datname'\nkind = 'label'\n"
    "[[column]]\nname = 'name'\nkind = 'label'\n"
    "[[column]]\nname = 'setting'\nkind = 'info'\nhelp = 'h'\nchange = 'thing'\n"
    "[[column]]\nname = 'valid'\nkind = 'gauge'\ntype = 'int8'\nunit = 'bool'\nhelp = 'h'\nchange = 'validity'\n"
    "[[column]]\nname = 'started'\nkind = 'gauge'\nhelp = 'h'\ncast = 'epoch'\nchange = 'restart'\n"
    "[[column]]\nname = 'parts'\nkind = 'info'\nhelp = 'h'\nchange = 'part'\nitems = true\n"
    "[[column]]\nname = 'noise'\nkind = 'gauge'\nhelp = 'h'\n";

enum { WIDTH = 7, ROWS_MOST = 200 };
enum { AT_SETTING = 2, AT_VALID, AT_STARTED, AT_PARTS, AT_NOISE };

typedef struct Fixture {
    Catalog *catalog;
    const Family *family;
    const FamilyColumn *columns[WIDTH];
    Changes *changes;
    Cell cells[ROWS_MOST * WIDTH];
    Reading reading;
    Buf told;
} Fixture;

static int setup(void **state)
{
    static Fixture x;
    x = (Fixture){0};
    Err err = ERR_INIT;
    assert_ok(catalog_new_builtin(&x.catalog, &err), &err);
    assert_ok(catalog_add(x.catalog, "x.toml", slice_cstr(FAMILY_TEXT), &err), &err);
    x.family = catalog_find(x.catalog, SLICE_LIT("x"));
    for (size_t i = 0; i < WIDTH; i++)
        x.columns[i] = &x.family->columns[i];
    x.changes = changes_new(catalog_find(x.catalog, SLICE_LIT("change_event")), 0);
    x.reading = (Reading){.family = "x",
                          .database = "app",
                          .epoch = "e",
                          .wall = 1000 * USEC_PER_SEC,
                          .columns = x.columns,
                          .column_count = WIDTH,
                          .label_count = 2,
                          .cells = x.cells};
    *state = &x;
    return 0;
}

static int teardown(void **state)
{
    Fixture *x = *state;
    changes_free(x->changes);
    catalog_free(x->catalog);
    buf_done(&x->told);
    return 0;
}

static Cell text_of(const char *text)
{
    return text ? (Cell){.type = CELL_TEXT, .text = slice_cstr(text)} : (Cell){.type = CELL_NULL};
}

static Cell *row(Fixture *x, const char *name, const char *setting)
{
    Cell *cells = &x->cells[x->reading.row_count++ * WIDTH];
    cells[0] = text_of("app");
    cells[1] = text_of(name);
    cells[AT_SETTING] = text_of(setting);
    cells[AT_VALID] = (Cell){.type = CELL_INT, .integer = 1};
    cells[AT_STARTED] = (Cell){.type = CELL_FLOAT, .number = 86400};
    cells[AT_PARTS] = (Cell){.type = CELL_NULL};
    cells[AT_NOISE] = (Cell){.type = CELL_FLOAT, .number = (double)x->reading.wall};
    return cells;
}

static Slice value_of(const Reading *events, size_t row_nr, const char *column)
{
    for (size_t i = 0; i < events->column_count; i++) {
        const Cell *cell = &events->cells[row_nr * events->column_count + i];
        if (strcmp(events->columns[i]->name, column) == 0)
            return cell->type == CELL_TEXT ? cell->text : SLICE_NULL;
    }
    fail_msg("no column %s", column);
    return SLICE_NULL;
}

static int64_t count_of(const Reading *events, size_t row_nr)
{
    return events->cells[(row_nr + 1) * events->column_count - 1].integer;
}

/* Looks; what was told, a line each; begins the next reading a minute later. */
static const char *see(Fixture *x)
{
    buf_clear(&x->told);
    const Reading *events = changes_see(x->changes, x->family, &x->reading);
    for (size_t i = 0; events && i < events->row_count; i++) {
        Slice attribute = value_of(events, i, "attribute");
        Slice before = value_of(events, i, "before"), after = value_of(events, i, "after");
        buf_printf(&x->told, "%.*s %.*s %.*s%s%.*s: %.*s > %.*s\n", SLICE_ARG(value_of(events, i, "kind")),
                   SLICE_ARG(value_of(events, i, "change")), SLICE_ARG(value_of(events, i, "object")),
                   attribute.ptr ? " " : "", SLICE_ARG(attribute), before.ptr ? (int)before.len : 1,
                   before.ptr ? before.ptr : "-", after.ptr ? (int)after.len : 1, after.ptr ? after.ptr : "-");
        assert_slice(value_of(events, i, "datname"), "app");
        assert_slice(value_of(events, i, "family"), "x");
        assert_true(events->events_since > 0);
    }
    x->reading.row_count = 0;
    x->reading.wall += 60 * USEC_PER_SEC;
    return buf_cstr(&x->told);
}

static void a_first_look_tells_nothing(void **state)
{
    Fixture *x = *state;
    row(x, "a", "1");
    assert_string_equal(see(x), "");
    changes_commit(x->changes);
    row(x, "a", "1");
    assert_string_equal(see(x), ""); /* noise is not watched */
}

static void what_is_new_gone_and_different_is_told(void **state)
{
    Fixture *x = *state;
    row(x, "b", "2");
    row(x, "a", "1");
    row(x, "d", NULL);
    (void)see(x);
    changes_commit(x->changes);
    row(x, "c", "3");
    row(x, "d", "4");
    Cell *a = row(x, "a", "one");
    a[AT_VALID].integer = 0;
    a[AT_STARTED].number = 90000;
    assert_string_equal(see(x), "thing changed a setting: 1 > one\n"
                                "validity changed a valid: true > false\n"
                                "restart changed a started: 1970-01-02 00:00:00Z > 1970-01-02 01:00:00Z\n"
                                "thing removed b: 2 > -\n"
                                "thing added c: - > 3\n"
                                "thing changed d setting: - > 4\n");
}

static void lists_are_compared_item_by_item(void **state)
{
    Fixture *x = *state;
    row(x, "t", "1")[AT_PARTS] = text_of("id\tinteger\nname\ttext\nold\tdate");
    (void)see(x);
    changes_commit(x->changes);
    row(x, "t", "1")[AT_PARTS] = text_of("id\tbigint\nname\ttext\nnew\tdate\nbare");
    assert_string_equal(see(x), "part changed t.id: integer > bigint\n"
                                "part removed t.old: date > -\n"
                                "part added t.new: - > date\n"
                                "part added t.bare: - > \n");
}

/* A list that was cut has no end: what is behind the cut is not news. */
static void a_list_that_was_cut_is_not_read_to_its_end(void **state)
{
    Fixture *x = *state;
    static char before[CHANGES_VALUE_MAX + 100], after[2 * CHANGES_VALUE_MAX];
    size_t len = 0;
    for (int i = 0; len < CHANGES_VALUE_MAX; i++)
        len += (size_t)snprintf(before + len, 12, "n%04d\tdef\n", i & 8191);
    (void)snprintf(after, sizeof(after), "new\tone\n%s", before);
    before[CHANGES_VALUE_MAX] = after[CHANGES_VALUE_MAX] = '\0';
    memcpy(strstr(after, "n0005\tdef"), "n0005\tDEF", 9);
    row(x, "t", "1")[AT_PARTS] = text_of(before);
    (void)see(x);
    changes_commit(x->changes);
    row(x, "t", "1")[AT_PARTS] = text_of(after);
    assert_string_equal(see(x), "part changed t.n0005: def > DEF\n");
}

static void what_was_given_up_is_told_again(void **state)
{
    Fixture *x = *state;
    row(x, "a", "1");
    (void)see(x);
    changes_commit(x->changes);
    for (int i = 0; i < 2; i++) {
        row(x, "a", "2");
        assert_string_equal(see(x), "thing changed a setting: 1 > 2\n");
        changes_rollback(x->changes);
    }
    row(x, "a", "2");
    (void)see(x);
    changes_commit(x->changes);
    row(x, "a", "2");
    assert_string_equal(see(x), "");
}

static void load_copy(Fixture *x)
{
    _cleanup_buf_ Buf bytes = BUF_INIT;
    changes_save(x->changes, &bytes);
    changes_free(x->changes);
    x->changes = changes_new(catalog_find(x->catalog, SLICE_LIT("change_event")), 0);
    Err err = ERR_INIT;
    assert_ok(changes_load(x->changes, buf_slice(&bytes), &err), &err);
    /* Cut anywhere it is refused, and nothing is remembered. */
    Changes *other = changes_new(catalog_find(x->catalog, SLICE_LIT("change_event")), 0);
    for (size_t len = 0; len < bytes.len; len++) {
        if (len == 5) /* nothing but the beginning: nothing is remembered */
            continue;
        assert_fails(changes_load(other, slice_from(bytes.ptr, len), &err), &err, ERR_CORRUPT, "damaged");
    }
    changes_free(other);
}

static void a_change_over_a_restart_is_seen(void **state)
{
    Fixture *x = *state;
    row(x, "a", "1");
    row(x, "b", NULL);
    assert_false(changes_are_new(x->changes));
    (void)see(x);
    assert_true(changes_are_new(x->changes));
    load_copy(x); /* what is staged is saved with the batch that it is in */
    row(x, "a", "2");
    row(x, "b", NULL);
    assert_string_equal(see(x), "thing changed a setting: 1 > 2\n");
    changes_commit(x->changes);
    changes_saved(x->changes);
    row(x, "a", "2");
    row(x, "b", NULL);
    (void)see(x);
    assert_false(changes_are_new(x->changes));
}

/* Rows may be missing: neither their coming nor their going is news, what both have is. */
static void a_partial_reading_tells_values_only(void **state)
{
    Fixture *x = *state;
    row(x, "a", "1");
    row(x, "b", "2");
    (void)see(x);
    changes_commit(x->changes);
    x->reading.partial = true;
    row(x, "b", "3");
    assert_string_equal(see(x), "thing changed b setting: 2 > 3\n");
    changes_commit(x->changes);
    x->reading.partial = false;
    row(x, "a", "1");
    row(x, "b", "3");
    assert_string_equal(see(x), "");
}

/* A server of another version has columns that were not there: nothing has changed. */
static void a_column_that_is_new_is_no_news(void **state)
{
    Fixture *x = *state;
    x->reading.column_count = 3;
    x->cells[0] = text_of("app");
    x->cells[1] = text_of("a");
    x->cells[2] = text_of("1");
    x->reading.row_count = 1;
    (void)see(x);
    changes_commit(x->changes);
    x->reading.column_count = WIDTH;
    row(x, "a", "1");
    assert_string_equal(see(x), "");
}

static void events_beyond_the_bound_are_counted(void **state)
{
    Fixture *x = *state;
    char names[150][16];
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 150; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "n%03d", i & 255);
            row(x, names[i], turn ? "2" : "1");
        }
        const Reading *events = changes_see(x->changes, x->family, &x->reading);
        changes_commit(x->changes);
        x->reading.row_count = 0;
        x->reading.wall += USEC_PER_SEC;
        if (turn == 0)
            continue;
        assert_int_equal(events->row_count, CHANGES_EVENTS_MAX + 1);
        assert_slice(value_of(events, CHANGES_EVENTS_MAX, "change"), "more");
        assert_int_equal(count_of(events, CHANGES_EVENTS_MAX), 50);
        assert_slice(value_of(events, 0, "nr"), "1");
        assert_slice(value_of(events, CHANGES_EVENTS_MAX, "nr"), "101");
    }
}

static void memory_is_bounded(void **state)
{
    Fixture *x = *state;
    changes_free(x->changes);
    x->changes = changes_new(catalog_find(x->catalog, SLICE_LIT("change_event")), 8192);
    static char names[200][16];
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 200; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "n%03d", i & 255);
            row(x, names[i], i == 0 && turn == 2 ? "changed" : "1");
        }
        assert_string_equal(see(x), turn == 2 ? "thing changed n000 setting: 1 > changed\n" : "");
        changes_commit(x->changes);
    }
    assert_in_range(changes_unwatched(x->changes), 100, 199);
}

/* Of a long text the beginning is shown, and a change behind it is seen. */
static void long_texts_are_told_apart(void **state)
{
    Fixture *x = *state;
    static char text[5001];
    memset(text, 'a', 5000);
    row(x, "a", text);
    (void)see(x);
    changes_commit(x->changes);
    text[4999] = 'b';
    row(x, "a", text);
    const char *told = see(x);
    assert_non_null(strstr(told, "thing changed a setting: aaaa"));
    assert_true(strlen(told) < 2200);
    assert_non_null(strstr(told, "(5000 bytes, "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_first_look_tells_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_new_gone_and_different_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_compared_item_by_item, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_that_was_cut_is_not_read_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_given_up_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_over_a_restart_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_partial_reading_tells_values_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_column_that_is_new_is_no_news, setup, teardown),
        cmocka_unit_test_setup_teardown(events_beyond_the_bound_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(long_texts_are_told_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
