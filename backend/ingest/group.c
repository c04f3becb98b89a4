/* SPDX-License-Identifier: PostgreSQL */
/*
 * See the header for the order of things. Documents for the statements are JSON, built in one buffer that is reused.
 * Everything is one writer thread's.
 */
#include "backend/ingest/group.h"

#include <stdlib.h>
#include <string.h>

#include "backend/ingest/encode.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"

enum { OWN_FAMILIES_CACHED_MAX = 1000, SERVERS_CACHED_MAX = 20000, SERIES_PER_SERVER_MAX = 200000 };
static const Usec REFUSAL_LASTS = 60 * USEC_PER_SEC;
static const Usec DAY = 24 * 3600 * USEC_PER_SEC;

typedef struct Server {
    int32_t id;
    int64_t series_count;
} Server;

/* What the store said of a family of users. */
typedef struct OwnKnown {
    char *reason; /* NULL: it has a table */
    Usec at;      /* monotonic */
} OwnKnown;

static void own_known_free(void *value)
{
    OwnKnown *k = value;
    free(k->reason);
    free(k);
}

/* Where the number of a series that the store is asked for goes to. */
typedef struct Miss {
    int32_t *target;
    size_t index; /* of its entry in the question */
} Miss;
DEFINE_VEC(MissVec, miss_vec, Miss)
DEFINE_VEC(ServerVec, server_vec, Server *)

struct Group {
    StoreWriter *writer;
    SeriesCache *series;
    Map *servers;  /* collector '\0' name -> Server * */
    Map *families; /* name -> (void *)family_id */
    Map *own;      /* name '\0' fingerprint -> OwnKnown * */
    Encoder *encoder;
    Buf json;
    Buf key;
    MissVec misses;
    Map *asked;              /* key -> index + 1, within one question */
    ServerVec asked_servers; /* by index */
    GroupStats stats;
};

Group *group_new(Store *store, SeriesCache *series)
{
    Group *g = calloc(1, sizeof *g);
    if (!g)
        abort();
    g->writer = store_writer_new(store);
    g->series = series;
    g->servers = map_new(free);
    g->families = map_new(NULL);
    g->own = map_new(own_known_free);
    g->asked = map_new(NULL);
    g->encoder = encoder_new();
    return g;
}

Group *group_free(Group *g)
{
    if (!g)
        return NULL;
    store_writer_free(g->writer);
    map_free(g->servers);
    map_free(g->families);
    map_free(g->own);
    map_free(g->asked);
    encoder_free(g->encoder);
    buf_done(&g->json);
    buf_done(&g->key);
    miss_vec_done(&g->misses);
    server_vec_done(&g->asked_servers);
    free(g);
    return NULL;
}

void group_forget(Group *g)
{
    map_clear(g->servers);
    map_clear(g->families);
    map_clear(g->own);
    series_cache_clear(g->series);
    store_writer_forget_days(g->writer);
}

GroupStats group_take_stats(Group *g)
{
    GroupStats stats = g->stats;
    g->stats = (GroupStats){0};
    return stats;
}

static void json_begin(Group *g)
{
    buf_clear(&g->json);
    buf_append_char(&g->json, '[');
}

static void json_next(Buf *json)
{
    if (json->len > 1)
        buf_append_char(json, ',');
}

static void json_string(Buf *json, const char *before, Slice value)
{
    buf_append_cstr(json, before);
    if (value.ptr)
        buf_append_json_string(json, value);
    else
        buf_append_cstr(json, "null");
}

static const char *json_end(Buf *json)
{
    buf_append_char(json, ']');
    return buf_cstr(json);
}

static int64_t field_int(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    (void)slice_to_int64(slice_cstr(PQgetvalue(result, row, column)), &value); /* our own statements give integers */
    return value;
}

/* --- servers ---------------------------------------------------------------------------------------------------- */

static Slice server_key(Group *g, const char *collector_id, Slice name)
{
    buf_clear(&g->key);
    buf_append_cstr(&g->key, collector_id);
    buf_append_char(&g->key, '\0');
    buf_append(&g->key, name);
    return buf_slice(&g->key);
}

