/* SPDX-License-Identifier: PostgreSQL */
/* Growth of typed arrays; the rest is in the macro. Stateless. */
#include "lib/base/vec.h"

enum { VEC_FIRST = 8 };

void *vec_grow(void *items, size_t *capacity, size_t needed, size_t item_size)
{
    size_t doubled = *capacity < VEC_FIRST ? VEC_FIRST : *capacity * 2;
    size_t wanted = doubled > needed ? doubled : needed;
    void *grown = reallocarray(items, wanted, item_size);
    if (!grown)
        abort(); /* GCOV_EXCL_LINE: the caller bounded it, so memory has ended */
    *capacity = wanted;
    return grown;
}
