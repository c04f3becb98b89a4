/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/inbox.h"

#include <stdio.h>

#include "tests/support/unit.h"

static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn CALLS = {.name = "calls", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};

static void put(Inbox *inbox, const char *name, int64_t calls)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%s", name);
    Slice epoch = slice_cstr(text);
    const FamilyColumn *columns[] = {&NAME, &CALLS};
    Cell cells[] = {{.type = CELL_TEXT, .text = slice_cstr(text)}, {.type = CELL_INT, .integer = calls}};
    Reading reading = {.family = "f",
                       .database = text,
                       .epoch = text,
                       .wall = 1,
                       .columns = columns,
                       .column_count = 2,
                       .label_count = 1,
                       .cells = cells,
                       .row_count = 1,
                       .row_epochs = &epoch};
    inbox_put(inbox, &reading);
    memset(text, 'x', sizeof(text)); /* what was put is a copy */
    columns[0] = columns[1] = NULL;
}

static void expect(Inbox *inbox, const char *name, int64_t calls)
{
    const Reading *r = inbox_peek(inbox);
    assert_non_null(r);
    assert_string_equal(r->family, "f");
    assert_string_equal(r->database, name);
    assert_string_equal(r->epoch, name);
    assert_slice(r->cells[0].text, name);
    assert_ptr_equal(r->columns[0], &NAME);
    assert_ptr_equal(r->columns[1], &CALLS);
    assert_int_equal(r->cells[1].integer, calls);
    assert_slice(r->row_epochs[0], name);
    inbox_take(inbox);
}

static void what_was_put_comes_out_in_order(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(0);
    assert_null(inbox_peek(inbox));
    put(inbox, "a", 1);
    put(inbox, "b", 2);
    expect(inbox, "a", 1);
    expect(inbox, "b", 2);
    assert_null(inbox_peek(inbox));
}

static void a_batch_that_was_not_kept_is_given_again(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(0);
    put(inbox, "a", 1);
    put(inbox, "b", 2);
    expect(inbox, "a", 1);
    inbox_rollback(inbox);
    assert_non_null(inbox_peek(inbox));
    assert_true(inbox_was_taken(inbox));
    expect(inbox, "a", 1);
    inbox_commit(inbox);
    assert_non_null(inbox_peek(inbox));
    assert_false(inbox_was_taken(inbox));
    expect(inbox, "b", 2);
    inbox_commit(inbox);
    assert_null(inbox_peek(inbox));
    assert_int_equal(inbox_given_up(inbox), 0);
}

/* A flush in the middle: what is being looked at stays although those before it are committed. */
static void what_is_looked_at_outlives_a_commit(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(0);
    put(inbox, "a", 1);
    put(inbox, "b", 2);
    expect(inbox, "a", 1);
    const Reading *b = inbox_peek(inbox);
    inbox_commit(inbox);
    assert_slice(b->cells[0].text, "b");
    inbox_take(inbox);
    assert_null(inbox_peek(inbox));
}

static void a_full_inbox_gives_up_the_oldest_that_is_free(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(1);
    put(inbox, "a", 1);
    assert_non_null(inbox_peek(inbox)); /* held: not given up */
    put(inbox, "b", 2);
    put(inbox, "c", 3);
    assert_int_equal(inbox_given_up(inbox), 1);
    expect(inbox, "a", 1);
    expect(inbox, "c", 3);
}

static void what_is_in_a_batch_is_not_given_up(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(1);
    put(inbox, "a", 1);
    expect(inbox, "a", 1);
    put(inbox, "b", 2);
    put(inbox, "c", 3); /* for which b goes */
    assert_int_equal(inbox_given_up(inbox), 1);
    inbox_rollback(inbox);
    expect(inbox, "a", 1);
    expect(inbox, "c", 3);
}

/* Nothing is held any more: the next one that finds no room takes the place of all that wait. */
static void what_was_looked_at_and_given_back_may_be_given_up(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(1);
    put(inbox, "a", 1);
    assert_non_null(inbox_peek(inbox));
    inbox_rollback(inbox);
    put(inbox, "b", 2);
    assert_int_equal(inbox_given_up(inbox), 1);
    expect(inbox, "b", 2);
}

static void what_was_sent_makes_room(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(1 << 20);
    for (int i = 0; i < MANY; i++) { /* each takes some kilobytes */
        for (int k = 0; k < 10; k++)
            put(inbox, "a", i);
        for (int k = 0; k < 10; k++)
            expect(inbox, "a", i);
        inbox_commit(inbox);
    }
    assert_int_equal(inbox_given_up(inbox), 0);
}

static void the_oldest_is_given_up_first(void **state)
{
    (void)state;
    _cleanup_(inbox_freep) Inbox *inbox = inbox_new(64 << 10);
    int64_t count = 0;
    while (inbox_given_up(inbox) == 0)
        put(inbox, "a", count++);
    assert_true(count > 2);
    expect(inbox, "a", (int64_t)inbox_given_up(inbox)); /* the ones before it are gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_out_in_order),
        cmocka_unit_test(a_batch_that_was_not_kept_is_given_again),
        cmocka_unit_test(what_is_looked_at_outlives_a_commit),
        cmocka_unit_test(a_full_inbox_gives_up_the_oldest_that_is_free),
        cmocka_unit_test(what_is_in_a_batch_is_not_given_up),
        cmocka_unit_test(what_was_looked_at_and_given_back_may_be_given_up),
        cmocka_unit_test(what_was_sent_makes_room),
        cmocka_unit_test(the_oldest_is_given_up_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
