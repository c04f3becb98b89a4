/* SPDX-License-Identifier: PostgreSQL */
/*
 * The queues and their writer threads. ingest_push() runs on the caller's thread and touches only a queue and counters;
 * a batch belongs to the queue until its writer pops it, then to that writer, which answers it exactly once. Group
 * commit needs no timer: what arrives while a transaction runs is the next one.
 *
 * All pushes of a collector go to one writer: two writers could commit its sequences in the wrong order, and what comes
 * second would look like a duplicate of what was never stored.
 */
#include "backend/ingest/ingest.h"

#include <ctype.h>
#include <pthread.h>

#include "backend/ingest/group.h"
#include "lib/base/log.h"
#include "lib/base/queue.h"

enum {
    WRITERS_DEFAULT = 2,
    WRITERS_MAX = 16,
    QUEUE_BATCHES_DEFAULT = 1000,
    GROUP_MAX = 50,
    SERIES_CACHED_MAX = 2000000,
};
static const size_t QUEUE_BYTES_DEFAULT = (size_t)512 << 20;
static const size_t GROUP_BYTES_MAX = (size_t)64 << 20;
static const Usec RETENTION_DEFAULT = 14 * 24 * 3600 * USEC_PER_SEC;
static const Usec FUTURE_MAX = 3600 * USEC_PER_SEC;

typedef struct Writer {
    Ingest *ingest;
    Queue *queue;
    Group *group;
    IngestBatch *held; /* popped, but too large for the group before it */
    pthread_t thread;
} Writer;

struct Ingest {
    const Catalog *catalog;
    Usec retention;
    size_t queue_bytes_max;
    _Atomic size_t queue_bytes;
    SeriesCache *series;
    Writer writers[WRITERS_MAX];
    size_t writer_count;
};

/* --- own metrics ------------------------------------------------------------------------------------------------- */

#define BATCHES(result_)                                                                                               \
    {                                                                                                                  \
        .name = "pganalytics_ingest_batches_total", .labels = "result=\"" result_ "\"",                                \
        .help = "Pushes by what became of them."                                                                       \
    }
static Counter batches_stored = BATCHES("stored");
static Counter batches_duplicate = BATCHES("duplicate");
static Counter batches_refused = BATCHES("refused");
static Counter batches_failed = BATCHES("failed");
static Counter batches_unavailable = BATCHES("unavailable");
static Counter batches_queue_full = BATCHES("queue_full");
static Counter rows_stored = {.name = "pganalytics_ingest_rows_total", .help = "Metric rows stored."};
static Counter values_stored = {.name = "pganalytics_ingest_values_total", .help = "Values stored in these rows."};
static Counter rows_rejected = {.name = "pganalytics_ingest_rejected_rows_total",
                                .help = "Rows refused with a reason in the answer."};
static Counter sequences_missing = {.name = "pganalytics_ingest_missing_batches_total",
                                    .help = "Batches that collectors gave up before sending: gaps in sequences."};
static Counter series_found = {.name = "pganalytics_ingest_series_total",
                               .labels = "result=\"found\"",
                               .help = "Series looked up in the cache, and asked of the store."};
static Counter series_asked = {.name = "pganalytics_ingest_series_total",
                               .labels = "result=\"asked\"",
                               .help = "Series looked up in the cache, and asked of the store."};
static Gauge queue_batches = {.name = "pganalytics_ingest_queue_batches", .help = "Pushes that wait for a writer."};
static Gauge queue_bytes = {.name = "pganalytics_ingest_queue_bytes", .help = "What they occupy, estimated."};
static const double SECONDS[] = {0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10};
static Histogram transaction_seconds = {.name = "pganalytics_ingest_transaction_seconds",
                                        .help = "How long a writer took for a group of pushes, until after commit.",
                                        .bounds = SECONDS,
                                        .bounds_count = ARRAY_LENGTH(SECONDS)};

