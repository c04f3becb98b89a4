/* SPDX-License-Identifier: PostgreSQL */
/* The rules by themselves; test_listener.c sends the same to a real listener. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/framing.h"

enum { FIELDS_MAX = 4 };

static void judges_where_a_request_ends(void **state UNUSED)
{
    static const struct {
        HttpField fields[FIELDS_MAX];
        const char *version;
        const char *fault; /* NULL: accepted */
        HttpFraming framing;
    } cases[] = {
        {{{"Host", "x"}}, "HTTP/1.1", NULL, {0}},
        {{{"Content-Length", "0"}}, "HTTP/1.1", NULL, {.has_length = true}},
        {{{"content-length", "18446744073709551615"}}, "HTTP/1.1", NULL, {.has_length = true, .length = UINT64_MAX}},
        {{{"TRANSFER-ENCODING", "Chunked"}}, "HTTP/1.1", NULL, {.chunked = true}},
        {{{"Content-Length", "18446744073709551616"}}, "HTTP/1.1", "is not a number", {0}},
        {{{"Content-Length", ""}}, "HTTP/1.1", "is not a number", {0}},
        {{{"Content-Length", " 5"}}, "HTTP/1.1", "is not a number", {0}},
        {{{"Content-Length", "0x5"}}, "HTTP/1.1", "is not a number", {0}},
        {{{"Content-Length", "5"}, {"Content-Length", "5"}}, "HTTP/1.1", "more than one Content-Length", {0}},
        {{{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}, "HTTP/1.1", "both Content-Length and", {0}},
        {{{"Transfer-Encoding", "chunked, chunked"}}, "HTTP/1.1", "not exactly chunked", {0}},
        {{{"Transfer-Encoding", ""}}, "HTTP/1.1", "not exactly chunked", {0}},
        {{{"Transfer-Encoding", "chunked"}}, "HTTP/1.0", "needs HTTP/1.1", {0}},
        {{{"", "x"}}, "HTTP/1.1", "header name", {0}},
        {{{"Content-Length ", "5"}}, "HTTP/1.1", "header name", {0}},
        {{{"Content\tLength", "5"}}, "HTTP/1.1", "header name", {0}},
        {{{"Host", "x"}, {"host", "y"}}, "HTTP/1.1", "more than one Host", {0}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpFieldVec fields = {0};
        for (size_t k = 0; k < FIELDS_MAX && cases[i].fields[k].name; k++)
            (void)http_field_vec_push(&fields, cases[i].fields[k]);
        HttpFraming framing;
        Err err = ERR_INIT;
        int r = http_framing_check(&fields, cases[i].version, &framing, &err);
        if ((r < 0) != (cases[i].fault != NULL) || (r < 0 && !strstr(err.detail, cases[i].fault)))
            fail_msg("case %zu: %d %s", i, r, err.detail);
        if (r == 0) {
            assert_int_equal(framing.chunked, cases[i].framing.chunked);
            assert_int_equal(framing.has_length, cases[i].framing.has_length);
            assert_true(framing.length == cases[i].framing.length);
        }
        http_field_vec_done(&fields);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(judges_where_a_request_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