static Server *find_server(Group *g, const char *collector_id, Slice name)
{
    return map_get(g->servers, server_key(g, collector_id, name));
}

static void want_server(Group *g, const char *collector_id, Slice name)
{
    if (find_server(g, collector_id, name))
        return;
    json_next(&g->json);
    json_string(&g->json, "{\"c\":", slice_cstr(collector_id));
    json_string(&g->json, ",\"n\":", name);
    buf_append_char(&g->json, '}');
}

static int resolve_servers(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    if (map_len(g->servers) > SERVERS_CACHED_MAX)
        map_clear(g->servers);
    json_begin(g);
    for (size_t i = 0; i < count; i++) {
        const IngestBatch *b = batches[i];
        for (size_t j = 0; j < b->push->server_count; j++)
            want_server(g, b->collector_id, b->push->servers[j].name);
        for (size_t j = 0; j < b->checked.frame_count; j++)
            want_server(g, b->collector_id, b->checked.frames[j].frame->server);
        for (size_t j = 0; j < b->checked.text_count; j++)
            want_server(g, b->collector_id, b->checked.texts[j].frame->server);
        for (size_t j = 0; j < b->checked.metric_count; j++)
            want_server(g, b->collector_id, b->checked.metrics[j].server);
    }
    if (g->json.len == 1)
        return 0;

    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_writer_query(g->writer, "write_servers", STORE_PARAMS(json_end(&g->json)), &result, reterr);
    if (r < 0)
        return err_trace(r);
    for (int i = 0; i < PQntuples(result); i++) {
        Server *s = calloc(1, sizeof *s);
        if (!s)
            abort();
        *s = (Server){.id = (int32_t)field_int(result, i, 0), .series_count = field_int(result, i, 3)};
        map_put(g->servers, server_key(g, PQgetvalue(result, i, 1), slice_cstr(PQgetvalue(result, i, 2))), s);
    }
    return 0;
}

/* --- series ----------------------------------------------------------------------------------------------------- */

static void series_key_begin(Group *g, int32_t server_id, const char *family)
{
    buf_clear(&g->key);
    buf_append_u32le(&g->key, (uint32_t)server_id);
    buf_append_cstr(&g->key, family);
    buf_append_char(&g->key, '\0');
}

/* The series in g->key is not known: asks for it, once. True: its labels are to be appended to g->json. */
static bool ask_series(Group *g, Server *server, const char *family, int32_t *target)
{
    void *known = map_get(g->asked, buf_slice(&g->key));
    if (!known && server->series_count >= SERIES_PER_SERVER_MAX)
        return false;
    size_t index = known ? (size_t)(uintptr_t)known - 1 : map_len(g->asked);
    miss_vec_push(&g->misses, (Miss){.target = target, .index = index});
    if (known)
        return false;
    map_put(g->asked, buf_slice(&g->key), (void *)(uintptr_t)(index + 1));
    server_vec_push(&g->asked_servers, server);
    json_next(&g->json);
    buf_printf(&g->json, "{\"i\":%zu,\"s\":%d,\"f\":\"%s\",\"l\":", index, server->id, family);
    return true;
}

static void look_up_frame(Group *g, const IngestBatch *b, CheckedFrame *c, Usec now)
{
    Server *server = find_server(g, b->collector_id, c->frame->server);
    if (!server)
        return; /* the collector does not exist: its batch is refused later */
    c->server_id = server->id;
    for (size_t row = 0; row < c->frame->row_count; row++) {
        if (c->refused && c->refused[row])
            continue;
        series_key_begin(g, server->id, c->family->name);
        encode_series_key(&g->key, c, row);
        c->series[row] = series_cache_get(g->series, buf_slice(&g->key), now);
        if (c->series[row] != 0) {
            g->stats.series_found++;
        } else if (ask_series(g, server, c->family->name, &c->series[row])) {
            encode_series_labels(&g->json, c, row);
            buf_append_char(&g->json, '}');
        }
    }
}

