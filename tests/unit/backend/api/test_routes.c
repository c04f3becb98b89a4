/* SPDX-License-Identifier: PostgreSQL */
/* Walks the table of routes. */
#include "backend/api/routes.h"

#include "backend/http/router.h"
#include "tests/support/unit.h"

static void the_router_takes_the_table(void **state UNUSED)
{
    Err err = ERR_INIT;
    _cleanup_(http_router_freep) HttpRouter *router = NULL;

    if (http_router_new(&router, backend_routes, backend_route_count, &err) < 0)
        fail_msg("%s", err.detail);
}

static void every_row_is_complete_and_nothing_that_changes_is_open(void **state UNUSED)
{
    for (size_t i = 0; i < backend_route_count; i++) {
        const HttpRoute *r = &backend_routes[i];
        print_message("%s %s\n", http_method_to_string(r->method), r->pattern);
        assert_non_null(r->handler);
        assert_true(strlen(r->summary) > 5);
        bool is_session = strncmp(r->pattern, "/api/v1/auth/", 13) == 0;
        assert_true(r->method == HTTP_GET || is_session || r->access != ACCESS_ANYONE);
        assert_true(r->method != HTTP_GET || r->body_limit == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_router_takes_the_table),
        cmocka_unit_test(every_row_is_complete_and_nothing_that_changes_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
