/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/router.h"

static int handler(HttpRequest *r UNUSED, Err *reterr UNUSED)
{
    return HTTP_DONE;
}

#define ROUTE(m, p)                                                                                                    \
    {                                                                                                                  \
        .method = (m), .pattern = (p), .handler = handler, .summary = "x"                                              \
    }

static const HttpRoute routes[] = {
    ROUTE(HTTP_GET, "/{rest...}"),
    ROUTE(HTTP_GET, "/a/{id}"),
    ROUTE(HTTP_GET, "/a/special"),
    ROUTE(HTTP_DELETE, "/a/{id}"),
    ROUTE(HTTP_POST, "/a"),
    ROUTE(HTTP_GET, "/a"),
    ROUTE(HTTP_GET, "/a/{id}/b/{name}"),
    ROUTE(HTTP_POST, "/files/{p...}"),
    ROUTE(HTTP_GET, "/"),
};

static void finds_the_most_literal_route(void **state UNUSED)
{
    static const struct {
        HttpMethod method;
        const char *path;
        int result;
        const char *pattern;
        const char *first; /* value */
        const char *second;
    } cases[] = {
        {HTTP_GET, "/", HTTP_ROUTER_FOUND, "/", NULL, NULL},
        {HTTP_GET, "/a", HTTP_ROUTER_FOUND, "/a", NULL, NULL},
        {HTTP_GET, "/a/special", HTTP_ROUTER_FOUND, "/a/special", NULL, NULL},
        {HTTP_GET, "/a/7", HTTP_ROUTER_FOUND, "/a/{id}", "7", NULL},
        {HTTP_DELETE, "/a/special", HTTP_ROUTER_FOUND, "/a/{id}", "special", NULL},
        {HTTP_GET, "/a/7/b/x%20y", HTTP_ROUTER_FOUND, "/a/{id}/b/{name}", "7", "x y"},
        {HTTP_GET, "/a/7%2Fb", HTTP_ROUTER_FOUND, "/a/{id}", "7/b", NULL},
        {HTTP_GET, "/a/", HTTP_ROUTER_FOUND, "/{rest...}", "a/", NULL},
        {HTTP_GET, "/x/y/z", HTTP_ROUTER_FOUND, "/{rest...}", "x/y/z", NULL},
        {HTTP_POST, "/files/a/b", HTTP_ROUTER_FOUND, "/files/{p...}", "a/b", NULL},
        {HTTP_PUT, "/a/7", HTTP_ROUTER_NO_METHOD, NULL, NULL, NULL},
        {HTTP_POST, "/x/y", HTTP_ROUTER_NO_PATH, NULL, NULL, NULL},
        {HTTP_GET, "a", HTTP_ROUTER_NO_PATH, NULL, NULL, NULL},
        {HTTP_GET, "", HTTP_ROUTER_NO_PATH, NULL, NULL, NULL},
    };
    _cleanup_(http_router_freep) HttpRouter *router = NULL;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    assert_int_equal(http_router_new(&router, routes, ARRAY_LENGTH(routes), NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpMatch m;
        int r = http_router_match(router, cases[i].method, slice_cstr(cases[i].path), arena, &m, NULL);
        if (r != cases[i].result)
            fail_msg("%s: %d", cases[i].path, r);
        if (r != HTTP_ROUTER_FOUND)
            continue;
        assert_string_equal(m.route->pattern, cases[i].pattern);
        assert_ptr_equal(m.route, &routes[m.index]);
        if (cases[i].first)
            assert_string_equal(m.path_values[0].ptr, cases[i].first);
        if (cases[i].second)
            assert_string_equal(m.path_values[1].ptr, cases[i].second);
    }
}

static void names_the_methods_there_are(void **state UNUSED)
{
    _cleanup_(http_router_freep) HttpRouter *router = NULL;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf text = BUF_INIT;
    HttpMatch m;
    assert_int_equal(http_router_new(&router, routes, ARRAY_LENGTH(routes), NULL), 0);
    assert_int_equal(http_router_match(router, HTTP_PATCH, SLICE_LIT("/a/7"), arena, &m, NULL), HTTP_ROUTER_NO_METHOD);
    http_router_write_allowed(m.allowed, &text);
    assert_string_equal(buf_cstr(&text), "GET, HEAD, DELETE");
}

static void refuses_values_that_do_not_decode(void **state UNUSED)
{
    static const char *const paths[] = {"/a/%", "/a/%4", "/a/%gg", "/a/%00", "/a/%0a", "/a/%c3", "/a/%ff%fe"};
    _cleanup_(http_router_freep) HttpRouter *router = NULL;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    assert_int_equal(http_router_new(&router, routes, ARRAY_LENGTH(routes), NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        HttpMatch m;
        Err err = ERR_INIT;
        assert_true(http_router_match(router, HTTP_GET, slice_cstr(paths[i]), arena, &m, &err) < 0);
        assert_int_equal(err.code, ERR_PARAMETER_INVALID);
    }
}

static void refuses_tables_with_faults(void **state UNUSED)
{
    static const HttpRoute bad[][2] = {
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/a")},
        {ROUTE(HTTP_GET, "/a/{x}"), ROUTE(HTTP_GET, "/a/{y}")},
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "a")},
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/{x...}/y")},
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/b{x}")},
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/1/2/3/4/5/6/7/8/9")},
        {ROUTE(HTTP_GET, "/a"), ROUTE(HTTP_GET, "/{a}/{b}/{c}/{d}/{e}")},
        {ROUTE(HTTP_GET, "/a"), {.method = HTTP_GET, .pattern = "/b", .summary = "no handler"}},
        {ROUTE(HTTP_GET, "/a"), {.method = HTTP_GET, .pattern = "/b", .handler = handler}},
        {ROUTE(HTTP_GET, "/a"),
         {.method = HTTP_GET,
          .pattern = "/b",
          .handler = handler,
          .summary = "x",
          .inline_answer = true,
          .access = ACCESS_ADMIN}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        HttpRouter *router = NULL;
        Err err = ERR_INIT;
        if (http_router_new(&router, bad[i], 2, &err) >= 0)
            fail_msg("table %zu was taken", i);
        assert_null(router);
        assert_true(err.detail[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_most_literal_route),
        cmocka_unit_test(names_the_methods_there_are),
        cmocka_unit_test(refuses_values_that_do_not_decode),
        cmocka_unit_test(refuses_tables_with_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
