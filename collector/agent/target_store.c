/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a target keeps on disk, so that it goes on where it was: the baseline, what is remembered for changes, the list
 * of texts that were sent; and each batch with them.
 *
 * Order of a flush: spool_prepare, baseline_log_write, spool_append, delta_commit. When any step before the last one
 * fails the readings are forgotten, and the next tick's increases reach back to the last batch that was kept.
 */
#include "collector/agent/target_private.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"

enum { TEXTS_FILE_MAX = 16 << 20, BASELINE_MAX = 256 << 20 };

/* --- State on disk ------------------------------------------------------------------------------------------------ */

/* A baseline begins with the number of the file of remembered texts that belongs to it; older ones have none. */
static const char CHANGES_MAGIC[] = "pgaw1";

static void put_changes_number(const Target *t, Buf *out)
{
    buf_append(out, SLICE_LIT(CHANGES_MAGIC));
    buf_append_u64le(out, t->changes_written);
}

static Slice take_changes_number(Target *t, Slice bytes)
{
    if (!slice_starts_with(bytes, SLICE_LIT(CHANGES_MAGIC)) || bytes.len < sizeof(CHANGES_MAGIC) - 1 + 8)
        return bytes;
    bytes = slice_skip(bytes, sizeof(CHANGES_MAGIC) - 1);
    t->changes_written = 0;
    for (int i = 7; i >= 0; i--)
        t->changes_written = t->changes_written << 8 | (uint8_t)bytes.ptr[i];
    return slice_skip(bytes, 8);
}

static int load_part(void *arg, Slice content, bool whole, Err *reterr)
{
    Target *t = arg;
    _cleanup_buf_ Buf bytes = BUF_INIT;
    int r = wire_decompress(WIRE_ZSTD, content, BASELINE_MAX, &bytes, reterr);
    if (r < 0)
        return err_trace(r);
    Slice readings = take_changes_number(t, buf_slice(&bytes));
    return err_trace(whole ? delta_load(t->delta, readings, reterr) : delta_load_staged(t->delta, readings, reterr));
}

static int load_baseline(Target *t, Err *reterr)
{
    return err_trace(
        baseline_log_read(t->baselines, spool_id(t->spool), spool_last_sequence(t->spool), load_part, t, reterr));
}

/* What the changes remember; without it the next look is a first one. */
static void load_changes(Target *t)
{
    if (!t->changes || t->changes_written == 0)
        return;
    _cleanup_buf_ Buf packed = BUF_INIT, bytes = BUF_INIT;
    Err err = ERR_INIT;
    int r = baseline_read(t->changes_directory, spool_id(t->spool), t->changes_written, &packed, &err);
    if (r == BASELINE_OK)
        r = wire_decompress(WIRE_ZSTD, buf_slice(&packed), BASELINE_MAX, &bytes, &err);
    if (r == BASELINE_OK)
        r = changes_load(t->changes, buf_slice(&bytes), &err);
    if (r != BASELINE_OK)
        log_warn("what was remembered of the server could not be read, changes are looked for from now on",
                 log_str("server", t->server->name), log_error_field(&err));
}

void target_load_state(Target *t)
{
    if (!t->spool)
        return;
    Err err = ERR_INIT;
    int r = load_baseline(t, &err);
    if (r < 0)
        log_warn("baseline could not be read, increases begin anew", log_str("server", t->server->name),
                 log_error_field(&err));
    else if (r == BASELINE_ABSENT && spool_last_sequence(t->spool) > 0)
        log_warn("no baseline belongs to the last batch, increases begin anew", log_str("server", t->server->name));
    load_changes(t);
    SpoolStats spool;
    spool_stats(t->spool, &spool);
    t->given_up = spool.dropped_batches;

    _cleanup_buf_ Buf texts = BUF_INIT;
    if (!file_exists(t->texts_path))
        return;
    err = ERR_INIT;
    if (file_read_all(t->texts_path, TEXTS_FILE_MAX, &texts, &err) < 0 ||
        texts_load(t->texts, buf_slice(&texts), &err) < 0)
        log_warn("list of sent texts could not be read", log_str("server", t->server->name), log_error_field(&err));
}

void target_save_texts(Target *t)
{
    if (!t->texts_changed || !t->spool)
        return;
    _cleanup_buf_ Buf bytes = BUF_INIT;
    texts_save(t->texts, &bytes);
    Err err = ERR_INIT;
    if (file_write_atomic(t->texts_path, 0600, buf_slice(&bytes), &err) < 0)
        log_debug("list of sent texts could not be written", log_error_field(&err)); /* costs a resend at most */
    t->texts_changed = false;
}

void target_fit_texts_to_spool(Target *t)
{
    if (!t->spool)
        return;
    SpoolStats spool;
    spool_stats(t->spool, &spool);
    const Settings *settings = settings_get(t->settings);
    const uint64_t batches = texts_room(spool.batches, (uint64_t)settings->buffer_max_size);
    texts_set_room(t->texts, batches ? texts_room(spool.bytes, (uint64_t)settings->buffer_max_bytes) : 0);
    if (spool.dropped_batches == t->given_up)
        return;
    t->given_up = spool.dropped_batches;
    texts_forget(t->texts);
    t->texts_changed = true;
    target_save_texts(t); /* at once: killed now, it would go on believing that they were sent */
}