static void look_up_metric(Group *g, const IngestBatch *b, CheckedMetric *m, Usec now)
{
    Server *server = find_server(g, b->collector_id, m->server);
    if (!server)
        return;
    m->server_id = server->id;
    series_key_begin(g, server->id, "custom");
    buf_append(&g->key, m->labels);
    m->series = series_cache_get(g->series, buf_slice(&g->key), now);
    if (m->series != 0) {
        g->stats.series_found++;
    } else if (ask_series(g, server, "custom", &m->series)) {
        buf_append(&g->json, m->labels);
        buf_append_char(&g->json, '}');
    }
}

/* Puts the answers where they were asked for, and into the cache: write_series is a transaction of its own, committed.
 */
static void take_series(Group *g, const PGresult *result, Usec now)
{
    size_t asked = map_len(g->asked);
    int32_t *ids = calloc(asked, sizeof *ids);
    if (!ids)
        abort();
    for (int i = 0; i < PQntuples(result); i++) {
        int64_t index = field_int(result, i, 0);
        if (index < 0 || (size_t)index >= asked)
            continue;
        ids[index] = (int32_t)field_int(result, i, 1);
        g->asked_servers.items[index]->series_count += PQgetvalue(result, i, 2)[0] == 't';
    }
    for (size_t i = 0; i < g->misses.len; i++)
        *g->misses.items[i].target = ids[g->misses.items[i].index];
    Slice key;
    void *value;
    for (size_t at = 0; map_next(g->asked, &at, &key, &value);) {
        int32_t id = ids[(uintptr_t)value - 1];
        if (id != 0)
            series_cache_put(g->series, key, id, now);
    }
    free(ids);
}

/* What still has no series belongs to a server that has too many of them, or to a collector that does not exist. */
static void refuse_without_series(IngestBatch **batches, size_t count)
{
    static const char REASON[] = "the server has reached its bound of 200000 series";
    for (size_t i = 0; i < count; i++) {
        CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; j < c->frame_count; j++)
            for (size_t row = 0; c->frames[j].server_id != 0 && row < c->frames[j].frame->row_count; row++)
                if (c->frames[j].series[row] == 0)
                    check_refuse_row(c, batches[i]->arena, &c->frames[j], row, REASON);
        for (size_t j = c->metric_count; j-- > 0;)
            if (c->metrics[j].server_id != 0 && c->metrics[j].series == 0)
                check_refuse_metric(c, batches[i]->arena, j, REASON);
    }
}

static int resolve_series(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    Usec now = clock_monotonic();
    miss_vec_clear(&g->misses);
    map_clear(g->asked);
    server_vec_clear(&g->asked_servers);
    json_begin(g);
    for (size_t i = 0; i < count; i++) {
        CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; j < c->frame_count; j++)
            look_up_frame(g, batches[i], &c->frames[j], now);
        for (size_t j = 0; j < c->metric_count; j++)
            look_up_metric(g, batches[i], &c->metrics[j], now);
    }
    if (g->misses.len == 0) {
        refuse_without_series(batches, count);
        return 0;
    }

    g->stats.series_asked += map_len(g->asked);
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_writer_query(g->writer, "write_series", STORE_PARAMS(json_end(&g->json)), &result, reterr);
    if (r < 0)
        return err_trace(r);
    take_series(g, result, now);
    refuse_without_series(batches, count);
    return 0;
}

/* --- texts, days ------------------------------------------------------------------------------------------------ */

static const Cell *text_cell(const CheckedFrame *c, size_t row, const char *column)
{
    int16_t source = c->sources[family_find_column(c->family, slice_cstr(column)) - c->family->columns];
    if (source < 0)
        return NULL;
    const Cell *cell = &c->frame->cells[row * c->frame->column_count + (size_t)source];
    return cell->type == CELL_TEXT ? cell : NULL;
}

/* Idempotent, so it needs no place in the transaction and its locks are short. */
static int store_texts(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    json_begin(g);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < batches[i]->checked.text_count; j++) {
            const CheckedFrame *c = &batches[i]->checked.texts[j];
            const Server *server = find_server(g, batches[i]->collector_id, c->frame->server);
            for (size_t row = 0; server && row < c->frame->row_count; row++) {
                const Cell *queryid = text_cell(c, row, "queryid");
                const Cell *query = text_cell(c, row, "query");
                if ((c->refused && c->refused[row]) || !queryid || !query)
                    continue;
                json_next(&g->json);
                buf_printf(&g->json, "{\"s\":%d", server->id);
                json_string(&g->json, ",\"q\":", queryid->text);
                json_string(&g->json, ",\"t\":", query->text);
                buf_append_char(&g->json, '}');
            }
        }
    }
    if (g->json.len == 1)
        return 0;
    _cleanup_pgresult_ PGresult *result = NULL;
    return err_trace(store_writer_query(g->writer, "write_texts", STORE_PARAMS(json_end(&g->json)), &result, reterr));
}

