#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for tables whose keys come from outside, so that nobody can
 * choose texts that collide. Pure, any thread. */
#include "lib/base/slice.h"

typedef struct SipKey {
    uint64_t words[2]; /* random, once for the process */
} SipKey;

uint64_t siphash(const SipKey *key, Slice text);
