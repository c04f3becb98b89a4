#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Counts failures per key (a login, an address) in a sliding window and says when to refuse. Bounded: when full, keys
 * whose window has passed go first, then the oldest. Time is an argument; any thread.
 */
#include <stdbool.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"

typedef struct Throttle Throttle;

Throttle *throttle_new(unsigned failures_max, Usec window, size_t keys_max);
Throttle *throttle_free(Throttle *t);
DEFINE_CLEANUP(Throttle *, throttle_free)

/* True: refuse now; *ret_wait is how long until the next try is allowed. */
bool throttle_is_blocked(Throttle *t, Slice key, Usec now, Usec *ret_wait);
void throttle_failed(Throttle *t, Slice key, Usec now);
void throttle_succeeded(Throttle *t, Slice key);
