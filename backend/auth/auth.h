#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the access check and the login routes share: token keys, the throttle, the registration secret. Strings are
 * borrowed from the settings, which outlive it. Any thread.
 */
#include "backend/auth/jwt.h"
#include "backend/auth/throttle.h"
#include "lib/telemetry/telemetry.h"

typedef struct AuthOptions {
    const char *jwt_secret;
    const char *jwt_secret_previous; /* "": none */
    const char *registration_secret;
    const char *scrape_token; /* "": loopback only */
} AuthOptions;

typedef struct Auth {
    JwtKeys keys;
    Slice registration_secret;
    Slice scrape_token; /* empty: none */
    Throttle *throttle; /* keys "login:x", "address:x" */
} Auth;

enum {
    AUTH_ACCESS_SECONDS = 15 * 60,
    AUTH_REFRESH_SECONDS = 14 * 24 * 3600,
    AUTH_COLLECTOR_SECONDS = 365 * 24 * 3600,
    AUTH_FAILURES_MAX = 10, /* within five minutes, for a login or an address */
    AUTH_TOKEN_SIZE = 65,   /* 32 bytes in hexadecimal, with its end */
};

Auth *auth_new(const AuthOptions *options);
Auth *auth_free(Auth *a);
DEFINE_CLEANUP(Auth *, auth_free)

/* Equal, in a time that does not depend on where they differ. Both may be of any length. */
bool auth_secret_eq(Slice a, Slice b);

/*
 * What follows from a refresh token, which only we can tell: a keyed hash of it. The token that it is traded for, so
 * that trades of one token that come at once, or again because the answer was lost, all get the same; and the CSRF
 * token of its session.
 */
typedef enum AuthDerived { AUTH_NEXT_REFRESH, AUTH_CSRF } AuthDerived;
void auth_derive(const Auth *a, AuthDerived what, Slice refresh_token, char ret[AUTH_TOKEN_SIZE]);

/* Of whom failures are counted together: an IPv4 address, or the /64 of an IPv6 address, all of which one host has. */
const char *auth_network_of(const char *address, Arena *arena);

/* Refusals by reason, for /metrics. */
extern const TelemetryEntry auth_telemetry[];
extern const size_t auth_telemetry_count;
void auth_count_refusal(ErrCode code);
