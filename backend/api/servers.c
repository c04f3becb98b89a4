/* SPDX-License-Identifier: PostgreSQL */
/* The monitored servers, their time series, statements and activity. Each answer is one statement's JSON. */
#include "backend/api/api.h"
#include "lib/json/json.h"

enum {
    METRICS_NAMES_MAX = 2000, /* bytes of "family.column,..." */
    LABELS_MAX = 4096,        /* bytes */
    GROUP_MAX = 500,          /* bytes */
    POINTS_DEFAULT = 500,
    POINTS_MAX = 11000,
    SERIES_DEFAULT = 50,
    SERIES_MAX = 500,
    ANSWER_POINTS_MAX = POINTS_MAX * SERIES_MAX, /* of all metrics together: some 100 MB of JSON */
    STATEMENTS_DEFAULT = 50,
    STATEMENTS_MAX = 500,
    SAMPLES_STEP_MIN_MS = 10000,
};

/* Steps that people read easily; longer ones are whole days. */
static const int64_t steps_seconds[] = {10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400};

static const int64_t seconds_per_day = 86400;

int server_list(HttpRequest *r, Err *reterr)
{
    const char *cursor;
    int64_t limit, after = 0;

    int p = api_param_int(r, "limit", 1, API_PAGE_MAX, API_PAGE_MAX, &limit, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "cursor", 20, &cursor, reterr);
    if (p < 0)
        return p;
    if (cursor && (!slice_to_int64(slice_cstr(cursor), &after) || after < 0 || after > INT32_MAX))
        return err_set(reterr, ERR_PARAMETER_INVALID, "cursor is not one that a list gave as next_cursor");
    return api_answer_query(r, "servers", STORE_PARAMS(api_int(r, limit), cursor), "the list", reterr);
}

static const char *server_name(HttpRequest *r, const char *id)
{
    return arena_printf(r->arena, "server %s", id);
}

int server_get(HttpRequest *r, Err *reterr)
{
    const char *id;

    int p = api_path_int(r, 0, "server", &id, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "server", STORE_PARAMS(id), server_name(r, id), reterr);
}

/* The shortest of the easy steps that gives at most POINTS_DEFAULT points. */
static int64_t step_default(const ApiRange *range)
{
    int64_t span = (range->to - range->from) / USEC_PER_SEC;
    int64_t wanted = (span + POINTS_DEFAULT - 1) / POINTS_DEFAULT;

    for (size_t i = 0; i < ARRAY_LENGTH(steps_seconds); i++)
        if (steps_seconds[i] >= wanted)
            return steps_seconds[i];
    return (wanted + seconds_per_day - 1) / seconds_per_day * seconds_per_day;
}

/* `step`: seconds, or with a unit. In milliseconds. */
static int param_step(const HttpRequest *r, const ApiRange *range, int64_t *ret_ms, Err *reterr)
{
    const char *text = http_request_query(r, "step");
    int64_t usec = step_default(range) * USEC_PER_SEC;

    if (text && (!slice_to_duration(slice_cstr(text), &usec) || usec < USEC_PER_SEC))
        return err_set(reterr, ERR_PARAMETER_INVALID,
                       "step = \"%.40s\" is not at least one second; give seconds, or 10s, 5m, 1h", text);
    if ((range->to - range->from) / usec > POINTS_MAX)
        return err_set(reterr, ERR_PARAMETER_INVALID, "step = %.40s gives more than %d points for this range", text,
                       POINTS_MAX);
    *ret_ms = usec / USEC_PER_MSEC;
    return 0;
}

/* `labels`: a JSON object whose values are strings. */
static int param_labels(const HttpRequest *r, const char **ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    size_t index, count;
    yyjson_val *key, *value;

    int p = api_param_text(r, "labels", LABELS_MAX, ret, reterr);
    if (p < 0 || !*ret)
        return p;
    p = json_parse(slice_cstr(*ret), (JsonLimits){.bytes = LABELS_MAX, .depth = 2}, &doc, reterr);
    if (p < 0) {
        err_prefix(reterr, "labels");
        return p;
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(doc)))
        return err_set(reterr, ERR_PARAMETER_INVALID, "labels is not a JSON object such as {\"datname\":\"app\"}");
    yyjson_obj_foreach(yyjson_doc_get_root(doc), index, count, key, value)
    {
        if (!yyjson_is_str(value))
            return err_set(reterr, ERR_PARAMETER_INVALID, "labels: the value of \"%.60s\" is not a string",
                           yyjson_get_str(key));
        if (memchr(yyjson_get_str(key), '\0', yyjson_get_len(key)) ||
            memchr(yyjson_get_str(value), '\0', yyjson_get_len(value)))
            return err_set(reterr, ERR_PARAMETER_INVALID, "labels: \"%.60s\" has a NUL character", yyjson_get_str(key));
    }
    return 0;
}

