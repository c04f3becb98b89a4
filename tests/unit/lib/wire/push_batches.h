#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Batches for tests, fuzzers and benchmarks of the push format. The same seed makes the same batch. Any thread. */
#include "lib/wire/push.h"

/* Everything the format allows, in small numbers: odd names and texts, extreme numbers, absent members. In @arena. */
PushBatch push_batches_random(uint64_t seed, Arena *arena);

/* What a collector sends after one interval of a busy server: 1,150 rows, 25,600 values. In @arena. */
PushBatch push_batches_realistic(uint64_t seed, Arena *arena);

/* NULL when equal, else what differs first. */
const char *push_batches_difference(const PushBatch *a, const PushBatch *b);
