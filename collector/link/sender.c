/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sender. Everything below "the thread" runs on its thread alone; .lock guards what others touch: woken, stopping,
 * finished. Statistics are atomics.
 *
 * A lane is a spool with what is known of sending from it. A failure that concerns everybody (no connection, 429, wrong
 * token) lets all lanes wait, one that concerns a batch (500) only its own lane, so that one poisoned batch does not
 * hold up the other servers.
 */
#include "collector/link/sender.h"

#include <errno.h>
#include <pthread.h>

#include "collector/link/backend_answer.h"
#include "collector/link/keeper.h"
#include "collector/link/remote_config.h"
#include "collector/version.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/io/http_client.h"
#include "lib/wire/push.h"

enum { ANSWER_ARENA_LIMIT = 4 << 20, REJECTS_LOGGED_MAX = 5, EARLY_DUPLICATES = 3 };
#define BACKOFF_BASE  (USEC_PER_SEC / 2)
#define BACKOFF_CAP   (60 * USEC_PER_SEC)
#define DEFAULT_STALL (600 * USEC_PER_SEC)
#define DEFAULT_FLUSH (60 * USEC_PER_SEC)

typedef struct Lane {
    Spool *spool;
    Usec not_before; /* monotonic */
    Backoff backoff;
    Complain complain;
    Complain rejects;
    uint64_t first_own;        /* batches from this sequence on were made by this process */
    uint64_t tried;            /* highest sequence posted */
    unsigned early_duplicates; /* in a row: own batches that the backend knew at the first try */
} Lane;

struct Sender {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* monotonic */
    bool woken;
    bool stopping;
    bool finished;
    Usec stop_at;

    Keeper *keeper;
    Usec tend_at; /* monotonic */
    RemoteConfig *remote;
    Arena *arena; /* of one answer */
    char *api_url;
    char *push_url;
    char *collector_id;
    bool token_tried; /* renewed for the present failure; one try until something is accepted again */
    Usec flush_interval;
    Usec stall;
    WireEncoding best_encoding; /* the backend, or a proxy, may not take zstd */

    Lane *lanes;
    size_t lane_count;
    size_t next_lane;
    Usec not_before;
    Backoff backoff;
    Complain complain;
    SenderStats stats;
};

/* --- the thread: one batch -------------------------------------------------------------------------------------- */

typedef enum Turn { TURN_SENT, TURN_EMPTY, TURN_FAILED, TURN_FAILED_ALL } Turn;

typedef struct Batch {
    Buf payload;
    WireEncoding encoding;
    uint64_t sequence;
} Batch;

static void batch_done(Batch *b)
{
    buf_done(&b->payload);
}

/* Into the best encoding that is taken. What cannot be decoded cannot be sent. */
static int reencode(const Sender *s, Batch *b, Err *reterr)
{
    if (b->encoding <= s->best_encoding)
        return 0;
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = wire_decompress(b->encoding, buf_slice(&b->payload), WIRE_TEXT_MAX, &text, reterr);
    if (r < 0)
        return err_trace(r);
    buf_clear(&b->payload);
    r = wire_compress(s->best_encoding, buf_slice(&text), &b->payload, reterr);
    b->encoding = s->best_encoding;
    return err_trace(r);
}

static int post(Sender *s, const Batch *b, HttpAnswer *ret, Err *reterr)
{
    _cleanup_buf_ Buf authorization = BUF_INIT;
    buf_printf(&authorization, "Authorization: Bearer %s", keeper_token(s->keeper));
    _cleanup_buf_ Buf encoding = BUF_INIT;
    buf_printf(&encoding, "Content-Encoding: %s", wire_encoding_to_string(b->encoding));
    const char *const headers[] = {buf_cstr(&authorization), "Content-Type: application/json",
                                   b->encoding == WIRE_IDENTITY ? NULL : buf_cstr(&encoding), NULL};
    const HttpClientRequest request = {
        .method = "POST", .url = s->push_url, .headers = headers, .body = buf_slice(&b->payload)};
    const Usec before = clock_wall();
    const int r = http_client_send(keeper_http(s->keeper), &request, ret, reterr);
    explicit_bzero(authorization.ptr, authorization.len);
    if (r == 0 && ret->date > 0) /* whole seconds: its middle against the middle of the exchange */
        atomic_store(&s->stats.clock_skew_usec, ret->date + USEC_PER_SEC / 2 - (before + (clock_wall() - before) / 2));
    return err_trace(r);
}

