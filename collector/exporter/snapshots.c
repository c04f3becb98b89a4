/* SPDX-License-Identifier: PostgreSQL */
/*
 * See snapshots.h. A snapshot is made by the thread that has the reading, outside of the lock; only mode events, which
 * goes on from the one before, is made inside. A metric's name belongs to the family that had it first: another family
 * that wants it shows that metric not at all, and a line of the log says so.
 */
#include "collector/exporter/snapshots.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"

enum { INTERVALS_KEPT = 5 };
#define GRACE (5 * 60 * USEC_PER_SEC) /* a reading may wait for others */

DEFINE_VEC(SnapshotVec, snapshot_vec, Snapshot *)
DEFINE_VEC(PlanVec, plan_vec, MetricPlan *)
DEFINE_VEC(ServerVec, server_vec, SnapshotsServer)

struct Snapshots {
    pthread_mutex_t lock;
    SnapshotVec items; /* sorted by family, server, database */
    PlanVec plans;     /* in no order: as many as there are families */
    ServerVec servers; /* sorted by name */
    Map *owners;       /* metric name -> name of the family, owned */
    size_t bytes_max;
    SnapshotsStats stats;
};

Snapshots *snapshots_new(size_t bytes_max)
{
    Snapshots *s = mem_alloc(sizeof(*s));
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail with default attributes */
    s->owners = map_new(free);
    s->bytes_max = bytes_max ? bytes_max : SNAPSHOTS_BYTES_MAX;
    return s;
}

Snapshots *snapshots_free(Snapshots *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->items.len; i++)
        snapshot_free(s->items.items[i]);
    for (size_t i = 0; i < s->plans.len; i++)
        metric_plan_unref(s->plans.items[i]);
    for (size_t i = 0; i < s->servers.len; i++)
        free(s->servers.items[i].name);
    snapshot_vec_done(&s->items);
    plan_vec_done(&s->plans);
    server_vec_done(&s->servers);
    map_free(s->owners);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

/* --- Plans -------------------------------------------------------------------------------------------------------- */

static void own_names(Snapshots *s, MetricPlan *plan)
{
    for (size_t i = 0; i < plan->metric_count; i++) {
        PlannedMetric *planned = &plan->metrics[i];
        const char *owner = map_get(s->owners, slice_cstr(planned->metric.name));
        if (!owner) {
            map_put(s->owners, slice_cstr(planned->metric.name), mem_strdup(plan->family->name));
        } else if (strcmp(owner, plan->family->name) != 0) {
            planned->hidden = true;
            log_warn("metric is not shown: its name is that of another family's",
                     log_str("metric", planned->metric.name), log_str("family", plan->family->name),
                     log_str("other", owner));
        }
    }
}

/* Those that only this list uses belong to settings that were replaced, or to families that have no reading any more.
 */
static void drop_unused_plans(Snapshots *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->plans.len; i++) {
        if (s->plans.items[i]->users > 1)
            s->plans.items[kept++] = s->plans.items[i];
        else
            metric_plan_unref(s->plans.items[i]);
    }
    s->plans.len = kept;
}

/* A reference; NULL when the family has no metrics. */
static MetricPlan *take_plan(Snapshots *s, SettingsRef *settings, const Family *family)
{
    for (size_t i = 0; i < s->plans.len; i++) {
        MetricPlan *p = s->plans.items[i];
        if (p->family == family && p->settings == settings)
            return metric_plan_ref(p);
    }
    drop_unused_plans(s);
    MetricPlan *plan = metric_plan_new(settings, family);
    if (!plan)
        return NULL;
    own_names(s, plan);
    plan_vec_push(&s->plans, plan);
    return metric_plan_ref(plan);
}

/* --- Readings ----------------------------------------------------------------------------------------------------- */

static int compare_key(const Snapshot *a, const char *family, const char *server, const char *database)
{
    int order = strcmp(a->plan->family->name, family);
    if (order == 0)
        order = strcmp(a->server, server);
    return order ? order : strcmp(a->database, database);
}

