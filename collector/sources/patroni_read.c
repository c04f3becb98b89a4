/* SPDX-License-Identifier: PostgreSQL */
/* See patroni_read.h. */
#include "collector/sources/patroni_read.h"

#include "collector/sources/json_values.h"

enum { TAGS_MAX = 1000 };

void patroni_answers_done(PatroniAnswers *a)
{
    yyjson_doc_free(a->node);
    yyjson_doc_free(a->cluster);
    yyjson_doc_free(a->history);
    *a = (PatroniAnswers){.node = NULL};
}

int patroni_parse(Slice text, yyjson_doc **ret, Err *reterr)
{
    JsonLimits limits = {.bytes = PATRONI_ANSWER_MAX, .depth = PATRONI_DEPTH_MAX};
    return err_trace(json_parse(text, limits, ret, reterr));
}

int patroni_check(const PatroniAnswers *a, Err *reterr)
{
    if (a->node && !yyjson_is_obj(yyjson_doc_get_root(a->node)))
        return err_set(reterr, ERR_UNPROCESSABLE, "the answer to GET /patroni is no object");
    if (a->history && !yyjson_is_arr(yyjson_doc_get_root(a->history)))
        return err_set(reterr, ERR_UNPROCESSABLE, "the answer to GET /history is no list");
    if (!a->cluster)
        return 0;
    yyjson_val *members = yyjson_obj_get(yyjson_doc_get_root(a->cluster), "members");
    if (!yyjson_is_arr(members))
        return err_set(reterr, ERR_UNPROCESSABLE, "the answer to GET /cluster has no list of members");
    if (yyjson_arr_size(members) > PATRONI_MEMBERS_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a cluster of %zu members is more than %d", yyjson_arr_size(members),
                       PATRONI_MEMBERS_MAX);
    return 0;
}

static yyjson_val *root_of(yyjson_doc *doc)
{
    return yyjson_doc_get_root(doc);
}

void patroni_fill_node(Rows *rows, const PatroniAnswers *a)
{
    yyjson_val *node = root_of(a->node);
    yyjson_val *patroni = yyjson_obj_get(node, "patroni");
    yyjson_val *xlog = yyjson_obj_get(node, "xlog");
    json_row_text(rows, "version", patroni, "version");
    json_row_text(rows, "scope", patroni, "scope");
    json_row_text(rows, "role", node, "role");
    json_row_text(rows, "server_state", node, "state");
    json_row_int(rows, "server_version", node, "server_version");
    json_row_int(rows, "timeline", node, "timeline");
    json_row_time(rows, "postmaster_start_time", node, "postmaster_start_time");
    json_row_int(rows, "wal_position", xlog, "replayed_location");
    json_row_int(rows, "wal_position", xlog, "location");
    json_row_int(rows, "received_position", xlog, "received_location");
    if (yyjson_obj_get(xlog, "paused"))
        rows_set_int(rows, "replay_paused", json_value_bool(xlog, "paused"));
    rows_set_int(rows, "pending_restart", json_value_bool(node, "pending_restart"));
    rows_set_int(rows, "cluster_unlocked", json_value_bool(node, "cluster_unlocked"));
    rows_set_int(rows, "failsafe_active", json_value_bool(node, "failsafe_mode_is_active"));
    rows_set_int(rows, "paused", json_value_bool(node, "pause"));
    json_row_time(rows, "dcs_last_seen", node, "dcs_last_seen");
}

static bool leads(yyjson_val *member)
{
    Slice role = json_value_text(member, "role");
    return slice_eq_cstr(role, "leader") || slice_eq_cstr(role, "standby_leader");
}

static bool runs(yyjson_val *member)
{
    static const char *const RUNNING[] = {"running", "streaming", "in archive recovery"};
    Slice state = json_value_text(member, "state");
    for (size_t i = 0; i < ARRAY_LENGTH(RUNNING); i++) {
        if (slice_eq_cstr(state, RUNNING[i]))
            return true;
    }
    return false;
}

static void fill_tags(Rows *rows, yyjson_val *tags)
{
    size_t len = 0;
    char *text = yyjson_is_obj(tags) && yyjson_obj_size(tags) > 0 ? yyjson_val_write(tags, 0, &len) : NULL;
    if (text && len <= TAGS_MAX)
        rows_set_text(rows, "tags", slice_from(text, len));
    free(text);
}

