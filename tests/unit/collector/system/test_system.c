/* SPDX-License-Identifier: PostgreSQL */
/* The host's figures from captured files: host/ is one moment, later/ a second of it later, odd/ nonsense. */
#include "collector/system/system.h"

#include <stdio.h>

#include "tests/support/unit.h"

#define FIXTURES "tests/unit/collector/system/"

typedef struct Source {
    SystemHost host;
    Catalog *catalog;
    Rows rows;
} Source;

static Source source;

static int setup(void **state)
{
    (void)state;
    source = (Source){.host = {.root = FIXTURES "host"}};
    rows_init(&source.rows);
    return catalog_new_builtin(&source.catalog, NULL);
}

static int teardown(void **state)
{
    (void)state;
    rows_done(&source.rows);
    catalog_free(source.catalog);
    return 0;
}

static const FamilyColumn *columns[FAMILY_COLUMNS_MAX];

static int read_family(const char *name, Err *reterr)
{
    const Family *family = catalog_find(source.catalog, slice_cstr(name));
    assert_non_null(family);
    for (size_t i = 0; i < family->column_count; i++)
        columns[i] = &family->columns[i];
    rows_begin(&source.rows, columns, family->column_count, family->label_count);
    return system_source_find(name)->read(&source.host, &source.rows, reterr);
}

static void print_rows(Buf *out)
{
    for (size_t row = 0; row < source.rows.row_count; row++) {
        for (size_t i = 0; i < source.rows.column_count; i++) {
            const Cell *c = &source.rows.cells.items[row * source.rows.column_count + i];
            buf_append_cstr(out, i ? " " : row ? "; " : "");
            if (c->type == CELL_NULL)
                buf_append_char(out, '-');
            else if (c->type == CELL_INT)
                buf_append_int64(out, c->integer);
            else if (c->type == CELL_FLOAT)
                buf_append_double(out, c->number);
            else
                buf_append(out, c->text);
        }
    }
}

static void assert_rows(const char *family, const char *expect)
{
    _cleanup_buf_ Buf got = BUF_INIT;
    Err err = ERR_INIT;
    if (read_family(family, &err) < 0)
        fail_msg("%s: %s", family, err.detail);
    print_rows(&got);
    assert_string_equal(buf_cstr(&got), expect);
}

static void processors_give_shares_of_the_interval(void **state)
{
    (void)state;
    assert_rows("system_cpu", ""); /* nothing to compare with yet */
    source.host.root = FIXTURES "later";
    /* 50 user, 20 system, 25 idle, 5 steal of 100 ticks; iowait ran backwards. */
    assert_rows("system_cpu", "all 0.5 0 0.2 0.25 0 0 0 0.05 2");
    assert_rows("system_cpu", ""); /* no time has passed */
}

static void memory_is_in_bytes(void **state)
{
    (void)state;
    assert_rows("system_memory", "16694710272 3294281728 12329177088 422207488 8376487936 238018560 618496 735825920 "
                                 "2147479552 2147471360");
}

static void load_and_tasks(void **state)
{
    (void)state;
    assert_rows("system_load", "0.52 0.58 10.59 3 1234");
}

static void disks_are_whole_and_used(void **state)
{
    (void)state;
    assert_rows("system_disk", "vda 66530 148915 2655818752 2381927424 29131 96461 87640 2; "
                               "dm-0 10 20 40960 81920 4 8 12 0");
}

static void interfaces_without_loopback_and_containers(void **state)
{
    (void)state;
    /* wlan0's counter does not fit: left out, not wrong. */
    assert_rows("system_network", "eth0 1215645 1782404 2751 4324 1 3 2 4");
}

static void filesystems_are_local_and_once_a_device(void **state)
{
    (void)state;
    assert_int_equal(read_family("system_filesystem", NULL), 0);
    assert_int_equal(source.rows.row_count, 2);
    const Cell *root = source.rows.cells.items, *other = root + source.rows.column_count;
    assert_true(slice_eq_cstr(root[0].text, "/") && slice_eq_cstr(root[1].text, "/dev/vda1"));
    assert_true(slice_eq_cstr(other[0].text, "/mnt/with space") && slice_eq_cstr(other[2].text, "xfs"));
    for (size_t i = 3; i < source.rows.column_count; i++)
        assert_int_equal(other[i].type, CELL_INT);
    assert_true(root[3].integer >= root[4].integer && root[4].integer >= root[5].integer && root[5].integer > 0);
}

static void every_declared_column_has_a_value(void **state)
{
    (void)state;
    assert_int_equal(read_family("system_cpu", NULL), 0);
    const SystemSource *s;
    for (size_t i = 0; (s = system_source_at(i)); i++) {
        source.host.root = strcmp(s->family, "system_cpu") == 0 ? FIXTURES "later" : FIXTURES "host";
        assert_int_equal(read_family(s->family, NULL), 0);
        assert_true(source.rows.row_count > 0);
        for (size_t c = 0; c < source.rows.column_count; c++) {
            if (source.rows.cells.items[c].type == CELL_NULL)
                fail_msg("%s.%s has no value", s->family, columns[c]->name);
        }
    }
}

static void nonsense_gives_an_error_or_no_rows(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    Err err = ERR_INIT;
    int r = read_family("system_cpu", &err);
    assert_true(r < 0);
    assert_err(&err, ERR_SYNTAX, "/proc/stat");
    r = read_family("system_load", &err);
    assert_true(r < 0);
    assert_err(&err, ERR_SYNTAX, "nonsense");
    assert_rows("system_disk", "");
    assert_rows("system_network", "");
    assert_rows("system_filesystem", "");
    source.host.root = FIXTURES "nowhere";
    const SystemSource *s;
    for (size_t i = 0; (s = system_source_at(i)); i++)
        assert_true(read_family(s->family, NULL) < 0);
}

static void the_epoch_is_the_boot(void **state)
{
    (void)state;
    _cleanup_buf_ Buf epoch = BUF_INIT, unknown = BUF_INIT;
    system_epoch(&source.host, &epoch);
    assert_string_equal(buf_cstr(&epoch), "f3a5cfb1-6a53-4b4e-8f5e-7d6f0f3a1c22");
    source.host.root = FIXTURES "odd";
    system_epoch(&source.host, &unknown);
    assert_string_equal(buf_cstr(&unknown), "unknown");
}

static void the_live_host_can_be_read(void **state)
{
    (void)state;
    source.host.root = "";
    const SystemSource *s;
    for (size_t i = 0; (s = system_source_at(i)); i++) {
        Err err = ERR_INIT;
        if (read_family(s->family, &err) < 0)
            fail_msg("%s: %s", s->family, err.detail);
    }
}

int main(void)
{
#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        HOST_TEST(processors_give_shares_of_the_interval),
        HOST_TEST(memory_is_in_bytes),
        HOST_TEST(load_and_tasks),
        HOST_TEST(disks_are_whole_and_used),
        HOST_TEST(interfaces_without_loopback_and_containers),
        HOST_TEST(filesystems_are_local_and_once_a_device),
        HOST_TEST(every_declared_column_has_a_value),
        HOST_TEST(nonsense_gives_an_error_or_no_rows),
        HOST_TEST(the_epoch_is_the_boot),
        HOST_TEST(the_live_host_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
