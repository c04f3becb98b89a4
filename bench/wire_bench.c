/* SPDX-License-Identifier: PostgreSQL */
/*
 * How fast the push format is: one batch of a busy server (1,150 rows, 25,600 values), encoded, compressed,
 * decompressed and decoded, on one thread. Prints one JSON object; MB are of JSON text, for every step.
 */
#include <stdio.h>

#include "lib/wire/compress.h"
#include "tests/unit/lib/wire/push_batches.h"

enum { WARM_UP = 5 };
#define MEASURE (USEC_PER_SEC / 2)

typedef struct Bench {
    PushBatch batch;
    Buf text;
    Buf packed[_WIRE_ENCODING_MAX];
    WireEncoding encoding; /* of the step that runs */
} Bench;

static void step_encode(Bench *bench)
{
    buf_clear(&bench->text);
    push_encode(&bench->batch, &bench->text);
}

static void step_decode(Bench *bench)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushBatch back;

    if (push_decode(buf_slice(&bench->text), arena, &back, NULL) < 0)
        abort();
}

static void step_compress(Bench *bench)
{
    Buf *packed = &bench->packed[bench->encoding];

    buf_clear(packed);
    if (wire_compress(bench->encoding, buf_slice(&bench->text), packed, NULL) < 0)
        abort();
}

static void step_decompress(Bench *bench)
{
    _cleanup_buf_ Buf out = BUF_INIT;

    if (wire_decompress(bench->encoding, buf_slice(&bench->packed[bench->encoding]), WIRE_TEXT_MAX, &out, NULL) < 0)
        abort();
}

/* Repeats the step for half a second; microseconds of the fastest run, which nothing else disturbed. */
static double measure(Bench *bench, void (*step)(Bench *))
{
    for (int i = 0; i < WARM_UP; i++)
        step(bench);
    Usec start = clock_monotonic(), best = USEC_NEVER, end = start + MEASURE;
    for (Usec before = start, after; before < end; before = after) {
        step(bench);
        after = clock_monotonic();
        if (after - before < best)
            best = after - before;
    }
    return (double)(best > 0 ? best : 1);
}

static void report(const char *name, const Bench *bench, double usec, const char *end)
{
    (void)printf("  \"%s\": {\"usec\": %.0f, \"mb_per_s\": %.0f}%s\n", name, usec, (double)bench->text.len / usec, end);
}

int main(void)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Bench bench = {.batch = push_batches_realistic(1, arena)};
    size_t rows = 0, values = 0;

    for (size_t i = 0; i < bench.batch.frame_count; i++) {
        rows += bench.batch.frames[i].row_count;
        values += bench.batch.frames[i].row_count * bench.batch.frames[i].column_count;
    }
    step_encode(&bench);
    (void)printf("{\n  \"rows\": %zu, \"values\": %zu, \"json_bytes\": %zu,\n", rows, values, bench.text.len);
    report("encode", &bench, measure(&bench, step_encode), ",");
    report("decode", &bench, measure(&bench, step_decode), ",");
    for (bench.encoding = WIRE_GZIP; bench.encoding < _WIRE_ENCODING_MAX; bench.encoding++) {
        const char *name = wire_encoding_to_string(bench.encoding);
        char title[32];
        (void)snprintf(title, sizeof title, "%s_compress", name);
        report(title, &bench, measure(&bench, step_compress), ",");
        (void)snprintf(title, sizeof title, "%s_decompress", name);
        report(title, &bench, measure(&bench, step_decompress), ",");
        (void)printf("  \"%s_bytes\": %zu%s\n", name, bench.packed[bench.encoding].len,
                     bench.encoding + 1 < _WIRE_ENCODING_MAX ? "," : "");
    }
    (void)printf("}\n");
    for (int i = 0; i < _WIRE_ENCODING_MAX; i++)
        buf_done(&bench.packed[i]);
    buf_done(&bench.text);
    return 0;
}
