/* SPDX-License-Identifier: PostgreSQL */
/* Growing arrays: see vec.h. */
#include "lib/base/vec.h"

enum { VEC_FIRST = 8 };

void *vec_grow(void *items, size_t *capacity, size_t needed, size_t item_size)
{
    size_t wanted = *capacity ? *capacity * 2 : VEC_FIRST, bytes;

    if (wanted < needed)
        wanted = needed;
    if (__builtin_mul_overflow(wanted, item_size, &bytes))
        abort();
    void *grown = realloc(items, bytes);
    if (!grown)
        abort();
    *capacity = wanted;
    return grown;
}