/* --- Batches ------------------------------------------------------------------------------------------------------ */

static void describe_server(const Target *t, PushServer *ret)
{
    *ret = (PushServer){
        .name = slice_cstr(t->server->name),
        .reachable = t->unreachable.code == ERR_NONE,
        .interval_ms = settings_get(t->settings)->interval / USEC_PER_MSEC,
    };
    if (!ret->reachable)
        ret->error = slice_cstr(t->unreachable.detail);
    session_describe(t->session, t->batch.arena, ret);
}

/* Written only when it is not what it was, into the slot that the last baseline does not name. */
static int write_changes(Target *t, Err *reterr)
{
    if (!t->changes || !changes_are_new(t->changes))
        return 0;
    _cleanup_buf_ Buf bytes = BUF_INIT, packed = BUF_INIT;
    changes_save(t->changes, &bytes);
    int r = wire_compress(WIRE_ZSTD, buf_slice(&bytes), &packed, reterr);
    if (r >= 0)
        r = baseline_write(t->changes_directory, spool_id(t->spool), t->changes_written + 1, buf_slice(&packed),
                           reterr);
    if (r < 0)
        return err_trace(r);
    t->changes_written++;
    return 0;
}

static int write_baseline(Target *t, uint64_t sequence, Err *reterr)
{
    _cleanup_buf_ Buf bytes = BUF_INIT, packed = BUF_INIT;
    put_changes_number(t, &bytes);
    if (baseline_log_wants_whole(t->baselines))
        delta_save(t->delta, &bytes);
    else
        delta_save_staged(t->delta, &bytes);
    int r = wire_compress_quickly(buf_slice(&bytes), &packed, reterr);
    if (r < 0)
        return err_trace(r);
    return err_trace(baseline_log_write(t->baselines, spool_id(t->spool), sequence, buf_slice(&packed), reterr));
}

static int append_batch(Target *t, Err *reterr)
{
    uint64_t sequence;
    int r = spool_prepare(t->spool, &sequence, reterr);
    if (r < 0)
        return err_trace(r);

    PushServer server;
    describe_server(t, &server);
    BatchHead head = {
        .collector_id = t->collector_id,
        .spool = spool_id(t->spool),
        .sequence = sequence,
        .sent_at = clock_wall(),
        .server = &server,
        .catalog = settings_get(t->settings)->catalog,
    };
    _cleanup_buf_ Buf text = BUF_INIT, packed = BUF_INIT;
    batch_encode(&t->batch, &head, &text);
    uint64_t changes_before = t->changes_written;
    r = wire_compress(WIRE_ZSTD, buf_slice(&text), &packed, reterr);
    if (r >= 0)
        r = write_changes(t, reterr);
    if (r >= 0)
        r = write_baseline(t, sequence, reterr);
    if (r >= 0)
        r = spool_append(t->spool, WIRE_ZSTD, buf_slice(&packed), head.sent_at, reterr);
    if (r >= 0)
        baseline_log_kept(t->baselines);
    else
        t->changes_written = changes_before; /* the last batch's baseline names that one: it must not be overwritten */
    return err_trace(r);
}

static void commit_changes(Target *t, Usec now)
{
    if (!t->changes || !changes_are_new(t->changes))
        return;
    changes_commit(t->changes);
    changes_saved(t->changes);
    uint64_t unwatched = changes_unwatched(t->changes);
    if (unwatched > 0 && complain_due(&t->changes_complain, now))
        log_warn("more than is watched for changes", log_str("server", t->server->name),
                 log_int("rows", (int64_t)unwatched), log_int("limit_bytes", CHANGES_BYTES_MAX));
}

static void forget_readings(Target *t)
{
    delta_rollback(t->delta);
    if (t->changes)
        changes_rollback(t->changes);
    texts_rollback(t->texts);
    inbox_rollback(t->inbox);
}

bool target_has_news(const Target *t)
{
    return t->batch.has_news || texts_are_staged(t->texts) || (t->changes && changes_are_new(t->changes));
}

void target_forget_turn(Target *t)
{
    forget_readings(t);
    batch_clear(&t->batch);
}

bool target_flush(Target *t, bool end_of_tick)
{
    Usec now = clock_monotonic();
    Err err = ERR_INIT;
    bool kept = append_batch(t, &err) >= 0;
    if (!kept) {
        forget_readings(t);
        session_expect_keyframes(t->session);
        atomic_fetch_add(&t->stats.lost_batches, 1);
        if (complain_due(&t->spool_complain, now))
            log_fail("batch could not be kept, its increases go into the next one", log_str("server", t->server->name),
                     log_error_field(&err));
    } else {
        delta_commit(t->delta);
        commit_changes(t, now);
        inbox_commit(t->inbox);
        if (end_of_tick)
            texts_commit(t->texts);
        atomic_fetch_add(&t->stats.batches, 1);
        atomic_store(&t->stats.resets, delta_resets(t->delta));
        if (complain_recovered(&t->spool_complain, now))
            log_info("batches are kept again", log_str("server", t->server->name));
        t->on_append(t->arg);
    }
    batch_clear(&t->batch);
    return kept;
}
