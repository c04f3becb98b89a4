/* SPDX-License-Identifier: PostgreSQL */
/*
 * Arena: a list of blocks, newest first; allocation moves a mark in the newest. Owned by one thread.
 * Invariants: the last block of the list is the first one made and survives arena_clear(); block sizes double up to
 * BLOCK_MAX; what is larger than a block gets one of its own. With the address sanitizer everything behind the mark is
 * poisoned, so reading what arena_clear() took away is reported like a use after free.
 */
#include "lib/base/arena.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONED 1
#endif
#endif

#ifdef ARENA_POISONED
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGNMENT = 16, BLOCK_FIRST = 1024, BLOCK_MAX = 64 * 1024 };

typedef struct Block {
    struct Block *older;
    size_t size; /* of bytes[] */
    size_t used;
    _Alignas(ALIGNMENT) char bytes[];
} Block;

struct Arena {
    Block *newest;
    size_t limit; /* 0: none */
    size_t used;  /* over all blocks, alignment included */
};

/* Makes a block that holds @size the newest. False when memory ends. */
static bool add_block(Arena *a, size_t size)
{
    size_t wanted = a->newest ? a->newest->size * 2 : BLOCK_FIRST;
    if (wanted > BLOCK_MAX)
        wanted = BLOCK_MAX;
    if (wanted < size)
        wanted = size;
    Block *b = malloc(sizeof(*b) + wanted);
    if (!b)
        return false; /* GCOV_EXCL_LINE: memory has ended */
    *b = (Block){.older = a->newest, .size = wanted};
    POISON(b->bytes, b->size);
    a->newest = b;
    return true;
}

Arena *arena_new(size_t limit_bytes)
{
    Arena *a = mem_alloc(sizeof(*a));
    a->limit = limit_bytes;
    return a;
}

Arena *arena_free(Arena *a)
{
    if (!a)
        return NULL;
    while (a->newest) {
        Block *b = a->newest;
        a->newest = b->older;
        free(b);
    }
    free(a);
    return NULL;
}

void arena_clear(Arena *a)
{
    while (a->newest && a->newest->older) {
        Block *b = a->newest;
        a->newest = b->older;
        free(b);
    }
    if (a->newest) {
        a->newest->used = 0;
        POISON(a->newest->bytes, a->newest->size);
    }
    a->used = 0;
}

size_t arena_used_bytes(const Arena *a)
{
    return a->used;
}

/* Memory that holds whatever it held; NULL when memory ends. */
static void *take_room(Arena *a, size_t size)
{
    if (size > (size_t)PTRDIFF_MAX / 2)
        return NULL; /* no allocator gives that, and rounding up must not wrap */
    size_t rounded = ((size ? size : 1) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if ((!a->newest || a->newest->size - a->newest->used < rounded) && !add_block(a, rounded))
        return NULL; /* GCOV_EXCL_LINE: memory has ended */
    Block *b = a->newest;
    char *p = b->bytes + b->used;
    b->used += rounded;
    a->used += rounded;
    UNPOISON(p, size);
    return p;
}

static void *take(Arena *a, size_t size)
{
    void *p = take_room(a, size);
    return p ? memset(p, 0, size) : NULL;
}

void *arena_alloc(Arena *a, size_t size)
{
    void *p = take(a, size);
    if (!p)
        abort(); /* GCOV_EXCL_LINE: the caller bounded it, so memory has ended */
    return p;
}

void *arena_alloc_array(Arena *a, size_t item_size, size_t n)
{
    size_t size;
    bool overflow = __builtin_mul_overflow(item_size, n, &size);
    return arena_alloc(a, overflow ? SIZE_MAX : size);
}

void *arena_try_alloc(Arena *a, size_t size)
{
    if (a->limit > 0 && (a->used > a->limit || size > a->limit - a->used))
        return NULL;
    return take(a, size);
}

char *arena_room(Arena *a, size_t size)
{
    char *p = take_room(a, size);
    if (!p)
        abort(); /* GCOV_EXCL_LINE: as in arena_alloc() */
    return p;
}

Slice arena_dup(Arena *a, Slice s)
{
    if (!s.ptr)
        return SLICE_NULL;
    char *copy = arena_room(a, s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return slice_from(copy, s.len);
}

char *arena_strdup(Arena *a, const char *s)
{
    if (!s)
        return NULL;
    size_t size = strlen(s) + 1;
    return memcpy(arena_alloc(a, size), s, size);
}

char *arena_printf(Arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0); /* only wide characters and INT_MAX can fail, and we print neither */
    char *text = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
