/* SPDX-License-Identifier: PostgreSQL */
/* The access check: see access.h. One function per Access, in a table. */
#include "backend/auth/access.h"

#include "backend/auth/auth.h"
#include "backend/context.h"
#include "backend/store/store.h"
#include "lib/json/json.h"

/* "Authorization: Bearer x", absent when there is none. */
static Slice bearer_token(const HttpRequest *r)
{
    const char *header = http_request_header(r, "Authorization");
    Slice value = slice_cstr(header);

    if (!header || value.len < 7 || strncasecmp(value.ptr, "Bearer ", 7) != 0)
        return SLICE_NULL;
    return slice_trim(slice_skip(value, 7));
}

bool auth_is_from_another_site(const HttpRequest *r)
{
    const char *site = http_request_header(r, "Sec-Fetch-Site");

    return site && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0);
}

/* A browser sends its cookies with requests that another site made, so a change needs the token that only our own
 * pages can read. */
static int check_csrf(HttpRequest *r, Err *reterr)
{
    const char *header = http_request_header(r, "X-CSRF-Token");
    const char *cookie = http_request_cookie(r, "pga_csrf");

    if (r->method == HTTP_GET)
        return 0;
    if (auth_is_from_another_site(r))
        return err_set(reterr, ERR_FORBIDDEN, "a page of another site may not do that with the cookies of this one");
    if (!header || !cookie || !auth_secret_eq(slice_cstr(header), slice_cstr(cookie)))
        return err_set(reterr, ERR_FORBIDDEN, "header X-CSRF-Token does not have the value of cookie pga_csrf");
    return 0;
}

static int check_user(HttpRequest *r, Role needed, Err *reterr)
{
    Slice token = bearer_token(r);
    JwtClaims claims;
    Role role;

    if (!token.ptr) {
        token = slice_cstr(http_request_cookie(r, "pga_access"));
        if (!token.ptr)
            return err_set(reterr, ERR_UNAUTHENTICATED, "log in, or send an access token");
        int c = check_csrf(r, reterr);
        if (c < 0)
            return c;
    }
    int t = jwt_verify(&r->backend->auth->keys, token, JWT_USER, clock_wall(), r->arena, &claims, reterr);
    if (t < 0)
        return t;
    if (!role_from_string(slice_cstr(claims.role), &role))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token names no role");
    r->principal = (Principal){.role = role, .user_id = claims.subject, .login = claims.login};
    if (role < needed)
        return err_set(reterr, ERR_FORBIDDEN, "role %s may not do that; %s is needed", role_to_string(role),
                       role_to_string(needed));
    return 0;
}

static int check_viewer(HttpRequest *r, Err *reterr)
{
    return check_user(r, ROLE_VIEWER, reterr);
}
static int check_editor(HttpRequest *r, Err *reterr)
{
    return check_user(r, ROLE_EDITOR, reterr);
}
static int check_admin(HttpRequest *r, Err *reterr)
{
    return check_user(r, ROLE_ADMIN, reterr);
}

static int check_registration(HttpRequest *r, Err *reterr)
{
    Auth *auth = r->backend->auth;
    Slice key = slice_cstr(arena_printf(r->arena, "register:%s", auth_network_of(r->remote_address, r->arena)));
    const char *secret = http_request_header(r, "X-Registration-Secret");
    Usec now = clock_monotonic(), wait;

    if (throttle_is_blocked(auth->throttle, key, now, &wait)) {
        long long seconds = wait / USEC_PER_SEC + 1;
        return err_set(reterr, ERR_TOO_MANY_REQUESTS, "too many wrong registration secrets from %s; wait %lld s",
                       r->remote_address, seconds);
    }
    if (!secret)
        return err_set(reterr, ERR_UNAUTHENTICATED, "header X-Registration-Secret is missing");
    if (!auth_secret_eq(slice_cstr(secret), auth->registration_secret)) {
        throttle_failed(auth->throttle, key, now);
        return err_set(reterr, ERR_CREDENTIALS, "the registration secret is wrong");
    }
    return 0;
}