static void log_rejects(Lane *lane, const PushAnswer *answer)
{
    const Usec now = clock_monotonic();
    if (answer->rejected_count == 0) {
        (void)complain_recovered(&lane->rejects, now); /* so that the next one is told at once */
        return;
    }
    if (!complain_due(&lane->rejects, now))
        return;
    for (size_t i = 0; i < answer->rejected_count && i < REJECTS_LOGGED_MAX; i++)
        log_warn("backend left out a part of a batch", log_slice("family", answer->rejected[i].family),
                 log_slice("reason", answer->rejected[i].reason), log_int("rows", answer->rejected[i].rows));
}

/* Section 5 of docs/spool.md: a batch made a moment ago that the backend knows already has a number given twice. (Once
 * may be a connection that broke after the backend had read the request, and was tried again below us.) */
static void watch_duplicates(Lane *lane, const Batch *b, bool duplicate, bool first_try)
{
    if (!duplicate || !first_try || b->sequence < lane->first_own) {
        lane->early_duplicates = 0;
        return;
    }
    if (++lane->early_duplicates == EARLY_DUPLICATES)
        log_fail("backend takes new batches for old ones: state_dir was put back from an older copy",
                 log_str("spool", spool_id(lane->spool)), log_int("sequence", (int64_t)b->sequence),
                 log_str("hint", "stop the collector, remove state_dir/servers/*/spool, start it"));
}

static void acknowledge(Lane *lane, const Batch *b)
{
    Err err = ERR_INIT;
    if (spool_ack(lane->spool, b->sequence, &err) < 0 && complain_due(&lane->complain, clock_monotonic()))
        log_warn("acknowledgement could not be noted; the batch may be sent once more",
                 log_str("spool", spool_id(lane->spool)), log_error_field(&err));
}

/* The answer is 2xx. Only the backend's own words acknowledge: a login page of a network with status 200 does not. */
static int accept(Sender *s, Lane *lane, const Batch *b, const HttpAnswer *answer, Err *reterr)
{
    const bool first_try = b->sequence > lane->tried;
    arena_clear(s->arena);
    PushAnswer push;
    const int r = push_answer_decode(buf_slice(&answer->body), s->arena, &push, reterr);
    if (r < 0) {
        err_prefix(reterr, "answer %d of %s", answer->status, s->push_url);
        err_hint(reterr, "is it the backend that answers at this address, or a proxy in front of it?");
        return err_trace(r);
    }
    watch_duplicates(lane, b, push.duplicate, first_try);
    log_rejects(lane, &push);
    atomic_fetch_add(&s->stats.sent_batches, 1);
    atomic_fetch_add(&s->stats.sent_bytes, b->payload.len);
    atomic_fetch_add(&s->stats.duplicate_batches, push.duplicate);
    atomic_store(&s->stats.last_success, clock_wall());
    atomic_store(&s->stats.config_version, push.config_version);
    acknowledge(lane, b); /* last: who sees the spool empty sees it counted */
    return 0;
}

static void sending_works(Sender *s, Lane *lane)
{
    const Usec now = clock_monotonic();
    s->token_tried = false;
    atomic_store(&s->stats.failing, false);
    backoff_reset(&s->backoff);
    backoff_reset(&lane->backoff);
    SpoolStats waiting;
    spool_stats(lane->spool, &waiting);
    const bool lane_recovered = complain_recovered(&lane->complain, now);
    if (complain_recovered(&s->complain, now) || lane_recovered)
        log_info("sending works again", log_str("spool", spool_id(lane->spool)),
                 log_int("batches_waiting", (int64_t)waiting.batches));
}

