/* SPDX-License-Identifier: PostgreSQL */
/*
 * Content encodings: see compress.h. Invariants of decompression: memory grows with what was really produced (a size
 * that the input claims is a hint at most, capped by what an input of its length can expand to), never more than the
 * limit is produced, and on failure nothing was appended.
 */
#include "lib/wire/compress.h"

#include <errno.h>
#include <libdeflate.h>
#include <strings.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    ZSTD_LEVEL = 1,
    ZSTD_LEVEL_QUICK = -5,
    ZSTD_WINDOW_LOG_MAX = 23, /* 8 MiB */
    GZIP_LEVEL = 3,
    GZIP_TRAILER = 8,
    DEFLATE_RATIO_MAX = 1032, /* no deflate stream expands more */
    OUTPUT_FIRST = 16 << 10,
};

static const char *const encoding_names[_WIRE_ENCODING_MAX] = {
    [WIRE_IDENTITY] = "identity",
    [WIRE_GZIP] = "gzip",
    [WIRE_ZSTD] = "zstd",
};

const char *wire_encoding_to_string(WireEncoding e)
{
    return (unsigned)e < _WIRE_ENCODING_MAX ? encoding_names[e] : "unknown";
}

bool wire_encoding_from_string(Slice s, WireEncoding *ret)
{
    if (s.len == 0) {
        *ret = WIRE_IDENTITY;
        return true;
    }
    for (size_t i = 0; i < _WIRE_ENCODING_MAX; i++)
        if (s.len == strlen(encoding_names[i]) && strncasecmp(s.ptr, encoding_names[i], s.len) == 0) {
            *ret = (WireEncoding)i;
            return true;
        }
    return false;
}

static struct libdeflate_compressor *gzip_compressor_free(struct libdeflate_compressor *c)
{
    libdeflate_free_compressor(c);
    return NULL;
}
DEFINE_CLEANUP(struct libdeflate_compressor *, gzip_compressor_free)

static struct libdeflate_decompressor *gzip_decompressor_free(struct libdeflate_decompressor *d)
{
    libdeflate_free_decompressor(d);
    return NULL;
}
DEFINE_CLEANUP(struct libdeflate_decompressor *, gzip_decompressor_free)

static ZSTD_DCtx *zstd_decompressor_free(ZSTD_DCtx *d)
{
    (void)ZSTD_freeDCtx(d); /* cannot fail */
    return NULL;
}
DEFINE_CLEANUP(ZSTD_DCtx *, zstd_decompressor_free)

/* GCOV_EXCL_START: the libraries' own allocations cannot be made to fail in a test */
static int out_of_memory(Err *reterr)
{
    return err_set(reterr, ERR_OUT_OF_MEMORY, "no memory to compress or decompress");
}
/* GCOV_EXCL_STOP */

static int above_limit(size_t limit, Err *reterr)
{
    return err_set(reterr, ERR_TOO_LARGE, "the body is larger than %zu bytes when decompressed", limit);
}

static int reserve(Buf *out, size_t more, Err *reterr)
{
    int r = buf_try_reserve(out, more);
    if (r == -E2BIG)
        return err_set(reterr, ERR_TOO_LARGE, "the output is larger than %zu bytes", out->limit);
    return r < 0 ? out_of_memory(reterr) : 0;
}

/* Room behind the bytes of @out, the one for the final NUL kept back. */
static size_t room(const Buf *out)
{
    return out->capacity > out->len ? out->capacity - out->len - 1 : 0;
}

static void set_length(Buf *out, size_t length)
{
    out->len = length;
    if (out->ptr)
        out->ptr[length] = '\0';
}

static int compress_gzip(Slice bytes, Buf *out, Err *reterr)
{
    _cleanup_(gzip_compressor_freep) struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (!c)
        return out_of_memory(reterr); /* GCOV_EXCL_LINE */
    int r = reserve(out, libdeflate_gzip_compress_bound(c, bytes.len), reterr);
    if (r < 0)
        return r;
    size_t n = libdeflate_gzip_compress(c, bytes.ptr, bytes.len, out->ptr + out->len, room(out));
    if (n == 0)
        return err_set(reterr, ERR_INTERNAL, "gzip failed on %zu bytes", bytes.len); /* GCOV_EXCL_LINE: there is room */
    set_length(out, out->len + n);
    return 0;
}

static int compress_zstd(Slice bytes, int level, Buf *out, Err *reterr)
{
    int r = reserve(out, ZSTD_compressBound(bytes.len), reterr);
    if (r < 0)
        return r;
    size_t n = ZSTD_compress(out->ptr + out->len, room(out), bytes.ptr, bytes.len, level);
    if (ZSTD_isError(n))
        return err_set(reterr, ERR_INTERNAL, "zstd failed: %s", ZSTD_getErrorName(n)); /* GCOV_EXCL_LINE: likewise */
    set_length(out, out->len + n);
    return 0;
}

static int append_identity(Slice bytes, Buf *out, Err *reterr)
{
    int r = reserve(out, bytes.len, reterr);
    if (r == 0)
        buf_append(out, bytes);
    return r;
}

int wire_compress_quickly(Slice bytes, Buf *out, Err *reterr)
{
    return compress_zstd(bytes, ZSTD_LEVEL_QUICK, out, reterr);
}

int wire_compress(WireEncoding encoding, Slice bytes, Buf *out, Err *reterr)
{
    switch (encoding) {
    case WIRE_GZIP:
        return compress_gzip(bytes, out, reterr);
    case WIRE_ZSTD:
        return compress_zstd(bytes, ZSTD_LEVEL, out, reterr);
    case WIRE_IDENTITY:
    case _WIRE_ENCODING_MAX:
        break;
    }
    return append_identity(bytes, out, reterr);
}