/* Before anything is read: an answer is made in memory, in the store and here. */
static int check_points(const char *metrics, int64_t series, const ApiRange *range, int64_t step_ms, Err *reterr)
{
    int64_t points = (range->to - range->from) / (step_ms * USEC_PER_MSEC) + 1;
    int64_t names = 1;

    for (const char *c = metrics; *c; c++)
        names += *c == ',';
    if (names * series * points > ANSWER_POINTS_MAX)
        return err_set(reterr, ERR_PARAMETER_INVALID,
                       "%lld metrics with up to %lld series of %lld points are too many: ask for fewer metrics, a "
                       "smaller limit or a longer step",
                       (long long)names, (long long)series, (long long)points);
    return 0;
}

int server_metrics(HttpRequest *r, Err *reterr)
{
    const char *id, *metric, *agg, *labels, *group_by;
    int64_t step_ms = 0, limit = 0;
    ApiRange range;

    int p = api_path_int(r, 0, "server", &id, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "metric", METRICS_NAMES_MAX, &metric, reterr);
    if (p < 0)
        return p;
    if (!metric || !metric[0])
        return err_set(reterr, ERR_PARAMETER_INVALID, "metric is missing; give family.column, see /api/v1/families");
    p = api_param_range(r, clock_wall(), &range, reterr);
    if (p < 0)
        return p;
    p = param_step(r, &range, &step_ms, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "agg", 20, &agg, reterr);
    if (p < 0)
        return p;
    p = param_labels(r, &labels, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "group_by", GROUP_MAX, &group_by, reterr);
    if (p < 0)
        return p;
    p = api_param_int(r, "limit", 1, SERIES_MAX, SERIES_DEFAULT, &limit, reterr);
    if (p < 0)
        return p;
    p = check_points(metric, limit, &range, step_ms, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "server_metrics",
                            STORE_PARAMS(id, metric, api_iso(r, range.from), api_iso(r, range.to), api_int(r, step_ms),
                                         agg, labels, group_by, api_int(r, limit)),
                            server_name(r, id), reterr);
}

int server_statements(HttpRequest *r, Err *reterr)
{
    const char *id, *order, *datname, *search;
    int64_t limit;
    ApiRange range;

    int p = api_path_int(r, 0, "server", &id, reterr);
    if (p < 0)
        return p;
    p = api_param_range(r, clock_wall(), &range, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "order", 40, &order, reterr);
    if (p < 0)
        return p;
    p = api_param_int(r, "limit", 1, STATEMENTS_MAX, STATEMENTS_DEFAULT, &limit, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "datname", 63, &datname, reterr);
    if (p < 0)
        return p;
    p = api_param_text(r, "search", 200, &search, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "statements",
                            STORE_PARAMS(id, api_iso(r, range.from), api_iso(r, range.to),
                                         order ? order : "total_exec_time", api_int(r, limit), datname, search),
                            server_name(r, id), reterr);
}

int server_activity(HttpRequest *r, Err *reterr)
{
    const char *id;

    int p = api_path_int(r, 0, "server", &id, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "activity", STORE_PARAMS(id), server_name(r, id), reterr);
}

int server_activity_history(HttpRequest *r, Err *reterr)
{
    const char *id;
    int64_t step_ms = 0, limit = 0;
    ApiRange range;

    int p = api_path_int(r, 0, "server", &id, reterr);
    if (p < 0)
        return p;
    p = api_param_range(r, clock_wall(), &range, reterr);
    if (p < 0)
        return p;
    p = param_step(r, &range, &step_ms, reterr);
    if (p < 0)
        return p;
    if (step_ms < SAMPLES_STEP_MIN_MS)
        return err_set(reterr, ERR_PARAMETER_INVALID, "step = %lld ms is shorter than the 10 s that samples come in",
                       (long long)step_ms);
    p = api_param_int(r, "limit", 1, STATEMENTS_MAX, STATEMENTS_DEFAULT, &limit, reterr);
    if (p < 0)
        return p;
    return api_answer_query(
        r, "activity_history",
        STORE_PARAMS(id, api_iso(r, range.from), api_iso(r, range.to), api_int(r, step_ms), api_int(r, limit)),
        server_name(r, id), reterr);
}

int family_list(HttpRequest *r, Err *reterr)
{
    return api_answer_query(r, "families", STORE_NO_PARAMS, "the list", reterr);
}