static void refuse(Sender *s, Lane *lane, const Batch *b, const Err *err)
{
    atomic_fetch_add(&s->stats.refused_batches, 1);
    log_fail("batch refused for good and given up", log_str("spool", spool_id(lane->spool)),
             log_int("sequence", (int64_t)b->sequence), log_error_field(err));
    acknowledge(lane, b);
}

static Turn wait_all(Sender *s, Usec retry_after, const Err *err)
{
    atomic_fetch_add(&s->stats.failures, 1);
    atomic_store(&s->stats.failing, true);
    const Usec now = clock_monotonic();
    const Usec backoff = backoff_next(&s->backoff);
    /* Told when to come back: not before, and not all at that very moment. */
    const Usec told = retry_after > 0 ? retry_after + (Usec)random_below((uint64_t)retry_after / 10 + 1) : 0;
    s->not_before = now + (told > 0 ? told : backoff);
    if (complain_due(&s->complain, now))
        log_warn("batches cannot be sent, they wait in the spool", log_error_field(err),
                 log_int("retry_in_ms", (s->not_before - now) / USEC_PER_MSEC));
    return TURN_FAILED_ALL;
}

static Turn wait_this(Sender *s, Lane *lane, const Err *err)
{
    atomic_fetch_add(&s->stats.failures, 1);
    const Usec now = clock_monotonic();
    lane->not_before = now + backoff_next(&lane->backoff);
    if (complain_due(&lane->complain, now))
        log_warn("batch cannot be sent, it waits in the spool", log_str("spool", spool_id(lane->spool)),
                 log_error_field(err), log_int("retry_in_ms", (lane->not_before - now) / USEC_PER_MSEC));
    return TURN_FAILED;
}

/* True when the batch is to be posted again at once. */
static bool remedy(Sender *s, PushVerdict verdict, WireEncoding used)
{
    if (verdict == PUSH_REENCODE && used != WIRE_IDENTITY) {
        s->best_encoding = used == WIRE_ZSTD ? WIRE_GZIP : WIRE_IDENTITY;
        log_info("backend does not take this encoding, another one is used from now on",
                 log_str("refused", wire_encoding_to_string(used)),
                 log_str("used", wire_encoding_to_string(s->best_encoding)));
        return true;
    }
    if (verdict == PUSH_RENEW_TOKEN && !s->token_tried) {
        s->token_tried = true;
        return keeper_renew_token(s->keeper);
    }
    return false;
}

/* Posts until it is decided what becomes of the batch. */
static Turn deliver(Sender *s, Lane *lane, Batch *b)
{
    for (;;) {
        Err err = ERR_INIT;
        if (reencode(s, b, &err) < 0) {
            refuse(s, lane, b, &err);
            return TURN_SENT;
        }
        _cleanup_(http_answer_donep) HttpAnswer answer = HTTP_ANSWER_INIT;
        if (post(s, b, &answer, &err) < 0)
            return wait_all(s, 0, &err);

        BackendError error;
        backend_error_read(&answer, &error);
        const PushVerdict verdict = push_verdict_of(answer.status, &error);
        if (verdict == PUSH_ACCEPTED) {
            const int r = accept(s, lane, b, &answer, &err);
            lane->tried = b->sequence > lane->tried ? b->sequence : lane->tried;
            if (r < 0)
                return wait_all(s, 0, &err);
            sending_works(s, lane);
            return TURN_SENT;
        }
        lane->tried = b->sequence > lane->tried ? b->sequence : lane->tried;
        if (remedy(s, verdict, b->encoding))
            continue;
        (void)backend_error_set(&err, "push", &answer); /* err is what is wanted */
        if (verdict == PUSH_REFUSED) {
            refuse(s, lane, b, &err);
            sending_works(s, lane);
            return TURN_SENT;
        }
        return verdict == PUSH_WAIT_THIS || verdict == PUSH_REENCODE ? wait_this(s, lane, &err)
                                                                     : wait_all(s, answer.retry_after, &err);
    }
}

