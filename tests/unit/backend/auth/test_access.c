/* SPDX-License-Identifier: PostgreSQL */
/* The checks that need no store; collectors' certificates and revocation are in the system tests. */
#include "backend/auth/access.h"

#include "backend/auth/auth.h"
#include "backend/context.h"
#include "tests/support/unit.h"

#define SECRET       "0123456789012345678901234567890123456789012345678901234567890123"
#define REGISTRATION "registration-secret-registration-secret"

typedef struct Asking {
    Arena *arena;
    Backend backend;
    HttpRequest request;
} Asking;

static void asking_begin(Asking *a, const char *scrape_token)
{
    *a = (Asking){.arena = arena_new(0)};
    a->backend.auth = auth_new(&(AuthOptions){.jwt_secret = SECRET,
                                              .jwt_secret_previous = "",
                                              .registration_secret = REGISTRATION,
                                              .scrape_token = scrape_token});
    http_request_init(&a->request, a->arena);
    a->request.backend = &a->backend;
    a->request.remote_address = "192.0.2.1";
}

static void asking_end(Asking *a)
{
    http_request_done(&a->request);
    auth_free(a->backend.auth);
    arena_free(a->arena);
}

static void with_header(Asking *a, const char *name, const char *value)
{
    http_field_vec_push(&a->request.headers, (HttpField){.name = name, .value = value});
}

static const char *token_for(Asking *a, const char *role, JwtAudience audience)
{
    Buf text = BUF_INIT;
    Usec now = clock_wall();

    assert_int_equal(jwt_sign(&a->backend.auth->keys,
                              &(JwtClaims){.audience = audience,
                                           .subject = "u-1",
                                           .token_id = "t-1",
                                           .login = "ada",
                                           .role = role,
                                           .issued = now,
                                           .expires = now + 60 * USEC_PER_SEC},
                              &text, NULL),
                     0);
    const char *copy = arena_dup(a->arena, buf_slice(&text)).ptr;
    buf_done(&text);
    return copy;
}

typedef struct RoleCase {
    const char *role;
    Access access;
    ErrCode code;
} RoleCase;

static void roles_may_do_what_lower_roles_may(void **state UNUSED)
{
    static const RoleCase cases[] = {
        {"viewer", ACCESS_VIEWER, ERR_NONE},        {"viewer", ACCESS_EDITOR, ERR_FORBIDDEN},
        {"viewer", ACCESS_ADMIN, ERR_FORBIDDEN},    {"editor", ACCESS_VIEWER, ERR_NONE},
        {"editor", ACCESS_EDITOR, ERR_NONE},        {"editor", ACCESS_ADMIN, ERR_FORBIDDEN},
        {"admin", ACCESS_VIEWER, ERR_NONE},         {"admin", ACCESS_ADMIN, ERR_NONE},
        {"none", ACCESS_VIEWER, ERR_TOKEN_INVALID}, {"root", ACCESS_VIEWER, ERR_TOKEN_INVALID},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Asking a;
        Err err = ERR_INIT;
        asking_begin(&a, "");
        with_header(&a, "Authorization", arena_printf(a.arena, "Bearer %s", token_for(&a, cases[i].role, JWT_USER)));
        int r = auth_check_access(&a.request, cases[i].access, &err);
        assert_string_equal(err_code_slug(err.code), err_code_slug(cases[i].code));
        assert_int_equal(r < 0, cases[i].code != ERR_NONE);
        asking_end(&a);
    }
}

static void a_user_token_is_not_a_collector_token_nor_the_other_way(void **state UNUSED)
{
    Asking a;
    Err err = ERR_INIT;

    asking_begin(&a, "");
    with_header(&a, "Authorization", arena_printf(a.arena, "Bearer %s", token_for(&a, "admin", JWT_COLLECTOR)));
    assert_fails(auth_check_access(&a.request, ACCESS_VIEWER, &err), &err, ERR_TOKEN_INVALID, "not made for this use");
    asking_end(&a);
    asking_begin(&a, "");
    a.request.certificate_serial = "01";
    with_header(&a, "Authorization", arena_printf(a.arena, "Bearer %s", token_for(&a, "admin", JWT_USER)));
    assert_fails(auth_check_access(&a.request, ACCESS_COLLECTOR, &err), &err, ERR_TOKEN_INVALID,
                 "not made for this use");
    asking_end(&a);
}