static int ensure_day(Group *g, const char *family, Usec time, Err *reterr)
{
    int r = store_writer_ensure_day(g->writer, family, time / DAY, reterr);
    return r < 0 ? r : store_writer_ensure_day(g->writer, NULL, time / DAY, reterr);
}

static int ensure_days(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < count; i++) {
        const CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; r >= 0 && j < c->frame_count; j++)
            r = ensure_day(g, c->frames[j].family->name, c->frames[j].frame->time, reterr);
        for (size_t j = 0; r >= 0 && j < c->metric_count; j++)
            r = ensure_day(g, "custom", c->metrics[j].time, reterr);
    }
    return err_trace(r);
}

static int load_families(Group *g, Err *reterr)
{
    if (map_len(g->families) > 0)
        return 0;
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_writer_query(g->writer, "write_families", STORE_NO_PARAMS, &result, reterr);
    if (r < 0)
        return err_trace(r);
    for (int i = 0; i < PQntuples(result); i++)
        map_put(g->families, slice_cstr(PQgetvalue(result, i, 0)), (void *)(uintptr_t)field_int(result, i, 1));
    return 0;
}

static Slice own_key(Group *g, const OwnFamily *own)
{
    buf_clear(&g->key);
    buf_append_cstr(&g->key, own->family->name);
    buf_append_char(&g->key, '\0');
    buf_append_u64le(&g->key, own->fingerprint);
    return buf_slice(&g->key);
}

/* Asks the store for a table; *ret_reason: why there is none. What was said is remembered, a refusal for a minute. */
static int make_own_family(Group *g, const OwnFamily *own, Arena *arena, const char **ret_reason, Err *reterr)
{
    Usec now = clock_monotonic();
    OwnKnown *known = map_get(g->own, own_key(g, own));
    *ret_reason = known ? known->reason : NULL;
    if (known && (!known->reason || now < known->at + REFUSAL_LASTS))
        return 0;
    int r = store_writer_make_family(g->writer, own->family, arena, ret_reason, reterr);
    if (r < 0)
        return err_trace(r);
    if (map_len(g->own) >= OWN_FAMILIES_CACHED_MAX)
        map_clear(g->own);
    known = mem_alloc(sizeof *known);
    *known = (OwnKnown){.reason = *ret_reason ? mem_strdup(*ret_reason) : NULL, .at = now};
    *ret_reason = known->reason;
    map_put(g->own, own_key(g, own), known);
    if (r == STORE_FAMILY_OK)
        map_clear(g->families); /* it has a number now */
    else
        log_warn("a family of a collector cannot be stored", log_str("family", own->family->name),
                 log_str("reason", known->reason));
    return 0;
}

static bool has_frames_of(const CheckedBatch *c, const Family *family)
{
    for (size_t i = 0; i < c->frame_count; i++) {
        if (c->frames[i].family == family)
            return true;
    }
    return false;
}

/* Idempotent, so it needs no place in the transaction. */
static int make_own_families(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    for (size_t i = 0; i < count; i++) {
        CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; j < c->own_count; j++) {
            const char *reason = NULL;
            if (!c->own[j].family || !has_frames_of(c, c->own[j].family))
                continue;
            int r = make_own_family(g, &c->own[j], batches[i]->arena, &reason, reterr);
            if (r < 0)
                return err_trace(r);
            if (reason)
                check_refuse_family(c, batches[i]->arena, c->own[j].family, reason);
        }
    }
    return 0;
}

