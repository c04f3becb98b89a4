#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Signed tokens (JWT, HS256, over cjose). Two audiences: users (15 minutes) and collectors (one year); a token of one
 * is never accepted as the other. Verification takes the current and the previous key. Pure, any thread.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

typedef enum JwtAudience { JWT_USER, JWT_COLLECTOR, _JWT_AUDIENCE_MAX } JwtAudience;

typedef struct JwtKeys {
    Slice current;
    Slice previous; /* absent: none */
} JwtKeys;

typedef struct JwtClaims {
    JwtAudience audience;
    const char *subject;  /* user id or collector id */
    const char *token_id; /* jti */
    const char *login;    /* users */
    const char *role;     /* users */
    Usec issued;          /* wall, whole seconds */
    Usec expires;
} JwtClaims;

enum { JWT_TEXT_MAX = 4096 };

int jwt_sign(const JwtKeys *keys, const JwtClaims *claims, Buf *ret, Err *reterr) MUST_CHECK;
/* ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED. Claims live in @arena. */
int jwt_verify(const JwtKeys *keys, Slice text, JwtAudience audience, Usec now, Arena *arena, JwtClaims *ret,
               Err *reterr) MUST_CHECK;