static void a_collector_without_certificate_or_with_a_foreign_one_is_told_so(void **state UNUSED)
{
    Asking a;
    Err err = ERR_INIT;

    asking_begin(&a, "");
    assert_fails(auth_check_access(&a.request, ACCESS_COLLECTOR, &err), &err, ERR_CERTIFICATE_REQUIRED, "certificate");
    a.request.certificate_fault = "it has expired";
    assert_fails(auth_check_access(&a.request, ACCESS_COLLECTOR, &err), &err, ERR_CERTIFICATE_INVALID,
                 "it has expired");
    assert_fails(auth_check_access(&a.request, ACCESS_COLLECTOR_TOKEN, &err), &err, ERR_CERTIFICATE_INVALID, "expired");
    a.request.certificate_fault = NULL;
    assert_fails(auth_check_access(&a.request, ACCESS_COLLECTOR_TOKEN, &err), &err, ERR_UNAUTHENTICATED, "missing");
    asking_end(&a);
}

static void a_cookie_reads_but_changes_only_with_the_csrf_token(void **state UNUSED)
{
    Asking a;
    Err err = ERR_INIT;

    asking_begin(&a, "");
    with_header(&a, "Cookie", arena_printf(a.arena, "pga_access=%s; pga_csrf=c5rf", token_for(&a, "admin", JWT_USER)));
    a.request.method = HTTP_GET;
    assert_int_equal(auth_check_access(&a.request, ACCESS_ADMIN, &err), 0);
    assert_string_equal(a.request.principal.login, "ada");
    a.request.method = HTTP_DELETE;
    assert_fails(auth_check_access(&a.request, ACCESS_ADMIN, &err), &err, ERR_FORBIDDEN, "X-CSRF-Token");
    with_header(&a, "X-CSRF-Token", "c5rf");
    assert_int_equal(auth_check_access(&a.request, ACCESS_ADMIN, &err), 0);
    asking_end(&a);
}

static void registration_is_throttled_after_wrong_secrets(void **state UNUSED)
{
    Asking a;
    Err err = ERR_INIT;

    asking_begin(&a, "");
    assert_fails(auth_check_access(&a.request, ACCESS_REGISTRATION, &err), &err, ERR_UNAUTHENTICATED, "missing");
    with_header(&a, "X-Registration-Secret", REGISTRATION "x");
    for (int i = 0; i < AUTH_FAILURES_MAX; i++)
        assert_fails(auth_check_access(&a.request, ACCESS_REGISTRATION, &err), &err, ERR_CREDENTIALS, "wrong");
    assert_fails(auth_check_access(&a.request, ACCESS_REGISTRATION, &err), &err, ERR_TOO_MANY_REQUESTS, "192.0.2.1");
    a.request.remote_address = "192.0.2.2";
    http_field_vec_clear(&a.request.headers);
    with_header(&a, "X-Registration-Secret", REGISTRATION);
    assert_int_equal(auth_check_access(&a.request, ACCESS_REGISTRATION, &err), 0);
    asking_end(&a);
}

static void scraping_is_for_this_host_or_with_the_token(void **state UNUSED)
{
    Asking a;
    Err err = ERR_INIT;

    asking_begin(&a, "");
    assert_fails(auth_check_access(&a.request, ACCESS_SCRAPE, &err), &err, ERR_FORBIDDEN, "SCRAPE_TOKEN");
    a.request.remote_is_loopback = true;
    assert_int_equal(auth_check_access(&a.request, ACCESS_SCRAPE, &err), 0);
    asking_end(&a);
    asking_begin(&a, "scrape-me");
    assert_fails(auth_check_access(&a.request, ACCESS_SCRAPE, &err), &err, ERR_UNAUTHENTICATED, "scrape token");
    with_header(&a, "Authorization", "Bearer scrape-me");
    assert_int_equal(auth_check_access(&a.request, ACCESS_SCRAPE, &err), 0);
    asking_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_may_do_what_lower_roles_may),
        cmocka_unit_test(a_user_token_is_not_a_collector_token_nor_the_other_way),
        cmocka_unit_test(a_collector_without_certificate_or_with_a_foreign_one_is_told_so),
        cmocka_unit_test(a_cookie_reads_but_changes_only_with_the_csrf_token),
        cmocka_unit_test(registration_is_throttled_after_wrong_secrets),
        cmocka_unit_test(scraping_is_for_this_host_or_with_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