static int prepare(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    int r = store_writer_connect(g->writer, reterr);
    if (r >= 0)
        r = make_own_families(g, batches, count, reterr);
    if (r >= 0)
        r = load_families(g, reterr);
    if (r >= 0)
        r = resolve_servers(g, batches, count, reterr);
    if (r >= 0)
        r = resolve_series(g, batches, count, reterr);
    if (r >= 0)
        r = store_texts(g, batches, count, reterr);
    if (r >= 0)
        r = ensure_days(g, batches, count, reterr);
    return err_trace(r);
}

/* --- the transaction -------------------------------------------------------------------------------------------- */

static Slice position_key(Group *g, const char *collector_id, Slice spool)
{
    return server_key(g, collector_id, spool);
}

static int lock_positions(Group *g, IngestBatch **batches, size_t count, PGresult **ret, Err *reterr)
{
    json_begin(g);
    for (size_t i = 0; i < count; i++) {
        const IngestBatch *b = batches[i];
        const IngestBatch *before = i > 0 ? batches[i - 1] : NULL; /* sorted: equal spools stand together */
        if (b->push->spool.len == 0 || (before && strcmp(before->collector_id, b->collector_id) == 0 &&
                                        slice_eq(before->push->spool, b->push->spool)))
            continue;
        json_next(&g->json);
        json_string(&g->json, "{\"c\":", slice_cstr(b->collector_id));
        json_string(&g->json, ",\"s\":", b->push->spool);
        buf_append_char(&g->json, '}');
    }
    if (g->json.len == 1)
        return 0;
    return err_trace(store_writer_query(g->writer, "write_positions", STORE_PARAMS(json_end(&g->json)), ret, reterr));
}

/* Decides for each batch whether it is new, walking each spool in the order of its sequences. */
static int check_positions(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = lock_positions(g, batches, count, &result, reterr);
    if (r < 0)
        return err_trace(r);
    _cleanup_(map_freep) Map *positions = map_new(NULL); /* collector, spool -> sequence + 1 */
    for (int i = 0; i < PQntuples(result); i++)
        map_put(positions, position_key(g, PQgetvalue(result, i, 0), slice_cstr(PQgetvalue(result, i, 1))),
                (void *)(uintptr_t)(field_int(result, i, 2) + 1));

    for (size_t i = 0; i < count; i++) {
        IngestBatch *b = batches[i];
        b->duplicate = false;
        b->missing = 0;
        if (b->push->spool.len == 0)
            continue;
        void *known = map_get(positions, position_key(g, b->collector_id, b->push->spool));
        if (!known)
            return err_set(reterr, ERR_UNPROCESSABLE, "collector %s is not registered here", b->collector_id);
        int64_t position = (int64_t)(uintptr_t)known - 1;
        b->duplicate = b->push->sequence <= position;
        if (b->duplicate)
            continue;
        /* A spool that is new to this store may go on counting from another one (docs/spool.md, S7). */
        b->missing = position > 0 ? b->push->sequence - position - 1 : 0;
        map_put(positions, position_key(g, b->collector_id, b->push->spool),
                (void *)(uintptr_t)(b->push->sequence + 1));
    }
    return 0;
}

static int copy_rows(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    encoder_clear(g->encoder);
    for (size_t i = 0; i < count; i++) {
        const CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; !batches[i]->duplicate && j < c->frame_count; j++)
            encoder_add_frame(g->encoder, &c->frames[j]);
        for (size_t j = 0; !batches[i]->duplicate && j < c->metric_count; j++)
            encoder_add_metric(g->encoder, &c->metrics[j]);
    }
    const char *family;
    const char *columns;
    Slice data;
    int r = 0;
    for (size_t at = 0; r >= 0 && encoder_next(g->encoder, &at, &family, &columns, &data);)
        r = store_writer_copy(g->writer, family, columns, data, reterr);
    return err_trace(r);
}

static void write_positions(Buf *json, IngestBatch **batches, size_t count)
{
    buf_append_char(json, '[');
    for (size_t i = 0; i < count;) {
        int64_t sequence = 0;
        int64_t missing = 0;
        const IngestBatch *first = batches[i];
        for (; i < count && strcmp(batches[i]->collector_id, first->collector_id) == 0 &&
               slice_eq(batches[i]->push->spool, first->push->spool);
             i++) {
            if (!batches[i]->duplicate)
                sequence = batches[i]->push->sequence;
            missing += batches[i]->missing;
        }
        if (first->push->spool.len == 0 || sequence == 0)
            continue;
        json_next(json);
        json_string(json, "{\"c\":", slice_cstr(first->collector_id));
        json_string(json, ",\"s\":", first->push->spool);
        buf_printf(json, ",\"q\":%lld,\"m\":%lld}", (long long)sequence, (long long)missing);
    }
    buf_append_char(json, ']');
}