/* The size that the last member's trailer claims, as a first guess of how much memory is needed. */
static size_t gzip_size_hint(Slice bytes)
{
    size_t most = bytes.len * DEFLATE_RATIO_MAX, claimed = 0;

    if (bytes.len < GZIP_TRAILER)
        return OUTPUT_FIRST;
    for (size_t i = 0; i < 4; i++)
        claimed |= (size_t)(unsigned char)bytes.ptr[bytes.len - 4 + i] << (8 * i);
    return claimed < most ? claimed : most;
}

/* One member from the front of *@rest. @start is where the output began, for the limit. */
static int decompress_gzip_member(struct libdeflate_decompressor *d, Slice *rest, size_t start, size_t limit, Buf *out,
                                  Err *reterr)
{
    for (;;) {
        size_t allowed = limit - (out->len - start), available = room(out) < allowed ? room(out) : allowed;
        size_t used = 0, produced = 0;
        enum libdeflate_result result =
            libdeflate_gzip_decompress_ex(d, rest->ptr, rest->len, out->ptr + out->len, available, &used, &produced);
        if (result == LIBDEFLATE_SUCCESS) {
            set_length(out, out->len + produced);
            *rest = slice_skip(*rest, used);
            return 0;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return err_set(reterr, ERR_BODY_INVALID, "the gzip data is damaged or cut short");
        if (available == allowed)
            return above_limit(limit, reterr);
        size_t wanted = available < OUTPUT_FIRST ? OUTPUT_FIRST : available * 2;
        int r = reserve(out, wanted < allowed ? wanted : allowed, reterr);
        if (r < 0)
            return r; /* GCOV_EXCL_LINE: out of memory */
    }
}

static int decompress_gzip(Slice bytes, size_t limit, Buf *out, Err *reterr)
{
    _cleanup_(gzip_decompressor_freep) struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return out_of_memory(reterr); /* GCOV_EXCL_LINE */
    size_t start = out->len, hint = gzip_size_hint(bytes);
    int r = reserve(out, hint < limit ? hint : limit, reterr);
    if (r < 0)
        return r; /* GCOV_EXCL_LINE: out of memory */
    do
        r = decompress_gzip_member(d, &bytes, start, limit, out, reterr);
    while (r == 0 && bytes.len > 0);
    return r;
}

static int zstd_fault(size_t code, Err *reterr)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(reterr, ERR_TOO_LARGE, "the zstd data needs a window of more than %d MiB",
                       1 << (ZSTD_WINDOW_LOG_MAX - 20));
    if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
        return out_of_memory(reterr); /* GCOV_EXCL_LINE */
    return err_set(reterr, ERR_BODY_INVALID, "the zstd data is damaged: %s", ZSTD_getErrorName(code));
}

/* The size that the frame's header claims, as a first guess. A block of 128 KiB can stand in four bytes. */
static size_t zstd_size_hint(Slice bytes)
{
    unsigned long long claimed = ZSTD_getFrameContentSize(bytes.ptr, bytes.len);

    if (claimed == ZSTD_CONTENTSIZE_UNKNOWN || claimed == ZSTD_CONTENTSIZE_ERROR)
        return OUTPUT_FIRST;
    unsigned long long most = (unsigned long long)bytes.len << 15;
    return (size_t)(claimed < most ? claimed : most);
}

static int decompress_zstd(Slice bytes, size_t limit, Buf *out, Err *reterr)
{
    _cleanup_(zstd_decompressor_freep) ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!d || ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)))
        return out_of_memory(reterr); /* GCOV_EXCL_LINE */
    size_t start = out->len, wanted = zstd_size_hint(bytes), left = 1;
    ZSTD_inBuffer in = {.src = bytes.ptr, .size = bytes.len};

    while (in.pos < in.size || left != 0) {
        size_t allowed = limit - (out->len - start);
        int r = reserve(out, wanted < allowed ? wanted : allowed, reterr);
        if (r < 0)
            return r;
        char probe = 0; /* with no room left, a byte more shows that there is more than the limit */
        bool at_limit = allowed == 0;
        ZSTD_outBuffer to = {.dst = at_limit ? &probe : out->ptr + out->len,
                             .size = at_limit              ? 1
                                     : room(out) < allowed ? room(out)
                                                           : allowed};
        size_t before = in.pos;
        left = ZSTD_decompressStream(d, &to, &in);
        if (ZSTD_isError(left))
            return zstd_fault(left, reterr);
        if (at_limit && to.pos > 0)
            return above_limit(limit, reterr);
        if (in.pos == before && to.pos == 0)
            return err_set(reterr, ERR_BODY_INVALID, "the zstd data is cut short");
        set_length(out, out->len + to.pos);
        wanted = OUTPUT_FIRST < out->len - start ? out->len - start : OUTPUT_FIRST;
    }
    return 0;
}

int wire_decompress(WireEncoding encoding, Slice bytes, size_t limit, Buf *out, Err *reterr)
{
    size_t before = out->len;
    int r;

    if (out->limit && limit > out->limit - before)
        limit = out->limit - before;
    if (encoding == WIRE_IDENTITY)
        return bytes.len > limit ? above_limit(limit, reterr) : append_identity(bytes, out, reterr);
    if (bytes.len == 0)
        return err_set(reterr, ERR_BODY_INVALID, "the %s data is empty", wire_encoding_to_string(encoding));
    r = encoding == WIRE_GZIP ? decompress_gzip(bytes, limit, out, reterr) : decompress_zstd(bytes, limit, out, reterr);
    if (r < 0)
        set_length(out, before);
    return r;
}