static void come_forward(Sender *s, Usec until)
{
    atomic_store(&s->stats.alive_until, until + s->stall);
}

static Turn send_one(Sender *s, Lane *lane)
{
    come_forward(s, clock_monotonic());
    _cleanup_(batch_done) Batch b = {0};
    Err err = ERR_INIT;
    const int r = spool_peek(lane->spool, &b.payload, &b.encoding, &b.sequence, &err);
    if (r < 0)
        return wait_this(s, lane, &err);
    return r == SPOOL_EMPTY ? TURN_EMPTY : deliver(s, lane, &b);
}

/* --- the thread: all lanes -------------------------------------------------------------------------------------- */

/* One batch from each lane that may send. True when something was sent, so that there may be more. */
static bool send_round(Sender *s)
{
    bool sent = false;
    if (clock_monotonic() < s->not_before)
        return false;
    for (size_t i = 0; i < s->lane_count; i++) {
        Lane *lane = &s->lanes[(s->next_lane + i) % s->lane_count];
        if (clock_monotonic() < lane->not_before)
            continue;
        const Turn turn = send_one(s, lane);
        if (turn == TURN_FAILED_ALL) {
            s->next_lane = (s->next_lane + i + 1) % s->lane_count; /* the next attempt is another spool's */
            return false;
        }
        sent = sent || turn == TURN_SENT;
    }
    return sent;
}

/* When to look again, if nobody wakes us. @began: when the last round did. A pause that it met or ordered may be over
 * by now: then the answer is a time that has passed, and there is no rest. */
static Usec next_look(const Sender *s, Usec began)
{
    Usec at = began + s->flush_interval;
    for (size_t i = 0; i < s->lane_count; i++)
        if (s->lanes[i].not_before > began && s->lanes[i].not_before < at)
            at = s->lanes[i].not_before;
    if (s->not_before > began)
        at = s->not_before;
    return s->tend_at < at ? s->tend_at : at;
}

static void wait_until(Sender *s, Usec at)
{
    const struct timespec deadline = {.tv_sec = at / USEC_PER_SEC, .tv_nsec = at % USEC_PER_SEC * 1000};
    while (!s->woken && !s->stopping)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &deadline) == ETIMEDOUT)
            return;
}

/* True when the thread is to go on. While a failure is waited out, being woken changes nothing. */
static bool rest(Sender *s, bool sent, Usec began)
{
    (void)pthread_mutex_lock(&s->lock);
    const bool stopping = s->stopping;
    if (!sent && !stopping) {
        if (clock_monotonic() < s->not_before)
            s->woken = false;
        const Usec at = next_look(s, began);
        come_forward(s, at > began ? at : began);
        wait_until(s, at);
        s->woken = false;
    }
    const bool go_on = stopping ? sent && clock_monotonic() < s->stop_at : true;
    (void)pthread_mutex_unlock(&s->lock);
    return go_on;
}

/* Batches come first: while they cannot be sent, nothing is asked either. */
static void ask_for_config(Sender *s)
{
    const Usec now = clock_monotonic();
    if (!s->remote || now < s->not_before || !remote_config_is_due(s->remote, now, s->stats.config_version))
        return;
    const RemoteAsk ask = {.http = keeper_http(s->keeper),
                           .api_url = s->api_url,
                           .collector_id = s->collector_id,
                           .token = keeper_token(s->keeper)};
    remote_config_ask(s->remote, &ask, now);
}

