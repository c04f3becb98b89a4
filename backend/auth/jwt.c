/* SPDX-License-Identifier: PostgreSQL */
/* Signed tokens: see jwt.h. The algorithm is pinned here, whatever a token's header says. */
#include "backend/auth/jwt.h"

#include <cjose/cjose.h>

#include "lib/json/json.h"

static const char *const audience_names[_JWT_AUDIENCE_MAX] = {[JWT_USER] = "user", [JWT_COLLECTOR] = "collector"};

static const char issuer[] = "pganalytics";

/* A clock of another backend may be ahead by this much. */
static const Usec issued_tolerance = 60 * USEC_PER_SEC;

static void jwk_freep(cjose_jwk_t **k)
{
    if (*k)
        (void)cjose_jwk_release(*k); /* false only tells that others hold it */
}
static void jws_freep(cjose_jws_t **j)
{
    if (*j)
        cjose_jws_release(*j);
}
static void header_freep(cjose_header_t **h)
{
    if (*h)
        cjose_header_release(*h);
}

static void claims_write(const JwtClaims *c, Buf *out)
{
    buf_append_cstr(out, "{\"iss\":\"pganalytics\",\"aud\":");
    buf_append_json_string(out, slice_cstr(audience_names[c->audience]));
    buf_append_cstr(out, ",\"sub\":");
    buf_append_json_string(out, slice_cstr(c->subject));
    buf_append_cstr(out, ",\"jti\":");
    buf_append_json_string(out, slice_cstr(c->token_id));
    if (c->audience == JWT_USER) {
        buf_append_cstr(out, ",\"login\":");
        buf_append_json_string(out, slice_cstr(c->login));
        buf_append_cstr(out, ",\"role\":");
        buf_append_json_string(out, slice_cstr(c->role));
    }
    buf_printf(out, ",\"iat\":%lld,\"exp\":%lld}", (long long)(c->issued / USEC_PER_SEC),
               (long long)(c->expires / USEC_PER_SEC));
}

int jwt_sign(const JwtKeys *keys, const JwtClaims *claims, Buf *ret, Err *reterr)
{
    _cleanup_buf_ Buf payload = BUF_INIT;
    _cleanup_(jwk_freep) cjose_jwk_t *key = NULL;
    _cleanup_(header_freep) cjose_header_t *header = NULL;
    _cleanup_(jws_freep) cjose_jws_t *jws = NULL;
    const char *text = NULL;
    cjose_err cause;

    claims_write(claims, &payload);
    key = cjose_jwk_create_oct_spec((const uint8_t *)keys->current.ptr, keys->current.len, &cause);
    header = cjose_header_new(&cause);
    if (key && header && cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, &cause) &&
        cjose_header_set(header, "typ", "JWT", &cause))
        jws = cjose_jws_sign(key, header, (const uint8_t *)payload.ptr, payload.len, &cause);
    if (!jws || !cjose_jws_export(jws, &text, &cause))
        return err_set(reterr, ERR_INTERNAL, "a token could not be signed");
    buf_append_cstr(ret, text);
    return 0;
}

static bool signature_fits(cjose_jws_t *jws, Slice secret)
{
    cjose_err cause;

    if (secret.len == 0)
        return false;
    _cleanup_(jwk_freep) cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)secret.ptr, secret.len, &cause);
    return key && cjose_jws_verify(jws, key, &cause);
}

static bool algorithm_is_ours(cjose_jws_t *jws)
{
    cjose_err cause;
    const char *name = cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, &cause);

    return name && strcmp(name, CJOSE_HDR_ALG_HS256) == 0;
}

static const char *claim_string(yyjson_val *claims, const char *name, Arena *arena)
{
    return arena_strdup(arena, yyjson_get_str(yyjson_obj_get(claims, name)));
}

static bool string_is(const char *s, const char *expected)
{
    return s && strcmp(s, expected) == 0;
}

static int claims_read(Slice payload, JwtAudience audience, Arena *arena, JwtClaims *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;

    if (json_parse(payload, (JsonLimits){.bytes = JWT_TEXT_MAX, .depth = 4}, &doc, NULL) < 0)
        return err_set(reterr, ERR_TOKEN_INVALID, "the token's claims are not JSON");
    yyjson_val *claims = yyjson_doc_get_root(doc);
    if (!string_is(yyjson_get_str(yyjson_obj_get(claims, "iss")), issuer) ||
        !string_is(yyjson_get_str(yyjson_obj_get(claims, "aud")), audience_names[audience]))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token was not made for this use");
    *ret = (JwtClaims){
        .audience = audience,
        .subject = claim_string(claims, "sub", arena),
        .token_id = claim_string(claims, "jti", arena),
        .login = claim_string(claims, "login", arena),
        .role = claim_string(claims, "role", arena),
        .issued = (Usec)yyjson_get_sint(yyjson_obj_get(claims, "iat")) * USEC_PER_SEC,
        .expires = (Usec)yyjson_get_sint(yyjson_obj_get(claims, "exp")) * USEC_PER_SEC,
    };
    if (!ret->subject || !ret->token_id || (audience == JWT_USER && (!ret->login || !ret->role)))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token lacks a claim");
    return 0;
}

int jwt_verify(const JwtKeys *keys, Slice text, JwtAudience audience, Usec now, Arena *arena, JwtClaims *ret,
               Err *reterr)
{
    _cleanup_(jws_freep) cjose_jws_t *jws = NULL;
    uint8_t *payload = NULL;
    size_t length = 0;
    cjose_err cause;

    if (text.len == 0 || text.len > JWT_TEXT_MAX)
        return err_set(reterr, ERR_TOKEN_INVALID, "the token has %zu bytes; 1 to %d are allowed", text.len,
                       JWT_TEXT_MAX);
    jws = cjose_jws_import(text.ptr, text.len, &cause);
    if (!jws)
        return err_set(reterr, ERR_TOKEN_INVALID, "the token is not a signed JWT");
    if (!algorithm_is_ours(jws) || (!signature_fits(jws, keys->current) && !signature_fits(jws, keys->previous)))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token's signature is not ours");
    if (!cjose_jws_get_plaintext(jws, &payload, &length, &cause))
        return err_set(reterr, ERR_TOKEN_INVALID, "the token has no claims");
    int r = claims_read(slice_from(payload, length), audience, arena, ret, reterr);
    if (r < 0)
        return r;
    if (ret->expires <= now)
        return err_set(reterr, ERR_TOKEN_EXPIRED, "the token has expired");
    if (ret->issued > now + issued_tolerance)
        return err_set(reterr, ERR_TOKEN_INVALID, "the token was issued in the future; check the clocks");
    return 0;
}
