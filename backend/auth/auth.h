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
};

Auth *auth_new(const AuthOptions *options);
Auth *auth_free(Auth *a);
DEFINE_CLEANUP(Auth *, auth_free)

/* Equal, in a time that does not depend on where they differ. Both may be of any length. */
bool auth_secret_eq(Slice a, Slice b);

/* Refusals by reason, for /metrics. */
extern const TelemetryEntry auth_telemetry[];
extern const size_t auth_telemetry_count;
void auth_count_refusal(ErrCode code);
