/* SPDX-License-Identifier: PostgreSQL */
/* A saved baseline: damaged bytes are refused, whole ones save to what loads again. */
#include <stdint.h>
#include <stdlib.h>

#include "collector/increase/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(delta_freep) Delta *d = delta_new();
    Err err = ERR_INIT;
    if (delta_load(d, slice_from(data, size), &err) < 0) {
        if (err.code != ERR_CORRUPT)
            abort();
        return 0;
    }
    _cleanup_buf_ Buf bytes = BUF_INIT;
    delta_save(d, &bytes);
    if (delta_load(d, buf_slice(&bytes), &err) < 0)
        abort();
    return 0;
}
