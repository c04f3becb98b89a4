/* SPDX-License-Identifier: PostgreSQL */
/*
 * How fast the spool takes and gives batches on the disk at hand.
 *
 *   spool_bench [DIRECTORY [BATCHES [BYTES]]]     default: ., 2000 batches of 16 KiB (an hour's from 33 servers)
 *
 * Prints one line a step: batches per second, megabytes per second, and for appends the 50th, 95th and 99th percentile
 * and the worst time. An append is one write and one fsync; a turn is that with its baseline (one more fsync, and three
 * each time that a whole one is written).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/spool/baseline_log.h"
#include "collector/spool/spool.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "tests/support/scratch.h"

typedef struct Bench {
    Scratch server;
    BaselineLog *baselines;
    char *directory;
    uint64_t batches;
    uint64_t bytes;
    char *payload; /* random, as compressed bytes are */
    Usec *took;
    Spool *spool;
} Bench;

static void must(int r, const Err *err)
{
    if (r >= 0)
        return;
    (void)fprintf(stderr, "spool_bench: %s\n", err->detail);
    exit(1);
}

static int compare_usec(const void *a, const void *b)
{
    const Usec left = *(const Usec *)a;
    const Usec right = *(const Usec *)b;
    return left < right ? -1 : left > right;
}

static void report(const Bench *b, const char *what, Usec elapsed)
{
    const double seconds = (double)elapsed / (double)USEC_PER_SEC;
    printf("%-22s %10.0f batches/s %9.1f MB/s", what, (double)b->batches / seconds,
           (double)(b->batches * b->bytes) / seconds / 1e6);
}

/* The sorted times' @percent-th percentile. */
static double took_ms(const Bench *b, uint64_t percent)
{
    const uint64_t index = b->batches * percent / 100;
    return (double)b->took[index < b->batches ? index : b->batches - 1] / (double)USEC_PER_MSEC;
}

static void report_times(const Bench *b, const char *what, Usec elapsed)
{
    report(b, what, elapsed);
    qsort(b->took, b->batches, sizeof(Usec), compare_usec);
    printf("   p50 %6.2f  p95 %6.2f  p99 %6.2f  worst %6.2f ms\n", took_ms(b, 50), took_ms(b, 95), took_ms(b, 99),
           took_ms(b, 100));
}

static void open_spool(Bench *b)
{
    Err err = ERR_INIT;
    const SpoolOptions options = {.directory = b->directory,
                                  .max_bytes = b->batches * (b->bytes + 100) * 2 + (64u << 20),
                                  .max_batches = (uint32_t)b->batches * 2 + 100};
    must(spool_open(&b->spool, &options, &err), &err);
}

static void append_all(Bench *b, bool with_baseline)
{
    Err err = ERR_INIT;
    const Usec begin = clock_monotonic();
    for (uint64_t i = 0; i < b->batches; i++) {
        const Usec before = clock_monotonic();
        uint64_t sequence;
        must(spool_prepare(b->spool, &sequence, &err), &err);
        if (with_baseline)
            must(baseline_log_write(b->baselines, spool_id(b->spool), sequence, slice_from(b->payload, b->bytes), &err),
                 &err);
        must(spool_append(b->spool, WIRE_ZSTD, slice_from(b->payload, b->bytes), before, &err), &err);
        if (with_baseline)
            baseline_log_kept(b->baselines);
        b->took[i] = clock_monotonic() - before;
    }
    report_times(b, with_baseline ? "turn (with baseline)" : "append", clock_monotonic() - begin);
}

static void reopen(Bench *b)
{
    spool_close(b->spool);
    const Usec begin = clock_monotonic();
    open_spool(b);
    report(b, "open", clock_monotonic() - begin);
    printf("\n");
}

static void drain(Bench *b)
{
    Err err = ERR_INIT;
    Buf payload = BUF_INIT;
    WireEncoding encoding;
    uint64_t sequence;
    const Usec begin = clock_monotonic();
    for (int r; (r = spool_peek(b->spool, &payload, &encoding, &sequence, &err)) != SPOOL_EMPTY;) {
        must(r, &err);
        must(spool_ack(b->spool, sequence, &err), &err);
    }
    report(b, "drain (peek and ack)", clock_monotonic() - begin);
    printf("\n");
    buf_done(&payload);
}

static uint64_t number(int argc, char **argv, int index, uint64_t otherwise)
{
    uint64_t value;
    if (argc <= index)
        return otherwise;
    if (!slice_to_uint64(slice_cstr(argv[index]), &value) || value == 0 || value > 1000000) {
        (void)fprintf(stderr, "spool_bench: \"%s\" is not a number from 1 to 1000000\n", argv[index]);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    Bench b = {.batches = number(argc, argv, 2, 2000), .bytes = number(argc, argv, 3, 16 << 10)};
    b.server = scratch_make(argc > 1 ? argv[1] : ".");
    Buf directory = scratch_path(&b.server, "spool");
    b.directory = buf_take(&directory);
    b.baselines = baseline_log_new(b.server.path);
    b.payload = mem_alloc(b.bytes);
    random_bytes(b.payload, b.bytes);
    b.took = mem_alloc_array(sizeof(Usec), b.batches);

    printf("%" PRIu64 " batches of %" PRIu64 " bytes in %s\n", b.batches, b.bytes, b.server.path);
    open_spool(&b);
    append_all(&b, false);
    reopen(&b);
    drain(&b);
    append_all(&b, true);
    drain(&b);
    spool_close(b.spool);
    baseline_log_free(b.baselines);
    scratch_remove(&b.server);
    free(b.took);
    free(b.payload);
    free(b.directory);
    return 0;
}
