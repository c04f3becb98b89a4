/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

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

static void a_source_is_found_by_its_family(void **state)
{
    (void)state;
    assert_ptr_equal(system_source_find("system_disk"), &system_disk);
    assert_null(system_source_find("system_"));
    assert_null(system_source_find("collector_family"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(every_declared_column_has_a_value),
        HOST_TEST(the_epoch_is_the_boot),
        HOST_TEST(the_live_host_can_be_read),
        HOST_TEST(a_source_is_found_by_its_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
