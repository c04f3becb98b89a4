/* SPDX-License-Identifier: PostgreSQL */
/*
 * Login, refresh, logout, who am I. The access token is a JWT of 15 minutes; the refresh token is 32 bytes that nobody
 * can guess, kept as SHA-256, good once (functions/sessions.sql). Browsers get both as HttpOnly cookies, and a CSRF
 * token that scripts of our pages can read; who sends the refresh token as a cookie does not get the next one in the
 * body, where a script could read it.
 */
#include <sodium.h>

#include "backend/api/api.h"
#include "backend/auth/access.h"
#include "backend/auth/auth.h"
#include "backend/auth/password.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/json/json.h"

enum { REFRESH_BYTES = 32, HASH_TEXT_SIZE = 2 * crypto_hash_sha256_BYTES + 1 };

typedef struct UserRow {
    const char *id;
    const char *login;
    const char *role;
    const char *password_hash; /* NULL after a refresh */
} UserRow;

static void random_hex(char ret[AUTH_TOKEN_SIZE])
{
    uint8_t bytes[REFRESH_BYTES];

    random_bytes(bytes, sizeof bytes);
    (void)sodium_bin2hex(ret, AUTH_TOKEN_SIZE, bytes, sizeof bytes); /* returns ret */
}

static void refresh_hash(Slice token, char ret[HASH_TEXT_SIZE])
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    (void)crypto_hash_sha256(digest, (const uint8_t *)token.ptr, token.len); /* cannot fail */
    (void)sodium_bin2hex(ret, HASH_TEXT_SIZE, digest, sizeof digest);
}

static void user_read(yyjson_val *json, Arena *arena, UserRow *ret)
{
    *ret = (UserRow){
        .id = arena_strdup(arena, yyjson_get_str(yyjson_obj_get(json, "id"))),
        .login = arena_strdup(arena, yyjson_get_str(yyjson_obj_get(json, "login"))),
        .role = arena_strdup(arena, yyjson_get_str(yyjson_obj_get(json, "role"))),
        .password_hash = arena_strdup(arena, yyjson_get_str(yyjson_obj_get(json, "password_hash"))),
    };
}

static void add_cookie(HttpRequest *r, const char *name, const char *value, int seconds, const char *path,
                       bool readable)
{
    http_request_add_header(r, "Set-Cookie",
                            arena_printf(r->arena, "%s=%s; Path=%s; Max-Age=%d; SameSite=Strict%s%s", name, value, path,
                                         seconds, r->tls ? "; Secure" : "", readable ? "" : "; HttpOnly"));
}

static void add_session_cookies(HttpRequest *r, const char *access, const char *refresh, const char *csrf)
{
    bool ended = access[0] == '\0';

    if (auth_is_from_another_site(r)) /* a form there could log the user in as another */
        return;
    add_cookie(r, "pga_access", access, ended ? 0 : AUTH_ACCESS_SECONDS, "/", false);
    add_cookie(r, "pga_refresh", refresh, ended ? 0 : AUTH_REFRESH_SECONDS, "/api/v1/auth", false);
    add_cookie(r, "pga_csrf", csrf, ended ? 0 : AUTH_REFRESH_SECONDS, "/", true);
}

static void user_write(const UserRow *u, Buf *out)
{
    buf_append_cstr(out, "{\"id\":");
    buf_append_json_string(out, slice_cstr(u->id));
    buf_append_cstr(out, ",\"login\":");
    buf_append_json_string(out, slice_cstr(u->login));
    buf_append_cstr(out, ",\"role\":");
    buf_append_json_string(out, slice_cstr(u->role));
    buf_append_char(out, '}');
}

/* Signs an access token and answers with it; @refresh goes into a cookie, and into the body for clients without them.
 */
