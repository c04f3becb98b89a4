/* SPDX-License-Identifier: PostgreSQL */
/*
 * Content encodings. The first byte chooses: 0 gzip, 1 zstd: the rest is decompressed; 2 gzip, 3 zstd: the rest is
 * compressed and read back. Nothing may pass the limit, and a failure leaves nothing behind.
 */
#include <stdint.h>

#include "lib/wire/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 1 << 20 };

static void decompress(WireEncoding encoding, Slice bytes)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;

    buf_append_cstr(&out, "kept");
    int r = wire_decompress(encoding, bytes, OUTPUT_MAX, &out, &err);
    if (out.len > OUTPUT_MAX + 4 || out.capacity > 4 * OUTPUT_MAX || (r < 0 && (out.len != 4 || err.code == ERR_NONE)))
        abort();
}

static void round_trip(WireEncoding encoding, Slice bytes)
{
    _cleanup_buf_ Buf packed = BUF_INIT, back = BUF_INIT;

    if (wire_compress(encoding, bytes, &packed, NULL) < 0 ||
        wire_decompress(encoding, buf_slice(&packed), bytes.len, &back, NULL) < 0 || !slice_eq(buf_slice(&back), bytes))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Slice bytes = slice_from(data + 1, size - 1);
    WireEncoding encoding = data[0] & 1 ? WIRE_ZSTD : WIRE_GZIP;
    if (data[0] & 2)
        round_trip(encoding, bytes);
    else
        decompress(encoding, bytes);
    return 0;
}
