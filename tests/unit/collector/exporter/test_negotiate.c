/* SPDX-License-Identifier: PostgreSQL */
/* Headers as scrapers send them. */
#include "tests/support/unit.h"

#include "collector/exporter/negotiate.h"

static void chooses_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        ExpositionFormat format;
    } cases[] = {
        {NULL, EXPOSITION_TEXT},
        {"", EXPOSITION_TEXT},
        {"*/*", EXPOSITION_TEXT},
        {"text/html,application/xhtml+xml,*/*;q=0.8", EXPOSITION_TEXT},
        {"text/plain;version=0.0.4", EXPOSITION_TEXT},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=0.0.1", EXPOSITION_TEXT},
        /* Prometheus 2 and 3 */
        {"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
         "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.5,"
         "text/plain;version=0.0.4;q=0.3",
         EXPOSITION_OPENMETRICS},
        {"application/vnd.google.protobuf;q=0.7,text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.2",
         EXPOSITION_TEXT},
        {"application/openmetrics-text;q=0", EXPOSITION_TEXT},
        {"APPLICATION/OpenMetrics-Text", EXPOSITION_OPENMETRICS},
        {";;,,;q=,=,;q=x", EXPOSITION_TEXT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (negotiate_format(slice_cstr(cases[i].accept)) != cases[i].format)
            fail_msg("%s", cases[i].accept);
    }
}

static void packs_for_who_unpacks(void **state)
{
    (void)state;
    assert_false(negotiate_gzip(SLICE_NULL));
    assert_false(negotiate_gzip(SLICE_LIT("identity, deflate")));
    assert_true(negotiate_gzip(SLICE_LIT("gzip")));
    assert_true(negotiate_gzip(SLICE_LIT("br;q=1.0, GZIP;q=0.8")));
    assert_false(negotiate_gzip(SLICE_LIT("gzip;q=0")));
    assert_false(negotiate_gzip(SLICE_LIT("x-gzip-not")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_the_format),
        cmocka_unit_test(packs_for_who_unpacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
