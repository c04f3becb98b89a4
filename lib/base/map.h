#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Map: bytes to pointer, open addressing, SipHash with a per-process random key (keys come from outside).
 * Keys are copied into the map; values are not owned unless a free function is given. One thread at a time.
 * Insertion order is kept for iteration as long as nothing is removed.
 */
#include <stdbool.h>

#include "lib/base/cleanup.h"
#include "lib/base/slice.h"

typedef struct Map Map;
typedef void (*MapFreeFn)(void *value);

Map *map_new(MapFreeFn on_free_value); /* NULL: values are borrowed */
Map *map_free(Map *m);
DEFINE_CLEANUP(Map *, map_free)
void map_clear(Map *m);
size_t map_len(const Map *m);

void *map_get(const Map *m, Slice key); /* NULL when absent */
bool map_has(const Map *m, Slice key);
/* Inserts or replaces; a replaced value is freed with on_free_value. */
void map_put(Map *m, Slice key, void *value);
/* Removes; returns the value without freeing it, NULL when absent. */
void *map_take(Map *m, Slice key);

/* for (size_t at = 0; map_next(m, &at, &key, &value);) ... ; do not insert or remove meanwhile.
 * ret_key and ret_value may be NULL. */
bool map_next(const Map *m, size_t *at, Slice *ret_key, void **ret_value);
