/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sources/json_values.h"

#include "tests/unit/collector/sources/sources_fixture.h"

static yyjson_doc *doc;

static void forget(void)
{
    yyjson_doc_free(doc);
    doc = NULL;
}

static yyjson_val *object(const char *text)
{
    forget();
    Err err = ERR_INIT;
    assert_ok(json_parse(slice_cstr(text), (JsonLimits){.bytes = 1000, .depth = 8}, &doc, &err), &err);
    return yyjson_doc_get_root(doc);
}

static void whole_numbers(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool known;
        int64_t value;
    } cases[] = {
        {"{\"a\": 5}", true, 5},
        {"{\"a\": -5}", true, -5},
        {"{\"a\": \"17\"}", true, 17},
        {"{\"a\": 8e3}", true, 8000},
        {"{\"a\": 9223372036854775807}", true, INT64_MAX},
        {"{\"a\": 9223372036854775808}", false, 0},
        {"{\"a\": 1.5}", false, 0},
        {"{\"a\": 1e300}", false, 0},
        {"{\"a\": \"unknown\"}", false, 0},
        {"{\"a\": null}", false, 0},
        {"{\"a\": true}", false, 0},
        {"{}", false, 0},
        {"[]", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t value;
        assert_int_equal(json_value_int(object(cases[i].text), "a", &value), cases[i].known);
        if (cases[i].known)
            assert_int_equal(value, cases[i].value);
    }
    int64_t value;
    assert_false(json_value_int(NULL, "a", &value));
    forget();
}

static void times(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double value; /* negative: unknown */
    } cases[] = {
        {"{\"a\": 1795257729}", 1795257729},
        {"{\"a\": \"1795257729\"}", 1795257729},
        {"{\"a\": \"2026-11-01T01:00:00.5Z\"}", 1793494800.5},
        {"{\"a\": \"2026-11-01 03:00:00+02:00\"}", 1793494800},
        {"{\"a\": \"yesterday\"}", -1},
        {"{\"a\": \"Infinity\"}", -1},
        {"{\"a\": \"2026-11-01T01:00:00.5Z                                                                  \"}", -1},
        {"{\"a\": []}", -1},
        {"{}", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        double value = 0;
        bool known = json_value_time(object(cases[i].text), "a", &value);
        assert_int_equal(known, cases[i].value >= 0);
        if (known)
            assert_true(value == cases[i].value);
    }
    forget();
}

static void what_is_there_is_set(void **state)
{
    (void)state;
    static const char *const names[] = {"patroni_state", NULL};
    begin(names);
    Rows *rows = source_families_add(fixture.families, 0, "a", "");
    yyjson_val *o = object("{\"t\": \"text\", \"n\": 7, \"at\": 8, \"b\": true, \"x\": 2.5}");
    json_row_text(rows, "role", o, "t");
    json_row_text(rows, "version", o, "n"); /* no text */
    json_row_int(rows, "timeline", o, "n");
    json_row_int(rows, "server_version", o, "t");
    json_row_time(rows, "dcs_last_seen", o, "at");
    json_row_time(rows, "postmaster_start_time", o, "t");
    assert_true(json_value_bool(o, "b"));
    assert_false(json_value_bool(o, "n") || json_value_bool(o, "absent"));
    double number;
    assert_true(json_value_number(o, "x", &number) && number == 2.5);
    assert_false(json_value_number(o, "t", &number));
    end(true);
    (void)next_reading();
    assert_cell(0, "role", "text");
    assert_cell(0, "version", "null");
    assert_cell(0, "timeline", "7");
    assert_cell(0, "server_version", "null");
    assert_cell(0, "dcs_last_seen", "8.0");
    assert_cell(0, "postmaster_start_time", "null");
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(whole_numbers),
        SOURCES_TEST(times),
        SOURCES_TEST(what_is_there_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
