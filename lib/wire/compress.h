#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Content encodings with an output cap. Whole buffers; any thread. */
#include "lib/base/buf.h"
#include "lib/base/err.h"

typedef enum WireEncoding { WIRE_IDENTITY, WIRE_GZIP, WIRE_ZSTD, _WIRE_ENCODING_MAX } WireEncoding;

const char *wire_encoding_to_string(WireEncoding e);        /* as in Content-Encoding */
bool wire_encoding_from_string(Slice s, WireEncoding *ret); /* case-insensitive; "" and "identity" are IDENTITY */

/* Appends. zstd level 1, gzip by libdeflate level 3. */
int wire_compress(WireEncoding encoding, Slice bytes, Buf *out, Err *reterr) MUST_CHECK;
/* zstd at half the time and a few per cent more bytes: for what is written often and read once at most. */
int wire_compress_quickly(Slice bytes, Buf *out, Err *reterr) MUST_CHECK;
/* Appends at most @limit bytes: more is ERR_TOO_LARGE however small the input; damaged input is ERR_BODY_INVALID.
 * gzip: concatenated members are read; the trailer's size is not believed. zstd: several frames, window <= 8 MiB. */
int wire_decompress(WireEncoding encoding, Slice bytes, size_t limit, Buf *out, Err *reterr) MUST_CHECK;
