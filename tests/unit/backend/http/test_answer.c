/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/answer.h"

static void error_bodies_tell_clients_what_they_can_use(void **state UNUSED)
{
    static const struct {
        ErrCode code;
        const char *detail;
        const char *hint;
        const char *body;
    } cases[] = {
        {ERR_BODY_INVALID, "\"name\" is missing", "",
         "{\"error\":{\"code\":\"body_invalid\",\"message\":\"\\\"name\\\" is missing\",\"request_id\":\"r1\"}}\n"},
        {ERR_CONFLICT, "taken", "choose another",
         "{\"error\":{\"code\":\"conflict\",\"message\":\"taken\",\"hint\":\"choose "
         "another\",\"request_id\":\"r1\"}}\n"},
        {ERR_SQL, "relation x does not exist", "see y",
         "{\"error\":{\"code\":\"sql_failed\",\"message\":\"the database refused a "
         "statement\",\"request_id\":\"r1\"}}\n"},
        {ERR_NOT_FOUND, "", "",
         "{\"error\":{\"code\":\"not_found\",\"message\":\"no such thing\",\"request_id\":\"r1\"}}\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        Err err = ERR_INIT;
        (void)err_set(&err, cases[i].code, "%s", cases[i].detail);
        err_hint(&err, "%s", cases[i].hint);
        http_answer_write_error(&err, "r1", &out);
        assert_string_equal(buf_cstr(&out), cases[i].body);
    }
}

static void a_finished_request_without_listener_keeps_its_answer(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;
    Err err = ERR_INIT;
    http_request_init(&r, arena);
    r.request_id = "r2";
    buf_append_cstr(&r.answer, "half");
    http_request_add_header(&r, "Retry-After", "3");
    http_request_finish(&r, err_set(&err, ERR_TOO_MANY_REQUESTS, "slow down"), &err);
    assert_int_equal(r.status, 429);
    assert_non_null(strstr(buf_cstr(&r.answer), "slow down"));
    assert_null(strstr(buf_cstr(&r.answer), "half"));
    assert_string_equal(r.answer_headers.items[0].name, "Retry-After");
    http_request_done(&r);
}

static void reads_accept_encoding(void **state UNUSED)
{
    static const struct {
        const char *header;
        bool gzip;
    } cases[] = {
        {NULL, false},      {"", false},         {"gzip", true},         {"GZIP", true},
        {"br, gzip", true}, {"gzip;q=0", false}, {"gzip; q=0.0", false}, {"gzip;q=0.1", true},
        {"*", true},        {"*;q=0", false},    {"gzip;q=0, *", false}, {"br;q=1, *;q=0.5", true},
        {"xgzip", false},   {"identity", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (http_answer_accepts_gzip(cases[i].header) != cases[i].gzip)
            fail_msg("%s", cases[i].header ? cases[i].header : "none");
    }
}

static void compresses_what_is_long_and_text(void **state UNUSED)
{
    static const struct {
        const char *type;
        int repeat;
        const char *accept;
        bool compressed;
    } cases[] = {
        {"application/json", 1000, "gzip", true}, {"application/json", 1000, NULL, false},
        {"application/json", 10, "gzip", false},  {"text/plain; charset=utf-8", 1000, "gzip", true},
        {"image/png", 1000, "gzip", false},       {"application/octet-stream", 1000, "gzip", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        HttpRequest r;
        http_request_init(&r, arena);
        r.content_type = cases[i].type;
        if (cases[i].accept)
            (void)http_field_vec_push(&r.headers, (HttpField){"accept-encoding", cases[i].accept});
        for (int k = 0; k < cases[i].repeat; k++)
            buf_append_cstr(&r.answer, "0123456789");
        http_answer_compress(&r);
        if ((r.answer.len < (size_t)cases[i].repeat * 10) != cases[i].compressed)
            fail_msg("%s", cases[i].type);
        http_request_done(&r);
    }
}

static void only_exact_origins_match(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    static const char origins[] = "https://a.example , https://b.example:8443";
    assert_string_equal(http_answer_allowed_origin(origins, "https://a.example", arena), "https://a.example");
    assert_non_null(http_answer_allowed_origin(origins, "https://b.example:8443", arena));
    assert_null(http_answer_allowed_origin(origins, "https://b.example", arena));
    assert_null(http_answer_allowed_origin(origins, "https://A.example", arena));
    assert_null(http_answer_allowed_origin(origins, "", arena));
    assert_null(http_answer_allowed_origin(origins, NULL, arena));
    assert_null(http_answer_allowed_origin(NULL, "https://a.example", arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_bodies_tell_clients_what_they_can_use),
        cmocka_unit_test(a_finished_request_without_listener_keeps_its_answer),
        cmocka_unit_test(reads_accept_encoding),
        cmocka_unit_test(compresses_what_is_long_and_text),
        cmocka_unit_test(only_exact_origins_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
