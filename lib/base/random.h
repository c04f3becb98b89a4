#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Randomness from the kernel's generator, and what is made of it directly. Any thread. */
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"

void random_bytes(void *ret, size_t len); /* aborts if the kernel refuses */
uint64_t random_below(uint64_t bound);    /* uniform in [0, bound); bound > 0 */

enum { RANDOM_UUID_SIZE = 37 };
void random_uuid(char ret[RANDOM_UUID_SIZE]); /* version 4, lower case */

/* Exponential back-off: attempt n waits a random time in [m / 2, m], m = min(cap, base * 2^n). The lower half is never
 * drawn, so that who is asked in vain is sure of a pause; the upper half keeps many askers apart. */
typedef struct Backoff {
    Usec base;
    Usec cap;
    unsigned attempt; /* failures in a row */
} Backoff;

Usec backoff_next(Backoff *b); /* counts one failure, returns how long to wait */
static inline void backoff_reset(Backoff *b)
{
    b->attempt = 0;
}
