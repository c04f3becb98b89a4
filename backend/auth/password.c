/* SPDX-License-Identifier: PostgreSQL */
/* Passwords: see password.h. */
#include "backend/auth/password.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sodium.h>
#include <time.h>

enum { PASSWORD_OPS = 2, PASSWORD_MEMORY = 19 << 20 };

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "libsodium's hash strings must fit");

static sem_t turns;
static pthread_once_t turns_once = PTHREAD_ONCE_INIT;

/* A well-formed hash that belongs to no password: verified against when the login is unknown. */
static char dummy_hash[crypto_pwhash_STRBYTES];

static void turns_init(void)
{
    if (sodium_init() < 0 || sem_init(&turns, 0, PASSWORD_CONCURRENT) < 0)
        abort();
    char random[32];
    randombytes_buf(random, sizeof random);
    if (crypto_pwhash_str(dummy_hash, random, sizeof random, PASSWORD_OPS, PASSWORD_MEMORY) < 0)
        abort(); /* 19 MiB at start */
}

static int turn_take(Usec deadline, Err *reterr)
{
    (void)pthread_once(&turns_once, turns_init);

    struct timespec until = {.tv_sec = (time_t)(deadline / USEC_PER_SEC),
                             .tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000};
    int r;
    do
        r = sem_clockwait(&turns, CLOCK_MONOTONIC, &until);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "too many passwords are being checked at once");
    return 0;
}

int password_hash(Slice password, Usec deadline, char ret[PASSWORD_HASH_SIZE], Err *reterr)
{
    if (password.len < PASSWORD_MIN || password.len > PASSWORD_MAX)
        return err_set(reterr, ERR_UNPROCESSABLE, "a password has %d to %d bytes, this one has %zu", PASSWORD_MIN,
                       PASSWORD_MAX, password.len);
    int r = turn_take(deadline, reterr);
    if (r < 0)
        return r;
    r = crypto_pwhash_str(ret, password.ptr, password.len, PASSWORD_OPS, PASSWORD_MEMORY);
    (void)sem_post(&turns); /* cannot overflow: we took one */
    if (r < 0)
        return err_set(reterr, ERR_OUT_OF_MEMORY, "no memory to hash a password");
    return 0;
}

int password_verify(Slice password, const char *hash, Usec deadline, Err *reterr)
{
    int r = turn_take(deadline, reterr);
    if (r < 0)
        return r;
    bool fits = password.len <= PASSWORD_MAX &&
                crypto_pwhash_str_verify(hash ? hash : dummy_hash, password.ptr, password.len) == 0;
    (void)sem_post(&turns);
    if (!fits || !hash)
        return err_set(reterr, ERR_CREDENTIALS, "login or password is wrong");
    return 0;
}