static void json_time(Buf *json, const char *before, Usec time)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(time, iso);
    json_string(json, before, time ? slice_cstr(iso) : SLICE_NULL);
}

static void write_server(Buf *json, const PushServer *s, int32_t server_id)
{
    json_next(json);
    buf_printf(json, "{\"i\":%d,\"v\":%lld,\"r\":%s,\"up\":%s,\"d\":%lld", server_id, (long long)s->version_num,
               s->in_recovery ? "true" : "false", s->reachable ? "true" : "false", (long long)s->interval_ms);
    json_string(json, ",\"id\":", s->system_identifier);
    json_string(json, ",\"e\":", s->reachable ? SLICE_NULL : s->error);
    json_time(json, ",\"p\":", s->postmaster_start);
    buf_append_char(json, '}');
}

/* From the last push to the first, so that the newest word on a server is the one that counts. */
static void write_servers(Group *g, Buf *json, IngestBatch **batches, size_t count)
{
    _cleanup_(map_freep) Map *seen = map_new(NULL);
    buf_append_char(json, '[');
    for (size_t i = count; i-- > 0;) {
        const PushBatch *push = batches[i]->push;
        for (size_t j = 0; !batches[i]->duplicate && j < push->server_count; j++) {
            const Server *server = find_server(g, batches[i]->collector_id, push->servers[j].name);
            if (!server || map_has(seen, buf_slice(&g->key)))
                continue;
            map_put(seen, buf_slice(&g->key), (void *)1);
            write_server(json, &push->servers[j], server->id);
        }
    }
    buf_append_char(json, ']');
}

static void write_collectors(Buf *json, IngestBatch **batches, size_t count)
{
    buf_append_char(json, '[');
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && strcmp(batches[i]->collector_id, batches[i + 1]->collector_id) == 0)
            continue; /* sorted: the last one of each */
        json_next(json);
        json_string(json, "{\"c\":", slice_cstr(batches[i]->collector_id));
        json_string(json, ",\"v\":", batches[i]->push->agent_version);
        buf_append_char(json, '}');
    }
    buf_append_char(json, ']');
}

typedef struct ReadingRow {
    Usec time;
    int32_t server_id;
    int64_t interval_ms;
    const char *collector_id;
    size_t rows;
    uintptr_t family_id;
    bool keyframe;
    bool gap;
} ReadingRow;

static void write_reading(Buf *json, const ReadingRow *r)
{
    json_next(json);
    buf_printf(json, "{\"s\":%d,\"d\":%lld,\"n\":%zu,\"f\":%llu,\"k\":%s,\"g\":%s", r->server_id,
               (long long)(r->interval_ms > INT32_MAX ? INT32_MAX : r->interval_ms), r->rows,
               (unsigned long long)r->family_id, r->keyframe ? "true" : "false", r->gap ? "true" : "false");
    json_string(json, ",\"c\":", slice_cstr(r->collector_id));
    json_time(json, ",\"t\":", r->time);
    buf_append_char(json, '}');
}

static void write_readings(Group *g, Buf *json, IngestBatch **batches, size_t count)
{
    uintptr_t custom = (uintptr_t)map_get(g->families, SLICE_LIT("custom"));
    buf_append_char(json, '[');
    for (size_t i = 0; i < count; i++) {
        const CheckedBatch *c = &batches[i]->checked;
        for (size_t j = 0; !batches[i]->duplicate && j < c->frame_count; j++) {
            const PushFrame *frame = c->frames[j].frame;
            write_reading(
                json, &(ReadingRow){.time = frame->time,
                                    .server_id = c->frames[j].server_id,
                                    .interval_ms = frame->interval_ms,
                                    .collector_id = batches[i]->collector_id,
                                    .rows = c->frames[j].row_count,
                                    .family_id = (uintptr_t)map_get(g->families, slice_cstr(c->frames[j].family->name)),
                                    .keyframe = frame->keyframe,
                                    .gap = frame->gap});
        }
        for (size_t j = 0; !batches[i]->duplicate && j < c->metric_count; j++)
            write_reading(json, &(ReadingRow){.time = c->metrics[j].time,
                                              .server_id = c->metrics[j].server_id,
                                              .collector_id = batches[i]->collector_id,
                                              .rows = 1,
                                              .family_id = custom});
    }
    buf_append_char(json, ']');
}