static const TelemetryEntry TELEMETRY[] = {
    {TELEMETRY_COUNTER, &batches_failed},        {TELEMETRY_COUNTER, &batches_stored},
    {TELEMETRY_COUNTER, &batches_duplicate},     {TELEMETRY_COUNTER, &batches_refused},
    {TELEMETRY_COUNTER, &batches_unavailable},   {TELEMETRY_COUNTER, &batches_queue_full},
    {TELEMETRY_COUNTER, &rows_stored},           {TELEMETRY_COUNTER, &values_stored},
    {TELEMETRY_COUNTER, &rows_rejected},         {TELEMETRY_COUNTER, &sequences_missing},
    {TELEMETRY_COUNTER, &series_found},          {TELEMETRY_COUNTER, &series_asked},
    {TELEMETRY_GAUGE, &queue_batches},           {TELEMETRY_GAUGE, &queue_bytes},
    {TELEMETRY_HISTOGRAM, &transaction_seconds},
};

const TelemetryEntry *ingest_telemetry(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(TELEMETRY);
    return TELEMETRY;
}

/* --- answering --------------------------------------------------------------------------------------------------- */

static IngestBatch *batch_free(IngestBatch *b)
{
    arena_free(b->arena); /* the batch itself lives in it */
    return NULL;
}

static void answer_failure(IngestBatch *b, const Err *err)
{
    counter_add(err->code == ERR_UNAVAILABLE ? &batches_unavailable
                : err->code == ERR_INTERNAL  ? &batches_failed
                                             : &batches_refused,
                1);
    b->on_done(b->arg, NULL, err);
    batch_free(b);
}

static void answer_unavailable(IngestBatch **batches, size_t count, const char *why)
{
    Err err = ERR_INIT;
    (void)err_set(&err, ERR_UNAVAILABLE, "%s", why); /* filled for the answer */
    for (size_t i = 0; i < count; i++)
        answer_failure(batches[i], &err);
}

static void answer_stored(IngestBatch *b)
{
    PushAnswer *checked = &b->checked.answer;
    PushAnswer duplicate = {.duplicate = true, .config_version = b->config_version};
    checked->config_version = b->config_version;
    if (b->duplicate) {
        counter_add(&batches_duplicate, 1);
    } else {
        counter_add(&batches_stored, 1);
        counter_add(&rows_stored, (uint64_t)checked->accepted_rows);
        counter_add(&values_stored, (uint64_t)checked->accepted_values);
        counter_add(&sequences_missing, (uint64_t)b->missing);
        for (size_t i = 0; i < checked->rejected_count; i++)
            counter_add(&rows_rejected, (uint64_t)checked->rejected[i].rows);
    }
    b->on_done(b->arg, b->duplicate ? &duplicate : checked, NULL);
    batch_free(b);
}

/* Data exceptions and constraint violations are the push's own fault. Anything else (a table that is away, a lost
 * grant) is ours, and a push that we could not store is not to be given up for it. */
static bool is_fault_of_push(const Err *cause)
{
    return cause->code == ERR_UNPROCESSABLE || strncmp(cause->sqlstate, "22", 2) == 0 ||
           strncmp(cause->sqlstate, "23", 2) == 0;
}

static void answer_refused(IngestBatch *b, const Err *cause)
{
    Err err = ERR_INIT;
    if (cause->code == ERR_UNPROCESSABLE) {
        err = *cause;
    } else {
        bool refused = is_fault_of_push(cause);
        log_fail(refused ? "a push was refused by the store" : "a push could not be stored",
                 log_str("collector_id", b->collector_id), log_slice("spool", b->push->spool),
                 log_int("sequence", b->push->sequence), log_error_field(cause));
        (void)err_set(&err, refused ? ERR_UNPROCESSABLE : ERR_INTERNAL, "the store %s this push (%s)",
                      refused ? "refused" : "could not take",
                      *cause->sqlstate ? cause->sqlstate : err_code_slug(cause->code)); /* filled for the answer */
    }
    answer_failure(b, &err);
}

