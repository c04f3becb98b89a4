/* SPDX-License-Identifier: PostgreSQL */
/* What access check and login share: see auth.h. */
#include "backend/auth/auth.h"

#include <arpa/inet.h>
#include <sodium.h>

enum { THROTTLE_KEYS_MAX = 20000 };
static const Usec throttle_window = 5 * 60 * USEC_PER_SEC;

Auth *auth_new(const AuthOptions *o)
{
    Auth *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->keys = (JwtKeys){.current = slice_cstr(o->jwt_secret), .previous = slice_cstr(o->jwt_secret_previous)};
    a->registration_secret = slice_cstr(o->registration_secret);
    a->scrape_token = slice_cstr(o->scrape_token);
    a->throttle = throttle_new(AUTH_FAILURES_MAX, throttle_window, THROTTLE_KEYS_MAX);
    return a;
}

Auth *auth_free(Auth *a)
{
    if (!a)
        return NULL;
    throttle_free(a->throttle);
    free(a);
    return NULL;
}

bool auth_secret_eq(Slice a, Slice b)
{
    uint8_t left[crypto_generichash_BYTES], right[crypto_generichash_BYTES];

    /* Digests are of one length, so neither content nor length shows in the time. */
    (void)crypto_generichash(left, sizeof left, (const uint8_t *)a.ptr, a.len, NULL, 0);
    (void)crypto_generichash(right, sizeof right, (const uint8_t *)b.ptr, b.len, NULL, 0);
    return sodium_memcmp(left, right, sizeof left) == 0;
}

void auth_derive(const Auth *a, AuthDerived what, Slice refresh_token, char ret[AUTH_TOKEN_SIZE])
{
    static const Slice purposes[] = {
        [AUTH_NEXT_REFRESH] = SLICE_LIT("next refresh token:"), [AUTH_CSRF] = SLICE_LIT("csrf token:")};
    Slice purpose = purposes[what];
    uint8_t digest[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;

    /* none of these can fail */
    (void)crypto_auth_hmacsha256_init(&state, (const uint8_t *)a->keys.current.ptr, a->keys.current.len);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)purpose.ptr, purpose.len);
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)refresh_token.ptr, refresh_token.len);
    (void)crypto_auth_hmacsha256_final(&state, digest);
    (void)sodium_bin2hex(ret, AUTH_TOKEN_SIZE, digest, sizeof digest);
}

const char *auth_network_of(const char *address, Arena *arena)
{
    struct in6_addr v6;
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, address, &v6) != 1)
        return address;
    memset(v6.s6_addr + 8, 0, 8);
    return inet_ntop(AF_INET6, &v6, text, sizeof text) ? arena_printf(arena, "%s/64", text) : address;
}

#define REFUSAL_HELP "Requests refused by the access check or at login."
#define REFUSAL(slug)                                                                                                  \
    {                                                                                                                  \
        .name = "pganalytics_auth_refusals_total", .labels = "code=\"" slug "\"", .help = REFUSAL_HELP                 \
    }

static const ErrCode refusal_codes[] = {
    ERR_UNAUTHENTICATED,     ERR_CREDENTIALS,       ERR_TOKEN_INVALID, ERR_TOKEN_EXPIRED,     ERR_CERTIFICATE_REQUIRED,
    ERR_CERTIFICATE_INVALID, ERR_IDENTITY_MISMATCH, ERR_FORBIDDEN,     ERR_TOO_MANY_REQUESTS,
};
static Counter refusals[] = {
    REFUSAL("unauthenticated"),      REFUSAL("credentials_invalid"),
    REFUSAL("token_invalid"),        REFUSAL("token_expired"),
    REFUSAL("certificate_required"), REFUSAL("certificate_invalid"),
    REFUSAL("identity_mismatch"),    REFUSAL("forbidden"),
    REFUSAL("too_many_requests"),
};
_Static_assert(ARRAY_LENGTH(refusal_codes) == ARRAY_LENGTH(refusals), "a counter for each code");

const TelemetryEntry auth_telemetry[] = {
    {TELEMETRY_COUNTER, &refusals[0]}, {TELEMETRY_COUNTER, &refusals[1]}, {TELEMETRY_COUNTER, &refusals[2]},
    {TELEMETRY_COUNTER, &refusals[3]}, {TELEMETRY_COUNTER, &refusals[4]}, {TELEMETRY_COUNTER, &refusals[5]},
    {TELEMETRY_COUNTER, &refusals[6]}, {TELEMETRY_COUNTER, &refusals[7]}, {TELEMETRY_COUNTER, &refusals[8]},
};
const size_t auth_telemetry_count = ARRAY_LENGTH(auth_telemetry);

void auth_count_refusal(ErrCode code)
{
    for (size_t i = 0; i < ARRAY_LENGTH(refusal_codes); i++)
        if (refusal_codes[i] == code)
            counter_add(&refusals[i], 1);
}
