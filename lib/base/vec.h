#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Typed growing arrays. DEFINE_VEC(IntVec, int_vec, int) makes struct IntVec {items, len, capacity} with int_vec_push,
 * _extend, _clear, _done. Zero-initialised is empty. Items are moved by memcpy: do not keep pointers to them over a
 * push. _push and _extend abort when memory ends: bound what input can fill.
 */
#include "lib/base/cleanup.h"

/* Grows *capacity (in items) to at least @needed and reallocates; aborts when memory ends. Used by the macro only. */
void *vec_grow(void *items, size_t *capacity, size_t needed, size_t item_size);

#define DEFINE_VEC(Type, prefix, Item)                                                                                 \
    typedef struct Type {                                                                                              \
        Item *items;                                                                                                   \
        size_t len;                                                                                                    \
        size_t capacity;                                                                                               \
    } Type;                                                                                                            \
    static inline UNUSED Item *prefix##_push(Type *v, Item item)                                                       \
    {                                                                                                                  \
        if (v->len == v->capacity)                                                                                     \
            v->items = vec_grow(v->items, &v->capacity, v->len + 1, sizeof(Item));                                     \
        v->items[v->len] = item;                                                                                       \
        return &v->items[v->len++];                                                                                    \
    }                                                                                                                  \
    /* @count items more, not initialised: the first of them. */                                                       \
    static inline UNUSED Item *prefix##_extend(Type *v, size_t count)                                                  \
    {                                                                                                                  \
        if (count > v->capacity - v->len)                                                                              \
            v->items = vec_grow(v->items, &v->capacity, v->len + count, sizeof(Item));                                 \
        v->len += count;                                                                                               \
        return v->items + (v->len - count);                                                                            \
    }                                                                                                                  \
    static inline UNUSED void prefix##_clear(Type *v)                                                                  \
    {                                                                                                                  \
        v->len = 0;                                                                                                    \
    }                                                                                                                  \
    static inline UNUSED void prefix##_done(Type *v)                                                                   \
    {                                                                                                                  \
        free(v->items);                                                                                                \
        *v = (Type){0};                                                                                                \
    }