/* --- writers ----------------------------------------------------------------------------------------------------- */

static GroupResult try_group(Writer *w, IngestBatch **batches, size_t count, Err *reterr)
{
    Usec begin = clock_monotonic();
    GroupResult result = group_store(w->group, batches, count, reterr);
    if (result == GROUP_LOST && reterr->code != ERR_UNAVAILABLE) /* a restart costs nobody a push: once more */
        result = group_store(w->group, batches, count, reterr);
    histogram_observe(&transaction_seconds, (double)(clock_monotonic() - begin) / (double)USEC_PER_SEC);
    GroupStats stats = group_take_stats(w->group);
    counter_add(&series_found, stats.series_found);
    counter_add(&series_asked, stats.series_asked);
    return result;
}

static void answer_group(IngestBatch **batches, size_t count, GroupResult result, const Err *err)
{
    switch (result) {
    case GROUP_STORED:
        for (size_t i = 0; i < count; i++)
            answer_stored(batches[i]);
        return;
    case GROUP_LOST:
        answer_unavailable(batches, count, "the store is not available");
        return;
    case GROUP_AMBIGUOUS: /* sent again they are found to be duplicates, or are stored */
        answer_unavailable(batches, count, "the store went away during the commit");
        return;
    case GROUP_REFUSED:
        for (size_t i = 0; i < count; i++)
            answer_refused(batches[i], err);
        return;
    }
}

/* A collector gives up a push that is refused. So a group that was refused is taken apart, for one bad push to harm no
 * other; and what is remembered of the store may be no longer so (another backend dropped a partition, the store was
 * restored), so a push is refused only by what was looked up anew. */
static void write_group(Writer *w, IngestBatch **batches, size_t count)
{
    Err err = ERR_INIT;
    GroupResult result = try_group(w, batches, count, &err);
    if (result != GROUP_REFUSED) {
        answer_group(batches, count, result, &err);
        return;
    }
    group_forget(w->group);
    for (size_t i = 0; i < count; i++) {
        err = ERR_INIT;
        result = try_group(w, &batches[i], 1, &err);
        answer_group(&batches[i], 1, result, &err);
    }
}

static void drop_expired(IngestBatch **batches, size_t *count)
{
    Usec now = clock_monotonic();
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (batches[i]->deadline > now)
            batches[kept++] = batches[i];
        else
            answer_unavailable(&batches[i], 1, "the push waited too long for a writer");
    }
    *count = kept;
}

static IngestBatch *pop(Writer *w, bool wait)
{
    IngestBatch *b = NULL;
    if (w->held)
        return TAKE_PTR(w->held);
    void *item = NULL;
    if (wait)
        b = queue_pop(w->queue, USEC_NEVER);
    else if (queue_pop_many(w->queue, &item, 1) == 1)
        b = item;
    if (b) {
        size_t bytes = atomic_fetch_sub(&w->ingest->queue_bytes, b->checked.bytes) - b->checked.bytes;
        gauge_set(&queue_bytes, (int64_t)bytes);
        gauge_add(&queue_batches, -1);
    }
    return b;
}

/* At least one batch (waits for it), and what else is there already; 0 at the end. */
static size_t take_group(Writer *w, IngestBatch **ret)
{
    size_t count = 0;
    size_t bytes = 0;
    IngestBatch *b = pop(w, true);
    while (b) {
        ret[count++] = b;
        bytes += b->checked.bytes;
        b = count < GROUP_MAX ? pop(w, false) : NULL;
        if (b && bytes + b->checked.bytes > GROUP_BYTES_MAX) {
            w->held = b;
            break;
        }
    }
    return count;
}

static void *writer_main(void *arg)
{
    Writer *w = arg;
    IngestBatch *batches[GROUP_MAX];
    for (;;) {
        size_t count = take_group(w, batches);
        if (count == 0)
            return NULL;
        drop_expired(batches, &count);
        if (count > 0)
            write_group(w, batches, count);
    }
}

