/* SPDX-License-Identifier: PostgreSQL */
/*
 * What collectors are told to collect. A document is checked here as the collector will check it (lib/catalog/
 * collection.h), so that what is stored can be read; whether it works on that server is the collector's to find out,
 * who says so when it asks the next time.
 */
#include <stdlib.h>

#include "backend/api/api.h"
#include "lib/catalog/collection.h"
#include "lib/json/json.h"

enum { REASON_MAX = 1000, ETAG_MAX = 64 };

/* A collector may ask for its own only. */
static int check_path(const HttpRequest *r, Err *reterr)
{
    int p = api_path_uuid(r, 0, "collector", reterr);
    if (p < 0)
        return p;
    if (r->principal.collector_id && !slice_eq_cstr(r->path_values[0], r->principal.collector_id))
        return err_set(reterr, ERR_IDENTITY_MISMATCH, "the configuration of collector %s is not yours",
                       r->path_values[0].ptr);
    return 0;
}

/* The next of a list such as `"a", W/"b"` without quotes; absent at the end. */
static Slice next_tag(Slice *rest)
{
    if (!rest->ptr)
        return SLICE_NULL;
    Slice tag = slice_trim(slice_split(rest, ','));
    if (slice_starts_with(tag, SLICE_LIT("W/")))
        tag = slice_skip(tag, 2);
    if (tag.len >= 2 && tag.ptr[0] == '"' && tag.ptr[tag.len - 1] == '"')
        tag = slice_from(tag.ptr + 1, tag.len - 2);
    return tag;
}

static bool header_has_tag(const char *header, Slice etag)
{
    Slice rest = slice_cstr(header);
    for (Slice tag = header ? next_tag(&rest) : SLICE_NULL; tag.ptr; tag = next_tag(&rest)) {
        if (slice_eq_cstr(tag, "*") || slice_eq(tag, etag))
            return true;
    }
    return false;
}

static void add_etag(HttpRequest *r, const char *etag)
{
    http_request_add_header(r, "ETag", arena_printf(r->arena, "\"%s\"", etag));
}

/* What the collector says of the versions that it was given: ?applied=6&refused=7&reason=... */
static int take_report(HttpRequest *r, Err *reterr)
{
    _cleanup_buf_ Buf ignored = BUF_INIT;
    int64_t applied, refused;
    const char *reason;

    if (!r->principal.collector_id || !http_request_query(r, "applied"))
        return 0;
    int p = api_param_int(r, "applied", 0, INT32_MAX, 0, &applied, reterr);
    if (p >= 0)
        p = api_param_int(r, "refused", 1, INT32_MAX, 0, &refused, reterr);
    if (p >= 0)
        p = api_param_text(r, "reason", REASON_MAX, &reason, reterr);
    if (p < 0)
        return p;
    p = store_query(r->backend->store, "config_report",
                    STORE_PARAMS(r->principal.collector_id, api_int(r, applied), refused ? api_int(r, refused) : NULL,
                                 refused ? reason : NULL),
                    r->deadline, &ignored, reterr);
    return p < 0 ? p : 0;
}

static int query_json(HttpRequest *r, const char *query, StoreParams params, yyjson_doc **ret, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    int q = store_query(r->backend->store, query, params, r->deadline, &text, reterr);
    if (q == STORE_EMPTY)
        return err_set(reterr, ERR_NOT_FOUND, "collector %s, or this version of its configuration, does not exist",
                       r->path_values[0].ptr);
    if (q < 0)
        return q;
    return json_parse(buf_slice(&text), (JsonLimits){.bytes = 8 * (size_t)COLLECTION_DOCUMENT_MAX, .depth = 4}, ret,
                      reterr);
}

static const char *member_text(yyjson_doc *doc, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), name));
    return text ? text : "";
}