static void fill_member(Rows *rows, yyjson_val *member)
{
    rows_set_text(rows, "member", json_value_text(member, "name"));
    json_row_text(rows, "role", member, "role");
    json_row_text(rows, "state", member, "state");
    json_row_text(rows, "host", member, "host");
    json_row_text(rows, "api_url", member, "api_url");
    fill_tags(rows, yyjson_obj_get(member, "tags"));
    rows_set_int(rows, "leader", leads(member));
    rows_set_int(rows, "running", runs(member));
    json_row_int(rows, "port", member, "port");
    json_row_int(rows, "timeline", member, "timeline");
    json_row_int(rows, "lag", member, "lag"); /* "unknown" is no number */
    json_row_int(rows, "receive_lag", member, "receive_lag");
    json_row_int(rows, "replay_lag", member, "replay_lag");
    rows_set_int(rows, "pending_restart", json_value_bool(member, "pending_restart"));
    rows_set_int(rows, "scheduled_restart", yyjson_is_obj(yyjson_obj_get(member, "scheduled_restart")));
}

void patroni_fill_members(SourceFamilies *families, const char *source, const PatroniAnswers *a)
{
    size_t index, count;
    yyjson_val *member;
    yyjson_arr_foreach(yyjson_obj_get(root_of(a->cluster), "members"), index, count, member)
    {
        if (!json_value_text(member, "name").ptr)
            continue; /* without a name it has no identity */
        Rows *rows = source_families_add(families, PATRONI_MEMBER, source, "");
        if (!rows)
            return;
        fill_member(rows, member);
    }
}

/* A line of the history: [timeline, position, reason, time, new leader]; older ones end behind the reason. */
static void fill_history(Rows *rows, yyjson_doc *history)
{
    yyjson_val *lines = root_of(history);
    rows_set_int(rows, "failovers", (int64_t)yyjson_arr_size(lines));
    yyjson_val *last = yyjson_arr_get_last(lines);
    yyjson_val *reason = yyjson_arr_get(last, 2), *time = yyjson_arr_get(last, 3);
    Usec wall;
    if (yyjson_is_str(reason))
        rows_set_text(rows, "last_failover_reason", slice_from(yyjson_get_str(reason), yyjson_get_len(reason)));
    if (yyjson_is_str(time) && clock_parse_iso(slice_from(yyjson_get_str(time), yyjson_get_len(time)), &wall))
        rows_set_float(rows, "last_failover_time", (double)wall / (double)USEC_PER_SEC);
}

void patroni_fill_cluster(SourceFamilies *families, const char *source, const PatroniAnswers *a)
{
    if (!a->cluster)
        return;
    Rows *rows = source_families_add(families, PATRONI_CLUSTER, source, "");
    if (!rows)
        return;
    yyjson_val *cluster = root_of(a->cluster), *members = yyjson_obj_get(cluster, "members"), *member;
    int64_t running = 0, sync = 0, max_lag = -1;
    bool has_leader = false;
    size_t index, count;
    yyjson_arr_foreach(members, index, count, member)
    {
        int64_t lag;
        running += runs(member);
        sync += slice_eq_cstr(json_value_text(member, "role"), "sync_standby");
        if (json_value_int(member, "lag", &lag) && lag > max_lag)
            max_lag = lag;
        if (!leads(member))
            continue;
        has_leader = true;
        json_row_text(rows, "leader", member, "name");
        json_row_int(rows, "timeline", member, "timeline");
    }
    rows_set_int(rows, "has_leader", has_leader);
    rows_set_int(rows, "members", (int64_t)yyjson_arr_size(members));
    rows_set_int(rows, "running_members", running);
    rows_set_int(rows, "sync_standbys", sync);
    if (max_lag >= 0)
        rows_set_int(rows, "max_lag", max_lag);
    rows_set_int(rows, "paused", json_value_bool(cluster, "pause"));
    rows_set_int(rows, "scheduled_switchover", yyjson_is_obj(yyjson_obj_get(cluster, "scheduled_switchover")));
    if (a->history)
        fill_history(rows, a->history);
}