static int answer_tokens(HttpRequest *r, const UserRow *user, const char *refresh, bool by_cookie, Err *reterr)
{
    char token_id[RANDOM_UUID_SIZE], csrf[AUTH_TOKEN_SIZE];
    _cleanup_buf_ Buf access = BUF_INIT;
    Usec now = clock_wall();

    random_uuid(token_id);
    auth_derive(r->backend->auth, AUTH_CSRF, slice_cstr(refresh), csrf);
    int s = jwt_sign(&r->backend->auth->keys,
                     &(JwtClaims){.audience = JWT_USER,
                                  .subject = user->id,
                                  .token_id = token_id,
                                  .login = user->login,
                                  .role = user->role,
                                  .issued = now,
                                  .expires = now + AUTH_ACCESS_SECONDS * USEC_PER_SEC},
                     &access, reterr);
    if (s < 0)
        return s;
    add_session_cookies(r, buf_cstr(&access), refresh, csrf);
    buf_append_cstr(&r->answer, "{\"access_token\":");
    buf_append_json_string(&r->answer, buf_slice(&access));
    buf_printf(&r->answer, ",\"expires_in\":%d", AUTH_ACCESS_SECONDS);
    if (!by_cookie)
        buf_printf(&r->answer, ",\"refresh_token\":\"%s\"", refresh);
    buf_append_cstr(&r->answer, ",\"user\":");
    user_write(user, &r->answer);
    buf_append_char(&r->answer, '}');
    return HTTP_DONE;
}

/* *@ret is all NULL when there is no such user. */
static int find_user(HttpRequest *r, const char *login, UserRow *ret, Err *reterr)
{
    _cleanup_buf_ Buf row = BUF_INIT;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;

    *ret = (UserRow){0};
    int q = store_query(r->backend->store, "user_by_login", STORE_PARAMS(login), r->deadline, &row, reterr);
    if (q != STORE_OK)
        return q < 0 ? q : 0;
    q = json_parse(buf_slice(&row), (JsonLimits){.bytes = 65536, .depth = 4}, &doc, reterr);
    if (q < 0)
        return q;
    user_read(yyjson_doc_get_root(doc), r->arena, ret);
    return 0;
}

static int check_throttle(HttpRequest *r, const Slice keys[2], Usec now, Err *reterr)
{
    for (size_t i = 0; i < 2; i++) {
        Usec wait;
        if (!throttle_is_blocked(r->backend->auth->throttle, keys[i], now, &wait))
            continue;
        long long seconds = wait / USEC_PER_SEC + 1;
        http_request_add_header(r, "Retry-After", arena_printf(r->arena, "%lld", seconds));
        auth_count_refusal(ERR_TOO_MANY_REQUESTS);
        return err_set(reterr, ERR_TOO_MANY_REQUESTS, "too many failed logins; wait %lld s", seconds);
    }
    return 0;
}

/* Checks the password of who may be nobody: the same error, in the same time, whichever of the two was wrong. Failures
 * are counted for the user however the login was written (upper case, lower case), and for the address. */
static int check_password(HttpRequest *r, const UserRow *user, const char *login, Slice password, Err *reterr)
{
    Throttle *throttle = r->backend->auth->throttle;
    const Slice keys[2] = {
        slice_cstr(user->id ? arena_printf(r->arena, "user:%s", user->id) : arena_printf(r->arena, "login:%s", login)),
        slice_cstr(arena_printf(r->arena, "address:%s", auth_network_of(r->remote_address, r->arena)))};
    Usec now = clock_monotonic();
    Err err = ERR_INIT;

    int p = check_throttle(r, keys, now, reterr);
    if (p < 0)
        return p;
    p = password_verify(password, user->password_hash, r->deadline, &err);
    if (p == 0) {
        throttle_succeeded(throttle, keys[0]);
        return 0;
    }
    if (err.code == ERR_CREDENTIALS) {
        throttle_failed(throttle, keys[0], now);
        throttle_failed(throttle, keys[1], now);
        auth_count_refusal(ERR_CREDENTIALS);
        log_warn("login refused", log_str("login", login), log_str("address", r->remote_address));
    }
    if (reterr)
        *reterr = err;
    return p;
}

int session_login(HttpRequest *r, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    _cleanup_buf_ Buf made = BUF_INIT;
    char session_id[RANDOM_UUID_SIZE], refresh[AUTH_TOKEN_SIZE], hash[HASH_TEXT_SIZE];
    JsonReader reader;
    UserRow user;

    int j = json_parse(r->body, (JsonLimits){.bytes = API_BODY_MAX, .depth = 4}, &doc, reterr);
    if (j < 0)
        return j;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    const char *login = arena_dup(r->arena, json_take_string(&reader, "login", 1, 200)).ptr;
    Slice password = json_take_string(&reader, "password", 0, 1024);
    j = json_reader_finish(&reader);
    if (j < 0)
        return j;

    j = find_user(r, login, &user, reterr);
    if (j == 0)
        j = check_password(r, &user, login, password, reterr);
    if (j < 0)
        return j;

    random_uuid(session_id);
    random_hex(refresh);
    refresh_hash(slice_cstr(refresh), hash);
    j = store_query(r->backend->store, "session_insert",
                    STORE_PARAMS(session_id, user.id, hash, api_int(r, AUTH_REFRESH_SECONDS), r->remote_address,
                                 user.password_hash),
                    r->deadline, &made, reterr);
    if (j == STORE_EMPTY)
        return err_set(reterr, ERR_CREDENTIALS, "login or password is wrong"); /* changed in this moment */
    return j < 0 ? j : answer_tokens(r, &user, refresh, false, reterr);
}