/* Two sorted lists would do; there are at most 50 of each. */
static void take_config_versions(const PGresult *result, IngestBatch **batches, size_t count)
{
    for (int row = 0; row < PQntuples(result); row++) {
        for (size_t i = 0; i < count; i++) {
            if (strcmp(batches[i]->collector_id, PQgetvalue(result, row, 0)) == 0)
                batches[i]->config_version = field_int(result, row, 1);
        }
    }
}

static int write_progress(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    _cleanup_buf_ Buf positions = BUF_INIT;
    _cleanup_buf_ Buf servers = BUF_INIT;
    _cleanup_buf_ Buf collectors = BUF_INIT;
    _cleanup_buf_ Buf readings = BUF_INIT;
    write_positions(&positions, batches, count);
    write_servers(g, &servers, batches, count);
    write_collectors(&collectors, batches, count);
    write_readings(g, &readings, batches, count);
    _cleanup_pgresult_ PGresult *result = NULL;
    int r = store_writer_query(
        g->writer, "write_progress",
        STORE_PARAMS(buf_cstr(&positions), buf_cstr(&servers), buf_cstr(&collectors), buf_cstr(&readings)), &result,
        reterr);
    if (r >= 0)
        take_config_versions(result, batches, count);
    return err_trace(r);
}

static int compare_batches(const void *a, const void *b)
{
    const IngestBatch *x = *(IngestBatch *const *)a;
    const IngestBatch *y = *(IngestBatch *const *)b;
    int order = strcmp(x->collector_id, y->collector_id);
    if (order == 0)
        order = slice_compare(x->push->spool, y->push->spool);
    if (order == 0)
        order = (x->push->sequence > y->push->sequence) - (x->push->sequence < y->push->sequence);
    return order;
}

/* Batches of collectors that do not exist have servers that were not found; their rows would name server 0. */
static int check_collectors(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    for (size_t i = 0; i < count; i++) {
        const IngestBatch *b = batches[i];
        bool found = true;
        for (size_t j = 0; found && j < b->checked.frame_count; j++)
            found = find_server(g, b->collector_id, b->checked.frames[j].frame->server) != NULL;
        for (size_t j = 0; found && j < b->checked.metric_count; j++)
            found = find_server(g, b->collector_id, b->checked.metrics[j].server) != NULL;
        if (!found)
            return err_set(reterr, ERR_UNPROCESSABLE, "collector %s is not registered here", b->collector_id);
    }
    return 0;
}

GroupResult group_store(Group *g, IngestBatch **batches, size_t count, Err *reterr)
{
    qsort(batches, count, sizeof(IngestBatch *), compare_batches);
    int r = prepare(g, batches, count, reterr);
    if (r >= 0)
        r = check_collectors(g, batches, count, reterr);
    if (r >= 0)
        r = store_writer_begin(g->writer, reterr);
    if (r >= 0)
        r = check_positions(g, batches, count, reterr);
    if (r >= 0)
        r = copy_rows(g, batches, count, reterr);
    if (r >= 0)
        r = write_progress(g, batches, count, reterr);
    if (r < 0) {
        store_writer_rollback(g->writer);
        return store_writer_report(g->writer, reterr) ? GROUP_LOST : GROUP_REFUSED;
    }

    r = store_writer_commit(g->writer, reterr);
    if (r < 0) {
        /* A refused commit (a deferred check) is a refusal; a lost one is open. */
        return store_writer_report(g->writer, reterr) ? GROUP_AMBIGUOUS : GROUP_REFUSED;
    }
    (void)store_writer_report(g->writer, NULL);
    return GROUP_STORED;
}
