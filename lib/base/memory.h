#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Heap memory for what our own code bounds: these abort when memory ends, so callers have no failing branch. What input
 * sizes goes through buf_try_* and arena_try_alloc(). Freed with free(). Any thread.
 */
#include <stddef.h>

void *mem_alloc(size_t size);                      /* zeroed */
void *mem_alloc_array(size_t item_size, size_t n); /* zeroed, the product checked */
void *mem_realloc(void *p, size_t size);
char *mem_strdup(const char *s);              /* NULL stays NULL */
char *mem_dup(const void *bytes, size_t len); /* NUL-terminated behind len */
