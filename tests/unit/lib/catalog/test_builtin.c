/* SPDX-License-Identifier: PostgreSQL */
/* Walks the families that are built in. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/catalog/family.h"
#include "lib/io/file.h"

/* What was made of a file when the program was built is what reading it gives. */
static void check_file(const Catalog *c, const char *file)
{
    _cleanup_(catalog_freep) Catalog *read = NULL;
    _cleanup_buf_ Buf path = BUF_INIT, text = BUF_INIT;
    Err err = ERR_INIT;
    buf_printf(&path, "catalog/%s", file);
    assert_int_equal(file_read_all(buf_cstr(&path), 1 << 20, &text, NULL), 0);
    assert_int_equal(catalog_new(&read, NULL, 0, NULL), 0);
    if (catalog_add(read, file, buf_slice(&text), &err) < 0)
        fail_msg("%s:%u:%u", err.detail, err.line, err.column);
    const Family *wanted = catalog_at(read, 0), *f = catalog_find(c, slice_cstr(wanted->name));
    if (!f)
        fail_msg("catalog/%s is not listed in lib/catalog/CMakeLists.txt", file);
    if (family_fingerprint(f) != family_fingerprint(wanted) ||
        family_metrics_fingerprint(f) != family_metrics_fingerprint(wanted) || f->label_count != wanted->label_count ||
        f->column_count != wanted->column_count)
        fail_msg("what is built in is not what catalog/%s says", file);
}

static void every_file_of_the_catalog_is_built_in(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    Err err = ERR_INIT;
    if (catalog_new_builtin(&c, &err) < 0)
        fail_msg("%s:%u:%u", err.detail, err.line, err.column);
    DIR *directory = opendir("catalog");
    assert_non_null(directory);
    size_t count = 0;
    for (const struct dirent *e; (e = readdir(directory));) {
        Slice name = slice_cstr(e->d_name);
        if (!slice_ends_with(name, SLICE_LIT(".toml")))
            continue;
        check_file(c, e->d_name);
        count++;
    }
    closedir(directory);
    assert_int_equal(catalog_count(c), count);
}

/* What people and Prometheus read: sentences, units, no family without a value that can be charted or shown. */
static void help_is_a_sentence_and_counters_have_units(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_int_equal(catalog_new_builtin(&c, NULL), 0);
    for (size_t i = 0; i < catalog_count(c); i++) {
        const Family *f = catalog_at(c, i);
        if (!slice_ends_with(slice_cstr(f->help), SLICE_LIT(".")))
            fail_msg("%s: help \"%s\"", f->name, f->help);
        for (size_t k = f->label_count; k < f->column_count; k++) {
            const FamilyColumn *column = &f->columns[k];
            if (!slice_ends_with(slice_cstr(column->help), SLICE_LIT(".")))
                fail_msg("%s.%s: help \"%s\"", f->name, column->name, column->help);
            if (column->kind == COLUMN_COUNTER && column->unit[0] == '\0')
                fail_msg("%s.%s: a counter without a unit", f->name, column->name);
        }
    }
}

/* A row's key must not change with what it says: rows whose labels vanish are told by their absence. */
static void lists_of_moments_are_sent_whole(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_int_equal(catalog_new_builtin(&c, NULL), 0);
    static const char *const lists[] = {"pg_stat_activity", "pg_locks", "pg_stat_replication", "pg_replication_slots",
                                        "pg_stat_wal_receiver"};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        assert_int_equal(catalog_find(c, slice_cstr(lists[i]))->keyframe, FAMILY_KEYFRAME_ALWAYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_of_the_catalog_is_built_in),
        cmocka_unit_test(help_is_a_sentence_and_counters_have_units),
        cmocka_unit_test(lists_of_moments_are_sent_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
