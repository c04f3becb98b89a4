/* SPDX-License-Identifier: PostgreSQL */
/* The statement that leaves out what is known. That it does is shown in tests/sql/test_families.py. */
#include "lib/catalog/row_state.h"

#include "tests/support/unit.h"

static const FamilyColumn label = {.name = "l", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn counted = {.name = "n", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn also_counted = {.name = "m", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn timed = {.name = "t", .kind = COLUMN_COUNTER, .type = COLUMN_FLOAT8};
static const FamilyColumn gauge = {.name = "g", .kind = COLUMN_GAUGE, .type = COLUMN_INT8};

typedef struct Case {
    const char *row_state[6];
    const FamilyColumn *columns[5];
    bool has_epoch, has_roll_up;
    const char *own; /* what is selected of the rows */
} Case;

static const Case cases[] = {
    {.row_state = {"n"},
     .columns = {&label, &counted},
     .own = "own.\"l\", own.\"n\", own.id as \"id\", (coalesce(own.\"n\", -1))::int8 as \"state\""},
    /* Nothing that is added up. */
    {.row_state = {"l"},
     .columns = {&label, &counted},
     .own =
         "own.\"l\", own.\"n\", hashtextextended(coalesce(own.\"l\", ''), own.id) as \"id\", (0)::int8 as \"state\""},
    /* What may go down, and what is too fine to be added to something large, are hashed each by themselves. */
    {.row_state = {"n", "t", "g"},
     .columns = {&label, &counted, &timed, &gauge},
     .own = "own.\"l\", own.\"n\", own.\"t\", own.\"g\", own.id as \"id\", (hashint8extended(coalesce(own.\"g\", -1), "
            "hashfloat8extended(coalesce(own.\"t\", -1), coalesce(own.\"n\", -1))))::int8 as \"state\""},
    {.row_state = {"n", "m"},
     .columns = {&label, &counted, &also_counted},
     .own = "own.\"l\", own.\"n\", own.\"m\", own.id as \"id\", "
            "(coalesce(own.\"n\", -1) + coalesce(own.\"m\", -1))::int8 as \"state\""},
    /* The server does not have all that shows a change. */
    {.row_state = {"gone", "n"},
     .columns = {&label, &counted},
     .own = "own.\"l\", own.\"n\", own.id as \"id\", (coalesce(own.\"n\", -1))::int8 as \"state\""},
    {.row_state = {"n"},
     .columns = {&label, &counted},
     .has_epoch = true,
     .has_roll_up = true,
     .own = "own.\"l\", own.\"n\", own.\"epoch\", own.\"rolled_1\", own.id as \"id\", "
            "(coalesce(own.\"n\", -1))::int8 as \"state\""},
};

static size_t count_columns(const Case *c)
{
    size_t count = 0;
    while (c->columns[count])
        count++;
    return count;
}

static void what_is_known_is_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const Case *c = &cases[i];
        const Family family = {.row_id = "id", .row_state = c->row_state};
        ResolvedFamily resolved = {.family = &family,
                                   .columns = c->columns,
                                   .column_count = count_columns(c),
                                   .label_count = 1,
                                   .has_epoch = c->has_epoch,
                                   .has_roll_up = c->has_roll_up};
        _cleanup_buf_ Buf sql = BUF_INIT, expected = BUF_INIT;
        buf_append_cstr(&sql, "select l, n from v");
        row_state_leave_out_known(&sql, &resolved);
        buf_printf(
            &expected,
            "select read.*, case when read.id is null then known.id end as \"gone\"\n  from (\nselect %s\n"
            "  from (\nselect l, n from v\noffset 0\n) as own\n) as read\n"
            "  full join unnest((select $1::int8[]), (select $2::int8[])) as known(id, state) on read.id = known.id\n"
            " where read.id is null or known.id is null or read.state <> known.state",
            c->own);
        assert_string_equal(buf_cstr(&sql), buf_cstr(&expected));
        assert_true(resolved.has_state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_known_is_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