int config_get(HttpRequest *r, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    int64_t version = 0;

    int p = check_path(r, reterr);
    if (p >= 0)
        p = api_param_int(r, "version", 1, INT32_MAX, 0, &version, reterr);
    if (p >= 0)
        p = take_report(r, reterr);
    if (p >= 0)
        p = query_json(r, "config_get", STORE_PARAMS(r->path_values[0].ptr, version ? api_int(r, version) : NULL), &doc,
                       reterr);
    if (p < 0)
        return p;
    const char *etag = member_text(doc, "etag");
    add_etag(r, etag);
    if (header_has_tag(http_request_header(r, "If-None-Match"), slice_cstr(etag))) {
        r->status = 304;
        r->content_type = NULL;
        return HTTP_DONE;
    }
    r->content_type = "application/toml";
    buf_append_cstr(&r->answer, member_text(doc, "document"));
    return HTTP_DONE;
}

int config_versions(HttpRequest *r, Err *reterr)
{
    int p = check_path(r, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "config_versions", STORE_PARAMS(r->path_values[0].ptr),
                            arena_printf(r->arena, "collector %s", r->path_values[0].ptr), reterr);
}

/* --- PUT ---------------------------------------------------------------------------------------------------------- */

static void put_text(Buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    buf_append_json_string(out, slice_cstr(value ? value : ""));
}

/* The usual error with one entry a fault beside it. */
static int answer_faults(HttpRequest *r, const ConfDiags *diags)
{
    size_t count = conf_diags_count(diags);
    Buf *out = &r->answer;

    r->status = err_code_http_status(ERR_CONFIG);
    buf_printf(out, "{\"error\":{\"code\":\"%s\",\"message\":\"the configuration has %zu fault%s\",\"details\":[",
               err_code_slug(ERR_CONFIG), count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        const ConfDiag *d = conf_diags_at(diags, i);
        buf_printf(out, "%s{\"line\":%u,\"column\":%u", i > 0 ? "," : "", (unsigned)d->line, (unsigned)d->column);
        put_text(out, "section", d->section);
        put_text(out, "key", d->key);
        if (d->value)
            put_text(out, "value", d->value);
        put_text(out, "message", d->message);
        put_text(out, "hint", d->hint);
        buf_append_char(out, '}');
    }
    buf_append_cstr(out, "]");
    put_text(out, "request_id", r->request_id);
    buf_append_cstr(out, "}}\n");
    return HTTP_DONE;
}

/* NULL: any version may be replaced. */
static int read_if_match(HttpRequest *r, const char **ret, Err *reterr)
{
    const char *header = http_request_header(r, "If-Match");
    Slice rest = slice_cstr(header);

    *ret = NULL;
    if (!header)
        return 0;
    Slice tag = next_tag(&rest);
    if (rest.ptr || tag.len == 0 || tag.len > ETAG_MAX)
        return err_set(reterr, ERR_PARAMETER_INVALID, "If-Match has to be one entity tag, as an answer gave it, or *");
    if (!slice_eq_cstr(tag, "*"))
        *ret = arena_dup(r->arena, tag).ptr;
    return 0;
}

int config_put(HttpRequest *r, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    const char *replaces;

    int p = check_path(r, reterr);
    if (p >= 0)
        p = read_if_match(r, &replaces, reterr);
    if (p < 0)
        return p;
    Slice text = r->body.ptr ? r->body : SLICE_LIT("");
    collection_check(text, "configuration", diags);
    if (conf_diags_count(diags) > 0)
        return answer_faults(r, diags);

    p = query_json(r, "config_put",
                   STORE_PARAMS(r->path_values[0].ptr, arena_dup(r->arena, text).ptr, replaces, r->principal.login,
                                r->remote_address),
                   &doc, reterr);
    if (p < 0)
        return p;
    const char *etag = member_text(doc, "etag");
    int64_t version = yyjson_get_sint(yyjson_obj_get(yyjson_doc_get_root(doc), "version"));
    if (version == 0)
        return err_set(reterr, ERR_PRECONDITION, "the configuration is \"%s\" now: read it and change that", etag);
    add_etag(r, etag);
    buf_printf(&r->answer, "{\"collector_id\":\"%s\",\"version\":%lld,\"etag\":\"%s\"}",
               member_text(doc, "collector_id"), (long long)version, etag);
    return HTTP_DONE;
}