/* From the cookie (*@ret_cookie), or {"refresh_token"} in the body. */
static int refresh_token_of(HttpRequest *r, Slice *ret, bool *ret_cookie, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    JsonReader reader;

    *ret = auth_is_from_another_site(r) ? SLICE_NULL : slice_cstr(http_request_cookie(r, "pga_refresh"));
    *ret_cookie = ret->ptr != NULL;
    if (ret->ptr)
        return 0;
    if (r->body.len == 0)
        return err_set(reterr, ERR_UNAUTHENTICATED, "no refresh token: send its cookie, or {\"refresh_token\"}");
    int j = json_parse(r->body, (JsonLimits){.bytes = API_BODY_MAX, .depth = 4}, &doc, reterr);
    if (j < 0)
        return j;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    *ret = arena_dup(r->arena, json_take_string(&reader, "refresh_token", 1, 200));
    return json_reader_finish(&reader);
}

int session_refresh(HttpRequest *r, Err *reterr)
{
    _cleanup_buf_ Buf row = BUF_INIT;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    char session_id[RANDOM_UUID_SIZE], refresh[AUTH_TOKEN_SIZE], new_hash[HASH_TEXT_SIZE], hash[HASH_TEXT_SIZE];
    bool by_cookie;
    Slice token;
    UserRow user;

    int j = refresh_token_of(r, &token, &by_cookie, reterr);
    if (j < 0)
        return j;
    random_uuid(session_id);
    auth_derive(r->backend->auth, AUTH_NEXT_REFRESH, token, refresh);
    refresh_hash(slice_cstr(refresh), new_hash);
    refresh_hash(token, hash);
    j = store_query(r->backend->store, "session_rotate",
                    STORE_PARAMS(hash, session_id, new_hash, api_int(r, AUTH_REFRESH_SECONDS)), r->deadline, &row,
                    reterr);
    if (j < 0)
        return j;
    if (j == STORE_OK) {
        j = json_parse(buf_slice(&row), (JsonLimits){.bytes = 65536, .depth = 4}, &doc, reterr);
        if (j < 0)
            return j;
    }
    const char *verdict = doc ? yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "verdict")) : NULL;
    if (!verdict || (strcmp(verdict, "ok") != 0 && strcmp(verdict, "again") != 0)) {
        auth_count_refusal(ERR_TOKEN_INVALID);
        add_session_cookies(r, "", "", "");
        if (verdict && strcmp(verdict, "reused") == 0)
            log_warn("a refresh token was used twice; its session was ended", log_str("address", r->remote_address));
        return err_set(reterr, ERR_TOKEN_INVALID, "the session has ended; log in again");
    }
    user_read(yyjson_doc_get_root(doc), r->arena, &user);
    return answer_tokens(r, &user, refresh, by_cookie, reterr);
}

int session_logout(HttpRequest *r, Err *reterr)
{
    _cleanup_buf_ Buf ended = BUF_INIT;
    char hash[HASH_TEXT_SIZE];
    bool by_cookie;
    Slice token;

    add_session_cookies(r, "", "", "");
    if (refresh_token_of(r, &token, &by_cookie, NULL) == 0) {
        refresh_hash(token, hash);
        int q = store_query(r->backend->store, "session_end", STORE_PARAMS(hash), r->deadline, &ended, reterr);
        if (q < 0)
            return q;
    }
    r->status = 204;
    r->content_type = NULL;
    return HTTP_DONE;
}

int session_me(HttpRequest *r, Err *reterr UNUSED)
{
    user_write(
        &(UserRow){.id = r->principal.user_id, .login = r->principal.login, .role = role_to_string(r->principal.role)},
        &r->answer);
    return HTTP_DONE;
}
