/* SPDX-License-Identifier: PostgreSQL */
/*
 * Every write, fsync, rename, open and truncate of a spool's life fails in turn: alone, for a while, and followed by a
 * crash. Afterwards nothing that was appended is missing, no increase is lost, none is counted twice.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/io/file.h"
#include "tests/fault/turns.h"
#include "tests/support/scratch_fixture.h"

/* The calls from number .first on fail, .count of them; which call it is, the loop over .first sees to. */
typedef struct Fault {
    unsigned first;
    unsigned count;
    int number;
    unsigned seen;
    unsigned fired;
} Fault;

static int fault_some(void *arg, IoCall call)
{
    (void)call;
    Fault *f = arg;
    const unsigned n = f->seen++;
    if (n < f->first || n - f->first >= f->count)
        return 0;
    f->fired++;
    return f->number;
}

typedef struct Variant {
    const char *name;
    unsigned count; /* calls that fail in a row */
    int number;
    bool crash;           /* at the first failure that the collector is told of, it dies */
    uint32_t max_batches; /* 0: roomy; else oldest are given up */
} Variant;

static const Variant variants[] = {
    {"one call", 1, EIO, false, 0},
    {"one call, then a crash", 1, EIO, true, 0},
    {"disk full for three calls", 3, ENOSPC, false, 0},
    {"a bad stretch", 7, EIO, false, 0},
    {"a bad stretch, then a crash", 7, EIO, true, 0},
    {"disk full for long", 40, ENOSPC, false, 0},
    {"one call, small bounds", 1, EIO, false, 3},
    {"a bad stretch, small bounds, then a crash", 7, EIO, true, 3},
};

typedef struct Run {
    const Variant *variant;
    unsigned first; /* call at which it happens */
    const char *directory;
    Turns turns;
    bool open;
    Ledger ledger;
    int64_t reading;
    int64_t first_kept;
    int64_t kept; /* reading of the last turn that was told to be kept */
    unsigned kept_turns;
} Run;

static void reopen(Run *run)
{
    if (run->open)
        turns_close(&run->turns); /* writes nothing: the same as a crash */
    run->open = turns_open(&run->turns, run->directory, 1 << 20, run->variant->max_batches, NULL) == 0;
}

static void take_turn(Run *run)
{
    run->reading++;
    if (!run->open)
        reopen(run); /* the collector tries again */
    if (!run->open)
        return;
    if (turns_take(&run->turns, run->reading, NULL) == 0) {
        run->kept = run->reading;
        run->first_kept = run->first_kept ? run->first_kept : run->reading;
        run->kept_turns++;
    } else if (run->variant->crash) {
        reopen(run);
    }
}

static void deliver(Run *run, bool acknowledge)
{
    if (run->open && deliver_one(&run->turns, &run->ledger, acknowledge) == -EBADMSG)
        fail_msg("%s, call %u: an increase was counted twice", run->variant->name, run->first);
}

/* A life with everything in it: first start, turns, deliveries, a batch sent and not acknowledged, restarts. */
static void live(Run *run)
{
    reopen(run);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 4; i++)
            take_turn(run);
        deliver(run, true);
        take_turn(run);
        deliver(run, false);
        reopen(run);
        deliver(run, true);
        deliver(run, true);
    }
}

/* What holds once the disk is well again, or the machine is up. */
static void check_aftermath(Run *run)
{
    reopen(run);
    if (!run->open)
        fail_msg("%s, call %u: cannot be opened", run->variant->name, run->first);
    take_turn(run);
    assert_int_equal(run->kept, run->reading);
    for (int r; (r = deliver_one(&run->turns, &run->ledger, true)) != SPOOL_EMPTY;)
        if (r < 0)
            fail_msg("%s, call %u: an increase was counted twice", run->variant->name, run->first);
    SpoolStats stats;
    spool_stats(run->turns.spool, &stats);
    turns_close(&run->turns);
    run->open = false;

    const Ledger *l = &run->ledger;
    assert_int_equal(l->counted_to, run->kept);
    if (l->batches + stats.dropped_batches < run->kept_turns)
        fail_msg("%s, call %u: %u batches kept, %u delivered, %" PRIu64 " given up", run->variant->name, run->first,
                 run->kept_turns, l->batches, stats.dropped_batches);
    if (run->variant->max_batches > 0)
        return;
    /* The first batch begins the counting ("gap"); from there on nothing may be missing. */
    if (stats.dropped_batches > 0 || l->gaps != 1 || l->lost > run->first_kept)
        fail_msg("%s, call %u: %u gaps, %" PRId64 " lost, first reading %" PRId64, run->variant->name, run->first,
                 l->gaps, l->lost, run->first_kept);
}

static void every_call_fails_in_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(variants); i++) {
        const Variant *variant = &variants[i];
        unsigned fired = 1;
        unsigned first;
        for (first = 0; fired > 0; first++) {
            scratch_remove(&scratch);
            Fault fault = {.first = first, .count = variant->count, .number = variant->number};
            Run run = {.variant = variant, .first = first, .directory = scratch.path};
            io_fault_set(fault_some, &fault);
            live(&run);
            io_fault_set(NULL, NULL);
            fired = fault.fired;
            check_aftermath(&run);
        }
        print_message("%s: %u calls\n", variant->name, first - 1);
        assert_true(first > 100);
    }
}