/* Index of the first that is not below the key. */
static size_t position_of(const Snapshots *s, const char *family, const char *server, const char *database)
{
    size_t low = 0, high = s->items.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_key(s->items.items[middle], family, server, database) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_at(Snapshots *s, size_t at)
{
    s->stats.bytes -= s->items.items[at]->bytes;
    snapshot_free(s->items.items[at]);
    s->items.len--;
    memmove(&s->items.items[at], &s->items.items[at + 1], (s->items.len - at) * sizeof(Snapshot *));
    s->stats.version++;
}

static void insert_at(Snapshots *s, size_t at, Snapshot *snapshot)
{
    snapshot_vec_push(&s->items, snapshot);
    memmove(&s->items.items[at + 1], &s->items.items[at], (s->items.len - 1 - at) * sizeof(Snapshot *));
    s->items.items[at] = snapshot;
    s->stats.bytes += snapshot->bytes;
    s->stats.rows_left_out += snapshot->left_out;
    s->stats.version++;
}

/* Takes @fresh over; NULL: it is made here, and goes on from the one before. */
static void exchange(Snapshots *s, SnapshotSource *source, Snapshot *fresh)
{
    const char *database = source->reading->database ? source->reading->database : "";
    const char *family = source->plan->family->name;
    size_t at = position_of(s, family, source->server, database);
    bool known = at < s->items.len && compare_key(s->items.items[at], family, source->server, database) == 0;
    if (!fresh) {
        source->before = known && s->items.items[at]->plan == source->plan ? s->items.items[at] : NULL;
        fresh = snapshot_new(source);
    }
    if (known)
        remove_at(s, at);
    if (s->stats.bytes + fresh->bytes > s->bytes_max) {
        s->stats.readings_left_out++;
        snapshot_free(fresh);
    } else {
        insert_at(s, at, fresh);
    }
}

void snapshots_put(Snapshots *s, SettingsRef *settings, const char *server, const Family *family,
                   const Reading *reading, Usec interval)
{
    pthread_mutex_lock(&s->lock);
    MetricPlan *plan = take_plan(s, settings, family);
    pthread_mutex_unlock(&s->lock);
    if (!plan)
        return;
    SnapshotSource source = {.plan = plan,
                             .server = server,
                             .reading = reading,
                             .expires = reading->wall + INTERVALS_KEPT * interval + GRACE};
    Snapshot *fresh = reading->events_since > 0 ? NULL : snapshot_new(&source);
    pthread_mutex_lock(&s->lock);
    exchange(s, &source, fresh);
    metric_plan_unref(plan);
    pthread_mutex_unlock(&s->lock);
}

/* --- Servers ------------------------------------------------------------------------------------------------------ */

static size_t server_position(const Snapshots *s, const char *name)
{
    size_t at = 0;
    while (at < s->servers.len && strcmp(s->servers.items[at].name, name) < 0)
        at++;
    return at;
}

/* @all: also what was read of its host. */
static void remove_readings(Snapshots *s, const char *server, bool all)
{
    for (size_t at = s->items.len; at-- > 0;) {
        const Snapshot *one = s->items.items[at];
        if (strcmp(one->server, server) == 0 && (all || one->plan->family->scope != FAMILY_SCOPE_HOST))
            remove_at(s, at);
    }
}

void snapshots_note_server(Snapshots *s, const char *server, const SnapshotsServer *now)
{
    pthread_mutex_lock(&s->lock);
    size_t at = server_position(s, server);
    if (at == s->servers.len || strcmp(s->servers.items[at].name, server) != 0) {
        server_vec_push(&s->servers, (SnapshotsServer){0});
        memmove(&s->servers.items[at + 1], &s->servers.items[at], (s->servers.len - 1 - at) * sizeof(SnapshotsServer));
        s->servers.items[at] = (SnapshotsServer){.name = mem_strdup(server)};
    }
    SnapshotsServer *known = &s->servers.items[at];
    known->reachable = now->reachable;
    known->failing = now->failing;
    known->families = now->families;
    if (now->last_wall)
        known->last_wall = now->last_wall;
    if (!now->reachable)
        remove_readings(s, server, false);
    s->stats.version++;
    pthread_mutex_unlock(&s->lock);
}

void snapshots_forget_server(Snapshots *s, const char *server)
{
    pthread_mutex_lock(&s->lock);
    remove_readings(s, server, true);
    size_t at = server_position(s, server);
    if (at < s->servers.len && strcmp(s->servers.items[at].name, server) == 0) {
        free(s->servers.items[at].name);
        s->servers.len--;
        memmove(&s->servers.items[at], &s->servers.items[at + 1], (s->servers.len - at) * sizeof(SnapshotsServer));
    }
    s->stats.version++;
    pthread_mutex_unlock(&s->lock);
}

/* --- Looking ------------------------------------------------------------------------------------------------------ */

void snapshots_stats(Snapshots *s, SnapshotsStats *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = s->stats;
    ret->count = s->items.len;
    pthread_mutex_unlock(&s->lock);
}

SnapshotsView snapshots_lock(Snapshots *s, Usec now_wall)
{
    pthread_mutex_lock(&s->lock);
    for (size_t at = s->items.len; at-- > 0;) {
        if (s->items.items[at]->expires < now_wall)
            remove_at(s, at);
    }
    return (SnapshotsView){
        .items = s->items.items, .count = s->items.len, .servers = s->servers.items, .server_count = s->servers.len};
}

void snapshots_unlock(Snapshots *s)
{
    pthread_mutex_unlock(&s->lock);
}
