/* SPDX-License-Identifier: PostgreSQL */
#include "lib/catalog/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/buf.h"

#define FAMILY(name) "name = '" name "'\nhelp = 'h'\nfrom = 'v'\n[[column]]\nname = 'a'\nkind = 'gauge'\nhelp = 'h'\n"
static void families_are_sorted_and_found(void **state)
{
    (void)state;
    static const FamilyColumn column = {.name = "a"};
    static const Family families[] = {
        {.name = "m", .columns = &column, .column_count = 1}, {.name = "z"}, {.name = "b"}, {.name = "bb"}};
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_int_equal(catalog_new(&c, families, ARRAY_LENGTH(families), NULL), 0);
    assert_int_equal(catalog_add(c, "a.toml", slice_cstr(FAMILY("a")), NULL), 0);
    static const char *const order[] = {"a", "b", "bb", "m", "z"};
    assert_int_equal(catalog_count(c), ARRAY_LENGTH(order));
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        assert_string_equal(catalog_at(c, i)->name, order[i]);
        assert_ptr_equal(catalog_find(c, slice_cstr(order[i])), catalog_at(c, i));
    }
    assert_null(catalog_at(c, 5));
    assert_null(catalog_find(c, SLICE_LIT("ba")));
    assert_null(catalog_find(c, SLICE_LIT("")));
    assert_null(family_find_column(catalog_at(c, 0), SLICE_LIT("b")));
}

static void second_family_of_a_name_is_a_conflict(void **state)
{
    (void)state;
    static const Family families[] = {{.name = "m"}, {.name = "m"}};
    _cleanup_(catalog_freep) Catalog *c = NULL, *none = NULL;
    Err err = ERR_INIT;
    assert_true(catalog_new(&none, families, 2, &err) < 0);
    assert_int_equal(err.code, ERR_CONFLICT);
    err = ERR_INIT;
    assert_int_equal(catalog_new(&c, families, 1, NULL), 0);
    assert_true(catalog_add(c, "metrics.d/m.toml", slice_cstr(FAMILY("m")), &err) < 0);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_int_equal(catalog_count(c), 1);
}

static void number_of_families_is_bounded(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_int_equal(catalog_new(&c, NULL, 0, NULL), 0);
    Err err = ERR_INIT;
    int r = 0;
    for (int i = 0; i <= CATALOG_FAMILIES_MAX && r == 0; i++) {
        _cleanup_buf_ Buf name = BUF_INIT, text = BUF_INIT;
        buf_printf(&name, "f%d.toml", i);
        buf_printf(&text, "name = 'f%d'\nhelp = 'h'\nfrom = 'v'\n[[column]]\nname = 'a'\nkind = 'gauge'\nhelp = 'h'\n",
                   i);
        r = catalog_add(c, buf_cstr(&name), buf_slice(&text), &err);
    }
    assert_true(r < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(catalog_count(c), CATALOG_FAMILIES_MAX);
}

static void fingerprints_tell_families_apart(void **state)
{
    (void)state;
    static const char *const VARIANTS[] = {FAMILY("a"), FAMILY("a") "unit = 'x'\n", FAMILY("a") "sql = 'b'\n",
                                           "limit = 3\n" FAMILY("a"), "where = 'x'\n" FAMILY("a")};
    uint64_t seen[ARRAY_LENGTH(VARIANTS)];
    for (size_t i = 0; i < ARRAY_LENGTH(VARIANTS); i++) {
        _cleanup_(catalog_freep) Catalog *c = NULL, *again = NULL;
        assert_int_equal(catalog_new(&c, NULL, 0, NULL), 0);
        assert_int_equal(catalog_new(&again, NULL, 0, NULL), 0);
        assert_int_equal(catalog_add(c, "a.toml", slice_cstr(VARIANTS[i]), NULL), 0);
        assert_int_equal(catalog_add(again, "a.toml", slice_cstr(VARIANTS[i]), NULL), 0);
        seen[i] = family_fingerprint(catalog_at(c, 0));
        assert_true(seen[i] == family_fingerprint(catalog_at(again, 0)));
        for (size_t k = 0; k < i; k++)
            assert_true(seen[k] != seen[i]);
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool family, column;
    } cases[] = {
        {"a", true, true},
        {"pg_stat_io2", true, true},
        {"", false, false},
        {"2a", false, false},
        {"_a", false, false},
        {"A", false, false},
        {"a-b", false, false},
        {"a b", false, false},
        {"\xc3\xa9", false, false},
        {"user", false, false},
        {"table", false, false},
        {"time", false, false},
        {"series_id", false, false},
        {"a23456789012345678901234567890123456789012345678", true, true},
        {"a234567890123456789012345678901234567890123456789", false, true},
        {"a23456789012345678901234567890123456789012345678901234567890", false, true},
        {"a234567890123456789012345678901234567890123456789012345678901", false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_int_equal(family_name_is_valid(slice_cstr(cases[i].name)), cases[i].family);
        assert_int_equal(column_name_is_valid(slice_cstr(cases[i].name)), cases[i].column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_sorted_and_found),
        cmocka_unit_test(second_family_of_a_name_is_a_conflict),
        cmocka_unit_test(number_of_families_is_bounded),
        cmocka_unit_test(fingerprints_tell_families_apart),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
