/* SPDX-License-Identifier: PostgreSQL */
/* Allocation that aborts when memory ends. Stateless, any thread. */
#include "lib/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
    if (!p)
        abort(); /* GCOV_EXCL_LINE: a process that cannot get a few bytes has nothing left to do */
    return p;
}

void *mem_alloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_alloc_array(size_t item_size, size_t n)
{
    return checked(calloc(n ? n : 1, item_size ? item_size : 1));
}

void *mem_realloc(void *p, size_t size)
{
    return checked(realloc(p, size ? size : 1));
}

char *mem_strdup(const char *s)
{
    return s ? mem_dup(s, strlen(s)) : NULL;
}

char *mem_dup(const void *bytes, size_t len)
{
    char *copy = mem_realloc(NULL, len + 1);
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}
