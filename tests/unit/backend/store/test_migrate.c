/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/store/migrate.h"
#include "lib/base/cleanup.h"

extern const EmbeddedFile STORE_MIGRATIONS[];
extern const size_t STORE_MIGRATIONS_count;

static void numbers_are_what_names_begin_with(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned number;
    } CASES[] = {{"0001_create.sql", 1}, {"0120_x.sql", 120}, {"9999_x.sql", 9999}, {"x.sql", 0},
                 {"0001.sql", 0},        {"_x.sql", 0},       {"-1_x.sql", 0},      {"10000_x.sql", 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++)
        assert_int_equal(migrate_number(CASES[i].name), CASES[i].number);
}

static void migrations_are_numbered_from_one_without_a_hole(void **state)
{
    (void)state;
    assert_true(STORE_MIGRATIONS_count > 0);
    for (size_t i = 0; i < STORE_MIGRATIONS_count; i++) {
        assert_int_equal(migrate_number(STORE_MIGRATIONS[i].name), i + 1);
        assert_true(
            slice_starts_with(embedded_slice(&STORE_MIGRATIONS[i]), SLICE_LIT("-- "))); /* says what it is for */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_what_names_begin_with),
        cmocka_unit_test(migrations_are_numbered_from_one_without_a_hole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
