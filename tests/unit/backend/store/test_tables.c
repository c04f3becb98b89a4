/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/store/tables.h"

static void a_family_is_described_to_the_store(void **state)
{
    (void)state;
    FamilyColumn columns[] = {
        {.name = "datname", .kind = COLUMN_LABEL, .type = COLUMN_TEXT, .unit = "", .help = "A \"name\"."},
        {.name = "size", .kind = COLUMN_GAUGE, .type = COLUMN_INT8, .unit = "bytes", .help = "Size."},
    };
    Family f = {.name = "fam",
                .help = "Help\nme.",
                .scope = FAMILY_SCOPE_DATABASE,
                .mode = FAMILY_MODE_TEXTS,
                .interval_seconds = 300,
                .columns = columns,
                .column_count = 2,
                .label_count = 1};
    _cleanup_buf_ Buf out = BUF_INIT;
    tables_write_family(&out, &f);
    assert_string_equal(
        buf_cstr(&out),
        "{\"name\":\"fam\",\"help\":\"Help\\nme.\",\"scope\":\"database\",\"mode\":\"texts\",\"interval\":300,"
        "\"columns\":["
        "{\"position\":0,\"name\":\"datname\",\"kind\":\"label\",\"type\":\"text\",\"unit\":\"\",\"help\":\"A "
        "\\\"name\\\".\"},"
        "{\"position\":1,\"name\":\"size\",\"kind\":\"gauge\",\"type\":\"int8\",\"unit\":\"bytes\",\"help\":\"Size.\"}]"
        "}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_family_is_described_to_the_store)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
