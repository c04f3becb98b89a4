#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Bounded queue of pointers between threads: the only way threads hand work to each other. Any thread, any side.
 * Items are borrowed; whoever pops owns the item.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

typedef struct Queue Queue;

Queue *queue_new(size_t capacity);
Queue *queue_free(Queue *q); /* must be empty; asserted */
DEFINE_CLEANUP(Queue *, queue_free)

bool queue_try_push(Queue *q, void *item); /* false: full or closed */
void *queue_pop(Queue *q, Usec deadline);  /* monotonic; NULL: deadline passed, or closed and empty */
size_t queue_pop_many(Queue *q, void **ret_items, size_t max); /* without waiting */
void queue_close(Queue *q);                                    /* wakes every waiter; pushes fail from now on */
size_t queue_len(const Queue *q);