/* --- the front --------------------------------------------------------------------------------------------------- */

int ingest_new(Ingest **ret, const IngestOptions *options, Err *reterr)
{
    size_t writers = options->writers ? options->writers : WRITERS_DEFAULT;
    if (writers > WRITERS_MAX)
        return err_set(reterr, ERR_CONFIG, "%zu ingest writers are more than %d", writers, WRITERS_MAX);
    _cleanup_(ingest_freep) Ingest *i = calloc(1, sizeof *i);
    if (!i)
        abort();
    i->catalog = options->catalog;
    i->retention = options->retention ? options->retention : RETENTION_DEFAULT;
    i->queue_bytes_max = options->queue_bytes ? options->queue_bytes : QUEUE_BYTES_DEFAULT;
    i->series = series_cache_new(SERIES_CACHED_MAX);
    size_t batches = options->queue_batches ? options->queue_batches : QUEUE_BATCHES_DEFAULT;
    for (; i->writer_count < writers; i->writer_count++) {
        Writer *w = &i->writers[i->writer_count];
        w->ingest = i;
        w->queue = queue_new((batches + writers - 1) / writers);
        w->group = group_new(options->store, i->series);
        int number = pthread_create(&w->thread, NULL, writer_main, w);
        if (number != 0) {
            group_free(w->group);
            queue_free(w->queue);
            return err_set_errno(reterr, ERR_INTERNAL, number, "a writer thread could not be started");
        }
    }
    *ret = TAKE_PTR(i);
    return 0;
}

Ingest *ingest_free(Ingest *i)
{
    if (!i)
        return NULL;
    for (size_t n = 0; n < i->writer_count; n++)
        queue_close(i->writers[n].queue);
    for (size_t n = 0; n < i->writer_count; n++) {
        pthread_join(i->writers[n].thread, NULL);
        group_free(i->writers[n].group);
        queue_free(i->writers[n].queue);
    }
    series_cache_free(i->series);
    free(i);
    return NULL;
}

static char *dup_lower(Arena *arena, const char *s)
{
    char *copy = arena_strdup(arena, s);
    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

/* Always the same one for a collector. */
static Writer *writer_of(Ingest *i, const char *collector_id)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: collectors choose none of their ids */
    for (const char *c = collector_id; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return &i->writers[hash % i->writer_count];
}

static int enqueue(Ingest *i, IngestBatch *b, Err *reterr)
{
    Queue *queue = writer_of(i, b->collector_id)->queue;
    size_t bytes = b->checked.bytes;
    if (atomic_fetch_add(&i->queue_bytes, bytes) + bytes <= i->queue_bytes_max || queue_len(queue) == 0) {
        gauge_add(&queue_batches, 1); /* before the push: its writer may take it at once */
        if (queue_try_push(queue, b))
            return 0;
        gauge_add(&queue_batches, -1);
    }
    atomic_fetch_sub(&i->queue_bytes, bytes);
    counter_add(&batches_queue_full, 1);
    return err_set(reterr, ERR_TOO_MANY_REQUESTS, "too many pushes wait to be written");
}

int ingest_push(Ingest *i, const PushBatch *batch, const char *collector_id, Usec deadline, IngestDoneFn on_done,
                void *arg, Err *reterr)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    IngestBatch *b = arena_new_object(arena, IngestBatch);
    *b = (IngestBatch){
        .push = batch,
        .collector_id = dup_lower(arena, collector_id),
        .deadline = deadline,
        .on_done = on_done,
        .arg = arg,
        .arena = arena,
    };
    CheckLimits limits = {.now = clock_wall(), .retention = i->retention, .future_max = FUTURE_MAX};
    check_batch(batch, i->catalog, limits, arena, &b->checked);
    int r = enqueue(i, b, reterr);
    if (r < 0)
        return err_trace(r);
    (void)TAKE_PTR(arena); /* the writer's now */
    return 0;
}
