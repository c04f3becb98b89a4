/* SPDX-License-Identifier: PostgreSQL */
/*
 * A child process takes turns and delivers as fast as it can; the parent kills it at random moments, many times over.
 * What the child was told to be kept is delivered, every increase is counted once, and there is no gap but the first.
 * The child tells through a pipe: "A READING" after an append returned, "P BATCH" before a batch is acknowledged (the
 * parent, as the backend, has it then).
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "tests/fault/turns.h"

enum {
    ROUNDS = 200, /* PGA_LONG: 1,000 */
    ROUNDS_LONG = 1000,
    LIFE_MAX_MS = 25,
    SMALL_SEGMENTS = 64, /* batches at most: four a segment, so that segments come and go */
    WAITING_MAX = 40,    /* the child lets the backlog grow to this, so that nothing is given up */
};

static Scratch scratch;

/* --- the child -------------------------------------------------------------------------------------------------- */

typedef struct Child {
    Turns turns;
    int pipe;
} Child;

/* One write(2) of less than PIPE_BUF: never torn. The pipe going away means that the parent has failed. */
static void tell(int fd, const Buf *line)
{
    if (write(fd, line->ptr, line->len) != (ssize_t)line->len)
        _exit(2);
}

static void *child_deliver(void *arg)
{
    Child *c = arg;
    for (;;) {
        Buf payload = BUF_INIT;
        WireEncoding encoding;
        uint64_t sequence;
        const int r = spool_peek(c->turns.spool, &payload, &encoding, &sequence, NULL);
        if (r < 0)
            _exit(3);
        if (r == SPOOL_OK) {
            Buf line = BUF_INIT;
            buf_printf(&line, "P %s\n", buf_cstr(&payload));
            tell(c->pipe, &line);
            buf_done(&line);
            if (spool_ack(c->turns.spool, sequence, NULL) < 0)
                _exit(4);
        }
        buf_done(&payload);
    }
    return NULL;
}

static _Noreturn void child_live(int pipe_fd)
{
    Child c = {.pipe = pipe_fd};
    Err err = ERR_INIT;
    if (turns_open(&c.turns, scratch.path, 0, SMALL_SEGMENTS, &err) < 0) {
        (void)fprintf(stderr, "child: %s\n", err.detail);
        _exit(5);
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, child_deliver, &c) != 0)
        _exit(6);
    for (;;) {
        SpoolStats stats;
        spool_stats(c.turns.spool, &stats);
        if (stats.batches >= WAITING_MAX)
            continue;
        const int64_t reading = clock_monotonic(); /* goes on while nobody lives */
        if (turns_take(&c.turns, reading, &err) < 0)
            _exit(7);
        Buf line = BUF_INIT;
        buf_printf(&line, "A %" PRId64 "\n", reading);
        tell(c.pipe, &line);
        buf_done(&line);
    }
}

/* --- the parent ------------------------------------------------------------------------------------------------- */

typedef struct World {
    Ledger ledger;
    int64_t kept;
    unsigned turns;
} World;

/* Reads the pipe until @deadline (or its end when @deadline is USEC_NEVER) into @text. */
static void read_pipe(int fd, Usec deadline, Buf *text)
{
    for (;;) {
        const Usec left = deadline == USEC_NEVER ? 0 : deadline - clock_monotonic();
        if (left < 0)
            return;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        const struct timespec timeout = {.tv_sec = left / USEC_PER_SEC, .tv_nsec = left % USEC_PER_SEC * 1000};
        const int ready = ppoll(&p, 1, deadline == USEC_NEVER ? NULL : &timeout, NULL);
        if (ready <= 0)
            return;
        buf_reserve(text, 1 << 16);
        const ssize_t n = read(fd, text->ptr + text->len, 1 << 16);
        if (n <= 0)
            return;
        text->len += (size_t)n;
    }
}

static void take_lines(World *w, Slice text)
{
    while (text.len > 0) {
        const Slice line = slice_split(&text, '\n');
        if (line.len < 2)
            continue;
        Buf rest = BUF_INIT;
        buf_append(&rest, slice_skip(line, 2));
        if (line.ptr[0] == 'P')
            assert_true(ledger_push(&w->ledger, buf_cstr(&rest)));
        else
            assert_true(slice_to_int64(buf_slice(&rest), &w->kept));
        w->turns += line.ptr[0] == 'A';
        buf_done(&rest);
    }
}

static void live_and_be_killed(World *w)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child_live(ends[1]);
    }
    (void)close(ends[1]);

    Buf text = BUF_INIT;
    read_pipe(ends[0], clock_monotonic() + (Usec)random_below(LIFE_MAX_MS * 1000), &text);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended by itself: %d", WEXITSTATUS(status));
    read_pipe(ends[0], USEC_NEVER, &text);
    (void)close(ends[0]);
    take_lines(w, buf_slice(&text));
    buf_done(&text);
}

static void killed_at_any_moment_nothing_is_lost_or_repeated(void **state)
{
    (void)state;
    scratch = scratch_make_fast(); /* a kill, not a power cut: what a disk does is of no matter */
    World w = {.turns = 0};
    const unsigned rounds = getenv("PGA_LONG") ? ROUNDS_LONG : ROUNDS;
    for (unsigned i = 0; i < rounds; i++)
        live_and_be_killed(&w);

    Turns turns;
    assert_int_equal(turns_open(&turns, scratch.path, 0, SMALL_SEGMENTS, NULL), 0);
    assert_false(turns.gap);
    assert_int_equal(turns_take(&turns, clock_monotonic(), NULL), 0);
    SpoolStats stats;
    spool_stats(turns.spool, &stats);
    assert_int_equal(stats.dropped_batches, 0);
    for (int r; (r = deliver_one(&turns, &w.ledger, true)) != SPOOL_EMPTY;)
        assert_int_equal(r, SPOOL_OK);

    print_message("%u kills, %u turns kept, %u batches delivered, %u delivered again\n", rounds, w.turns,
                  w.ledger.batches, w.ledger.duplicates);
    assert_int_equal(w.ledger.counted_to, turns.base);
    assert_true(w.ledger.counted_to >= w.kept);
    assert_int_equal(w.ledger.gaps, 1); /* the first start */
    assert_true(w.ledger.batches >= w.turns);
    assert_true(w.turns > rounds);
    turns_close(&turns);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_nothing_is_lost_or_repeated),
    };
    log_set_level(LOG_LEVEL_ERROR); /* torn tails are the point here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
