#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Arena: memory for one unit of work (a request, a collection cycle, a configuration load), freed all at once.
 * Owned by one thread. Allocation aborts when memory ends, except arena_try_*, which honour the limit.
 */
#include <stdarg.h>

#include "lib/base/cleanup.h"
#include "lib/base/slice.h"

typedef struct Arena Arena;

/* @limit_bytes bounds arena_try_alloc(); 0 = none. */
Arena *arena_new(size_t limit_bytes);
Arena *arena_free(Arena *a); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Arena *, arena_free)
void arena_clear(Arena *a); /* everything allocated is gone; the first block is kept for reuse */
size_t arena_used_bytes(const Arena *a);

void *arena_alloc(Arena *a, size_t size);                      /* zeroed, aligned for any type */
void *arena_alloc_array(Arena *a, size_t item_size, size_t n); /* the same; the product is checked */
char *arena_room(Arena *a, size_t size);                       /* not zeroed: for bytes that are written next */
void *arena_try_alloc(Arena *a, size_t size);                  /* NULL at the limit or when memory ends */
Slice arena_dup(Arena *a, Slice s);          /* copies, NUL-terminated behind len; absent stays absent */
char *arena_strdup(Arena *a, const char *s); /* NULL stays NULL */
char *arena_printf(Arena *a, const char *format, ...) PRINTF_LIKE(2, 3);

#define arena_new_object(arena, type)   ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, n) ((type *)arena_alloc_array((arena), sizeof(type), (n)))
