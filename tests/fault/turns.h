#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A small world around spool and baseline, to see that no increase is lost and none counted twice (docs/spool.md,
 * section 6): a counter that only grows is read in turns as collector/agent/target.c does it, each batch carries the
 * increase since the reading before it, and a model of the backend adds up what is delivered to it.
 */
#include <errno.h>
#include <inttypes.h>

#include "collector/spool/baseline_log.h"
#include "collector/spool/spool.h"
#include "tests/support/scratch.h"

/* --- the collector's side --------------------------------------------------------------------------------------- */

typedef struct Turns {
    Spool *spool;
    BaselineLog *baselines;
    int64_t base; /* the reading from which the next increase counts */
    bool gap;     /* no baseline fitted: the next batch says so */
} Turns;

static inline UNUSED void turns_close(Turns *t)
{
    t->spool = spool_close(t->spool);
    t->baselines = baseline_log_free(t->baselines);
}

/* The whole is a reading, a change what to add to it. */
static inline UNUSED int turns_load(void *arg, Slice content, bool whole, Err *reterr)
{
    Turns *t = arg;
    int64_t number;
    if (!slice_to_int64(content, &number))
        return err_set(reterr, ERR_CORRUPT, "not a number");
    t->base = whole ? number : t->base + number;
    return 0;
}

static inline UNUSED int turns_open(Turns *t, const char *state_dir, uint64_t max_bytes, uint32_t max_batches,
                                    Err *reterr)
{
    *t = (Turns){.gap = true};
    Buf directory = BUF_INIT;
    buf_printf(&directory, "%s/servers/main", state_dir);
    t->baselines = baseline_log_new(buf_cstr(&directory));
    buf_append_cstr(&directory, "/spool");
    const SpoolOptions options = {
        .directory = buf_cstr(&directory), .max_bytes = max_bytes, .max_batches = max_batches};
    int r = spool_open(&t->spool, &options, reterr);
    buf_done(&directory);

    if (r == 0)
        r = baseline_log_read(t->baselines, spool_id(t->spool), spool_last_sequence(t->spool), turns_load, t, reterr);
    t->gap = r != BASELINE_OK;
    if (r < 0)
        turns_close(t);
    return r < 0 ? r : 0;
}

/* One turn with the counter at @reading. Failing: it changed nothing, the next turn counts from the same base. */
static inline UNUSED int turns_take(Turns *t, int64_t reading, Err *reterr)
{
    uint64_t sequence;
    int r = spool_prepare(t->spool, &sequence, reterr);
    if (r < 0)
        return r;
    Buf baseline = BUF_INIT;
    buf_append_int64(&baseline, baseline_log_wants_whole(t->baselines) ? reading : reading - t->base);
    r = baseline_log_write(t->baselines, spool_id(t->spool), sequence, buf_slice(&baseline), reterr);
    buf_done(&baseline);
    if (r < 0)
        return r;

    Buf batch = BUF_INIT;
    buf_printf(&batch, "%s %" PRIu64 " %" PRId64 " %" PRId64 " %d", spool_id(t->spool), sequence, t->base, reading,
               t->gap);
    r = spool_append(t->spool, WIRE_IDENTITY, buf_slice(&batch), reading, reterr);
    buf_done(&batch);
    if (r < 0)
        return r;
    baseline_log_kept(t->baselines);
    t->base = reading;
    t->gap = false;
    return 0;
}

/* --- the backend's side ----------------------------------------------------------------------------------------- */

typedef struct Ledger {
    char id[40];        /* the spool that was seen last; a spool that was left is never seen again */
    uint64_t position;  /* highest sequence of it */
    int64_t counted_to; /* every increase up to this reading was counted once */
    int64_t lost;       /* increases that nobody will ever deliver */
    unsigned gaps;      /* batches that said so */
    unsigned batches;   /* taken, without duplicates */
    unsigned duplicates;
} Ledger;

/* Takes the text of a batch as turns_take() writes it. False: something was counted twice. */
static inline UNUSED bool ledger_push(Ledger *l, const char *text)
{
    char id[40];
    uint64_t sequence;
    int64_t from, to;
    int gap;
    if (sscanf(text, "%39s %" SCNu64 " %" SCNd64 " %" SCNd64 " %d", id, &sequence, &from, &to, &gap) != 5)
        return false;
    if (strcmp(id, l->id) != 0) {
        (void)snprintf(l->id, sizeof(l->id), "%s", id);
        l->position = 0;
    }
    if (sequence <= l->position) {
        l->duplicates++;
        return true;
    }
    l->position = sequence;
    l->batches++;
    if (gap) { /* its increase is not known, and not counted */
        l->gaps++;
        l->lost += to - l->counted_to;
        l->counted_to = to;
        return true;
    }
    if (from < l->counted_to) {
        (void)fprintf(stderr, "counted twice: %s, already at %" PRId64 "\n", text, l->counted_to);
        return false;
    }
    l->lost += from - l->counted_to;
    l->counted_to = to;
    return true;
}

/* Delivers the oldest batch. SPOOL_EMPTY when there is none, -EBADMSG when it was counted twice. */
static inline UNUSED int deliver_one(Turns *t, Ledger *ledger, bool acknowledge)
{
    Buf payload = BUF_INIT;
    WireEncoding encoding;
    uint64_t sequence;
    int r = spool_peek(t->spool, &payload, &encoding, &sequence, NULL);
    if (r == SPOOL_OK && !ledger_push(ledger, buf_cstr(&payload)))
        r = -EBADMSG;
    if (r == SPOOL_OK && acknowledge && spool_ack(t->spool, sequence, NULL) < 0)
        r = SPOOL_OK; /* S13: it holds all the same */
    buf_done(&payload);
    return r;
}