/* --- power cuts ------------------------------------------------------------------------------------------------- */

/*
 * Before every call the power goes, and what the disk holds is one of two: all that was written, or only what was
 * there after the last fsync that succeeded. (The truth is in between; the spool must live with either.)
 */
typedef struct PowerCut {
    Run *run;
    Scratch synced; /* as it was after the last fsync */
    Scratch work;
    unsigned calls;
    bool after_fsync;
    bool inside;
} PowerCut;

static void copy_state(const char *from, const char *to)
{
    static const char *const levels[] = {"", "/servers", "/servers/main", "/servers/main/spool"};
    for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
        Buf source = BUF_INIT;
        Buf target = BUF_INIT;
        buf_printf(&source, "%s%s", from, levels[i]);
        buf_printf(&target, "%s%s", to, levels[i]);
        if (file_exists(buf_cstr(&source)))
            scratch_copy(buf_cstr(&source), buf_cstr(&target));
        buf_done(&source);
        buf_done(&target);
    }
}

static void check_after_power_cut(const PowerCut *cut, const char *disk)
{
    Scratch work = cut->work;
    scratch_remove(&work);
    copy_state(disk, work.path);
    Run after = *cut->run; /* what was delivered and kept so far stays so */
    after.directory = work.path;
    after.first = cut->calls;
    after.open = false;
    check_aftermath(&after);
}

static int cut_power(void *arg, IoCall call)
{
    PowerCut *cut = arg;
    if (cut->inside)
        return 0;
    cut->inside = true;
    if (cut->after_fsync) {
        scratch_remove(&cut->synced);
        copy_state(cut->run->directory, cut->synced.path);
    }
    cut->after_fsync = call == IO_CALL_FSYNC;
    check_after_power_cut(cut, cut->run->directory);
    check_after_power_cut(cut, cut->synced.path);
    cut->calls++;
    cut->inside = false;
    return 0;
}

static void power_cut_before_every_call_loses_nothing(void **state)
{
    (void)state;
    static const Variant roomy = {.name = "power cut"};
    Run run = {.variant = &roomy, .directory = scratch.path};
    PowerCut cut = {.run = &run, .synced = scratch_make_fast(), .work = scratch_make_fast()};
    io_fault_set(cut_power, &cut);
    live(&run);
    io_fault_set(NULL, NULL);
    print_message("power cut: %u calls\n", cut.calls);
    assert_true(cut.calls > 100);
    turns_close(&run.turns);
    scratch_remove(&cut.synced);
    scratch_remove(&cut.work);
}

/* --- a disk that is really full --------------------------------------------------------------------------------- */

enum { DISK_BYTES = 256 << 10 };

static bool mount_disk(void)
{
    char options[64];
    (void)snprintf(options, sizeof(options), "size=%d", DISK_BYTES);
    return mount("tmpfs", scratch.path, "tmpfs", 0, options) == 0;
}

static void full_disk_loses_nothing_and_drains(void **state)
{
    (void)state;
    if (!mount_disk()) {
        print_message("no tmpfs can be mounted here (%s): skipped\n", strerror(errno));
        skip();
    }
    Turns turns;
    Ledger ledger = {0};
    Err err = ERR_INIT;
    assert_int_equal(turns_open(&turns, scratch.path, 0, 0, &err), 0);
    int64_t reading = 0;
    int64_t kept = 0;
    unsigned failures = 0;
    while (failures < 50) { /* full, and stays so */
        if (turns_take(&turns, ++reading, &err) == 0) {
            kept = reading;
            assert_int_equal(failures, 0);
        } else {
            assert_int_equal(err.code, ERR_DISK_FULL);
            failures++;
        }
    }
    assert_true(kept > 500);

    /* A restart on the full disk finds everything. */
    turns_close(&turns);
    assert_int_equal(turns_open(&turns, scratch.path, 0, 0, &err), 0);
    SpoolStats stats;
    spool_stats(turns.spool, &stats);
    assert_int_equal(stats.batches, kept);

    /* The backend is back: draining needs no space, and frees it. */
    while (deliver_one(&turns, &ledger, true) == SPOOL_OK)
        ;
    assert_int_equal(ledger.counted_to, kept);
    assert_int_equal(turns_take(&turns, ++reading, &err), 0);
    assert_int_equal(deliver_one(&turns, &ledger, true), SPOOL_OK);
    assert_int_equal(ledger.counted_to, reading); /* what happened while it was full is in that batch */
    assert_int_equal(ledger.gaps, 1);
    assert_int_equal(ledger.lost, 1); /* the first reading, from which counting began */
    turns_close(&turns);
    assert_int_equal(umount(scratch.path), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_fast, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_call_fails_in_turn),
        TEST(power_cut_before_every_call_loses_nothing),
        TEST(full_disk_loses_nothing_and_drains),
    };
    log_set_level(LOG_LEVEL_ERROR); /* failures are the point here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