/* What the store says of certificate and token: see queries/collector_credentials.sql. */
static int check_credentials(HttpRequest *r, const JwtClaims *claims, Err *reterr)
{
    _cleanup_buf_ Buf answer = BUF_INIT;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;

    int q = store_query(r->backend->store, "collector_credentials",
                        STORE_PARAMS(claims->subject, claims->token_id, r->certificate_serial), r->deadline, &answer,
                        reterr);
    if (q < 0)
        return q;
    if (q == STORE_EMPTY)
        return err_set(reterr, ERR_TOKEN_INVALID, "the collector is not registered here");
    q = json_parse(buf_slice(&answer), (JsonLimits){.bytes = 65536, .depth = 4}, &doc, reterr);
    if (q < 0)
        return q;
    yyjson_val *root = yyjson_doc_get_root(doc);
    if (yyjson_get_bool(yyjson_obj_get(root, "revoked")))
        return err_set(reterr, ERR_FORBIDDEN, "the collector was revoked");
    if (!yyjson_get_bool(yyjson_obj_get(root, "token_good")))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token was revoked; register the collector again");
    if (r->certificate_serial && !yyjson_get_bool(yyjson_obj_get(root, "certificate_ours")))
        return err_set(reterr, ERR_IDENTITY_MISMATCH,
                       "the client certificate belongs to another collector than the token");
    if (r->certificate_serial && !yyjson_get_bool(yyjson_obj_get(root, "certificate_good")))
        return err_set(reterr, ERR_CERTIFICATE_INVALID,
                       "the client certificate was revoked or replaced; register the collector again");
    return 0;
}

static int check_collector_token(HttpRequest *r, Err *reterr)
{
    Slice token = bearer_token(r);
    JwtClaims claims;

    if (r->certificate_fault)
        return err_set(reterr, ERR_CERTIFICATE_INVALID, "the client certificate is not accepted: %s",
                       r->certificate_fault);
    if (!token.ptr)
        return err_set(reterr, ERR_UNAUTHENTICATED, "header Authorization: Bearer <collector token> is missing");
    int t = jwt_verify(&r->backend->auth->keys, token, JWT_COLLECTOR, clock_wall(), r->arena, &claims, reterr);
    if (t < 0)
        return t;
    t = check_credentials(r, &claims, reterr);
    if (t < 0)
        return t;
    r->principal = (Principal){.collector_id = claims.subject};
    return 0;
}

static int check_collector(HttpRequest *r, Err *reterr)
{
    if (!r->certificate_serial && !r->certificate_fault)
        return err_set(reterr, ERR_CERTIFICATE_REQUIRED, "show the client certificate that registration gave");
    return check_collector_token(r, reterr);
}

/* Who shows a certificate, or a token that is a collector's, is told what is wrong with a collector's credentials. */
static int check_collector_or_admin(HttpRequest *r, Err *reterr)
{
    Slice token = bearer_token(r);
    JwtClaims claims;
    bool is_collector = r->certificate_serial || r->certificate_fault ||
                        (token.ptr && jwt_verify(&r->backend->auth->keys, token, JWT_COLLECTOR, clock_wall(), r->arena,
                                                 &claims, NULL) == 0);

    return is_collector ? check_collector(r, reterr) : check_admin(r, reterr);
}

static int check_scrape(HttpRequest *r, Err *reterr)
{
    Slice token = bearer_token(r), ours = r->backend->auth->scrape_token;

    if (r->remote_is_loopback)
        return 0;
    if (ours.len == 0)
        return err_set(reterr, ERR_FORBIDDEN, "metrics are given to this host only; SCRAPE_TOKEN opens them to others");
    if (!token.ptr || !auth_secret_eq(token, ours))
        return err_set(reterr, ERR_UNAUTHENTICATED, "send the scrape token: Authorization: Bearer <SCRAPE_TOKEN>");
    return 0;
}

static int check_anyone(HttpRequest *r UNUSED, Err *reterr UNUSED)
{
    return 0;
}

static int (*const checks[_ACCESS_MAX])(HttpRequest *, Err *) = {
    [ACCESS_ANYONE] = check_anyone,
    [ACCESS_VIEWER] = check_viewer,
    [ACCESS_EDITOR] = check_editor,
    [ACCESS_ADMIN] = check_admin,
    [ACCESS_REGISTRATION] = check_registration,
    [ACCESS_COLLECTOR_TOKEN] = check_collector_token,
    [ACCESS_COLLECTOR] = check_collector,
    [ACCESS_COLLECTOR_OR_ADMIN] = check_collector_or_admin,
    [ACCESS_SCRAPE] = check_scrape,
};

int auth_check_access(HttpRequest *r, Access access, Err *reterr)
{
    Err err = ERR_INIT;
    int result = checks[access](r, &err);

    if (result < 0) {
        auth_count_refusal(err.code);
        if (err.code == ERR_TOO_MANY_REQUESTS)
            http_request_add_header(r, "Retry-After", "60");
        if (reterr)
            *reterr = err;
    }
    return result;
}
