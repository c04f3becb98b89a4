/* SPDX-License-Identifier: PostgreSQL */
/* The two forms, byte for byte. */
#include "tests/support/unit.h"

#include <math.h>

#include "lib/telemetry/exposition.h"

static void writes_heads_of_both_forms(void **state)
{
    (void)state;
    _cleanup_buf_ Buf out = BUF_INIT;
    exposition_append_head(&out, EXPOSITION_TEXT, "a_total", "counter", "Say \"a\" \\ b.\nC.");
    exposition_append_head(&out, EXPOSITION_TEXT, "b", "unknown", "B.");
    exposition_append_head(&out, EXPOSITION_OPENMETRICS, "a_total", "counter", "Say \"a\" \\ b.\nC.");
    exposition_append_head(&out, EXPOSITION_OPENMETRICS, "b_total", "unknown", "B.");
    exposition_append_end(&out, EXPOSITION_TEXT);
    exposition_append_end(&out, EXPOSITION_OPENMETRICS);
    assert_slice(buf_slice(&out), "# HELP a_total Say \"a\" \\\\ b.\\nC.\n# TYPE a_total counter\n"
                                  "# HELP b B.\n# TYPE b untyped\n"
                                  "# HELP a Say \\\"a\\\" \\\\ b.\\nC.\n# TYPE a counter\n"
                                  "# HELP b_total B.\n# TYPE b_total unknown\n"
                                  "# EOF\n");
}

static void escapes_labels_and_knows_all_numbers(void **state)
{
    (void)state;
    _cleanup_buf_ Buf out = BUF_INIT;
    exposition_append_label(&out, "x", SLICE_LIT("a\"b\\c\nd\t\xc3\xa9"));
    exposition_append_label(&out, "y", SLICE_LIT(""));
    exposition_append_value(&out, 1.5);
    exposition_append_value(&out, 9007199254740993.0);
    exposition_append_value(&out, (double)NAN);
    exposition_append_value(&out, (double)INFINITY);
    exposition_append_value(&out, -(double)INFINITY);
    assert_slice(buf_slice(&out), "x=\"a\\\"b\\\\c\\nd\t\xc3\xa9\"y=\"\"1.5\n9007199254740992\nNaN\n+Inf\n-Inf\n");
}

static void names_its_content(void **state)
{
    (void)state;
    assert_string_equal(exposition_content_type(EXPOSITION_TEXT), "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(exposition_content_type(EXPOSITION_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_heads_of_both_forms),
        cmocka_unit_test(escapes_labels_and_knows_all_numbers),
        cmocka_unit_test(names_its_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
