#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Passwords: Argon2id (t=2, m=19 MiB, p=1) over libsodium. A hash takes 19 MiB, so at most PASSWORD_CONCURRENT run at
 * once; the others wait until their deadline. Any thread.
 */
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

enum { PASSWORD_HASH_SIZE = 128, PASSWORD_MIN = 8, PASSWORD_MAX = 256, PASSWORD_CONCURRENT = 4 };

/* ERR_UNPROCESSABLE: too short or too long; ERR_UNAVAILABLE: no turn before @deadline (monotonic). */
int password_hash(Slice password, Usec deadline, char ret[PASSWORD_HASH_SIZE], Err *reterr) MUST_CHECK;
/* 0 when it fits; ERR_CREDENTIALS when not. @hash NULL costs the same time and never fits: an unknown login must not
 * answer faster than a wrong password. */
int password_verify(Slice password, const char *hash, Usec deadline, Err *reterr) MUST_CHECK;
