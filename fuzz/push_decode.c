/* SPDX-License-Identifier: PostgreSQL */
/* Push bodies: what the decoder accepts is written by the encoder and read back the same. */
#include <stdint.h>
#include <stdio.h>

#include "tests/unit/lib/wire/push_batches.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(arena_freep) Arena *arena = arena_new((size_t)256 << 20);
    _cleanup_buf_ Buf text = BUF_INIT;
    PushBatch batch, back;
    Err err = ERR_INIT;

    if (push_decode(slice_from(data, size), arena, &batch, &err) < 0) {
        if (err.code == ERR_NONE || err.detail[0] == '\0')
            abort(); /* refused without a reason */
        return 0;
    }
    push_encode(&batch, &text);
    int r = push_decode(buf_slice(&text), arena, &back, &err);
    const char *difference = r < 0 ? err.detail : push_batches_difference(&batch, &back);
    if (difference) {
        (void)fprintf(stderr, "%s in %s\n", difference, buf_cstr(&text));
        abort();
    }
    return 0;
}