static void *run(void *arg)
{
    Sender *s = arg;
    bool sent;
    Usec began;
    do {
        began = clock_monotonic();
        come_forward(s, began);
        s->tend_at = keeper_tend(s->keeper, began, clock_wall());
        sent = send_round(s);
        ask_for_config(s);
    } while (rest(s, sent, began));

    (void)pthread_mutex_lock(&s->lock);
    s->finished = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- from outside ----------------------------------------------------------------------------------------------- */

static Sender *sender_free(Sender *s)
{
    if (!s)
        return NULL;
    keeper_free(s->keeper);
    arena_free(s->arena);
    (void)pthread_cond_destroy(&s->changed); /* the thread is gone, nobody waits */
    (void)pthread_mutex_destroy(&s->lock);
    free(s->api_url);
    free(s->push_url);
    free(s->collector_id);
    free(s->lanes);
    free(s);
    return NULL;
}
DEFINE_CLEANUP(Sender *, sender_free)

static void init_locks(Sender *s)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic); /* none of these can fail with valid arguments */
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&s->lock, NULL);
}

static Sender *sender_new(const SenderOptions *options, Spool *const *spools, size_t spool_count)
{
    Sender *s = mem_alloc(sizeof(*s));
    init_locks(s);
    s->arena = arena_new(ANSWER_ARENA_LIMIT);
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%s/api/v1/metrics/push", options->api_url);
    s->push_url = buf_take(&url);
    s->api_url = mem_strdup(options->api_url);
    s->collector_id = mem_strdup(options->collector_id);
    s->flush_interval = options->flush_interval > 0 ? options->flush_interval : DEFAULT_FLUSH;
    s->stall = options->stall > 0 ? options->stall : DEFAULT_STALL;
    come_forward(s, clock_monotonic());
    s->best_encoding = WIRE_ZSTD;
    s->remote = options->remote;
    atomic_store(&s->stats.config_version, -1);
    s->backoff = (Backoff){.base = options->backoff_base > 0 ? options->backoff_base : BACKOFF_BASE,
                           .cap = options->backoff_cap > 0 ? options->backoff_cap : BACKOFF_CAP};
    s->lanes = mem_alloc_array(sizeof(Lane), spool_count + 1);
    s->lane_count = spool_count;
    for (size_t i = 0; i < spool_count; i++)
        s->lanes[i] =
            (Lane){.spool = spools[i], .first_own = spool_last_sequence(spools[i]) + 1, .backoff = s->backoff};
    return s;
}

int sender_start(Sender **ret, const SenderOptions *options, Spool *const *spools, size_t spool_count, Err *reterr)
{
    _cleanup_(sender_freep) Sender *s = sender_new(options, spools, spool_count);
    const KeeperOptions keeper = {.api_url = options->api_url,
                                  .collector_id = options->collector_id,
                                  .state_dir = options->state_dir,
                                  .token = options->token,
                                  .ca_file = options->ca_file,
                                  .cert_file = options->cert_file,
                                  .key_file = options->key_file,
                                  .renew_certificate = options->renew_certificate,
                                  .verify = options->verify};
    int r = keeper_new(&s->keeper, &keeper, reterr);
    if (r < 0)
        return err_trace(r);
    r = pthread_create(&s->thread, NULL, run, s);
    if (r != 0)
        return err_set_errno(reterr, ERR_INTERNAL, r, "cannot start the sender's thread");
    *ret = TAKE_PTR(s);
    return 0;
}

void sender_wake(Sender *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->woken = true;
    (void)pthread_cond_broadcast(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

Sender *sender_stop(Sender *s, Usec grace)
{
    if (!s)
        return NULL;
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    s->stop_at = clock_monotonic() + grace;
    (void)pthread_cond_broadcast(&s->changed);
    const struct timespec deadline = {.tv_sec = s->stop_at / USEC_PER_SEC, .tv_nsec = s->stop_at % USEC_PER_SEC * 1000};
    while (!s->finished)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &deadline) == ETIMEDOUT)
            break;
    const bool finished = s->finished;
    (void)pthread_mutex_unlock(&s->lock);

    if (!finished)
        keeper_abort(s->keeper);         /* in the middle of a request: its batch stays in the spool */
    (void)pthread_join(s->thread, NULL); /* it ends: requests fail from now on */
    return sender_free(s);
}

const KeeperStats *sender_keeper_stats(const Sender *s)
{
    return keeper_stats(s->keeper);
}

const SenderStats *sender_stats(const Sender *s)
{
    return &s->stats;
}
