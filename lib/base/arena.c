/* SPDX-License-Identifier: PostgreSQL */
/* Arena: see arena.h. A list of blocks; the first is kept over arena_clear(). Large objects get a block of their own.
 */
#include "lib/base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ARENA_BLOCK = 16 << 10, ARENA_ALIGN = _Alignof(max_align_t) };

typedef struct Block {
    struct Block *next;
    size_t size; /* of bytes */
    size_t used;
    _Alignas(max_align_t) unsigned char bytes[];
} Block;

struct Arena {
    Block *current; /* newest first */
    size_t used;    /* handed out, padding included */
    size_t limit;
};

static Block *block_new(size_t size)
{
    Block *b = malloc(sizeof *b + size);

    if (b)
        *b = (Block){.size = size};
    return b;
}

Arena *arena_new(size_t limit_bytes)
{
    Arena *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    a->limit = limit_bytes;
    return a;
}

/* Frees all blocks, but the oldest one when it is to be kept. */
static void blocks_free(Arena *a, bool keep_first)
{
    Block *b = a->current;

    while (b && (b->next || !keep_first)) {
        Block *next = b->next;
        free(b);
        b = next;
    }
    a->current = b;
}

Arena *arena_free(Arena *a)
{
    if (!a)
        return NULL;
    blocks_free(a, false);
    free(a);
    return NULL;
}

void arena_clear(Arena *a)
{
    blocks_free(a, true);
    if (a->current)
        a->current->used = 0;
    a->used = 0;
}

size_t arena_used_bytes(const Arena *a)
{
    return a->used;
}

static void *allocate(Arena *a, size_t size)
{
    size_t padded;

    if (__builtin_add_overflow(size, (size_t)(ARENA_ALIGN - 1), &padded))
        return NULL;
    padded &= ~(size_t)(ARENA_ALIGN - 1);
    Block *b = a->current;
    if (!b || b->size - b->used < padded) {
        bool large = padded > ARENA_BLOCK / 4;
        Block *fresh = block_new(large && b ? padded : padded > ARENA_BLOCK ? padded : ARENA_BLOCK);
        if (!fresh)
            return NULL;
        if (large && b) { /* behind the current one, which still has room */
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->current = fresh;
        }
        b = fresh;
    }
    void *p = b->bytes + b->used;
    b->used += padded;
    a->used += padded;
    memset(p, 0, padded);
    return p;
}

void *arena_alloc(Arena *a, size_t size)
{
    void *p = allocate(a, size);
    if (!p)
        abort();
    return p;
}

void *arena_try_alloc(Arena *a, size_t size)
{
    if (a->limit && (size > a->limit || a->used > a->limit - size))
        return NULL;
    return allocate(a, size);
}

Slice arena_dup(Arena *a, Slice s)
{
    if (!s.ptr)
        return s;
    char *p = arena_alloc(a, s.len + 1);
    if (s.len > 0)
        memcpy(p, s.ptr, s.len);
    return slice_from(p, s.len);
}

char *arena_strdup(Arena *a, const char *s)
{
    return (char *)(uintptr_t)arena_dup(a, slice_cstr(s)).ptr; /* ours: not const */
}

char *arena_printf(Arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        abort();
    char *p = arena_alloc(a, (size_t)length + 1);
    va_start(args, format);
    (void)vsnprintf(p, (size_t)length + 1, format, args); /* measured above */
    va_end(args);
    return p;
}
