/* SPDX-License-Identifier: PostgreSQL */
/* The web UI. Answered on I/O threads: nothing is copied, compressed or waited for. */
#include "backend/web/web.h"

#include <stdlib.h>

#include "backend/http/answer.h"

static const char not_built_page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>pgAnalytics</title></head>\n"
    "<body><h1>The web interface is not part of this program</h1>\n"
    "<p>This backend was built without it. <code>make build</code> builds both.\n"
    "The API is complete: <code>/api/v1/health</code>.</p></body></html>\n";

static int compare_path(const void *key, const void *file)
{
    return strcmp(key, ((const WebFile *)file)->path);
}

static const WebFile *find_file(const char *path)
{
    return bsearch(path, web_files, web_file_count, sizeof(WebFile), compare_path);
}

/* A path that people can have in the address bar, other than that of a file or of the API. */
static bool is_view(Slice path)
{
    if (slice_starts_with(path, SLICE_LIT("/api/")) || slice_eq_cstr(path, "/api"))
        return false;
    const char *last = memrchr(path.ptr, '/', path.len);
    return !last || !memchr(last, '.', path.len - (size_t)(last - path.ptr));
}

static void answer_not_built(HttpRequest *r)
{
    r->status = 503;
    r->content_type = "text/html; charset=utf-8";
    r->static_answer = SLICE_LIT(not_built_page);
    http_request_add_header(r, "Cache-Control", "no-store");
}

/* True when one of the tags in an If-None-Match is @tag. */
static bool has_tag(const char *header, const char *tag)
{
    Slice rest = slice_cstr(header);
    while (rest.ptr) {
        Slice one = slice_trim(slice_split(&rest, ','));
        if (slice_starts_with(one, SLICE_LIT("W/")))
            one = slice_skip(one, 2);
        if (slice_eq_cstr(one, tag) || slice_eq_cstr(one, "*"))
            return true;
    }
    return false;
}

static void answer_file(HttpRequest *r, const WebFile *file)
{
    bool gzip = file->gzip && http_answer_accepts_gzip(http_request_header(r, "Accept-Encoding"));
    const char *tag = arena_printf(r->arena, "\"%s%s\"", file->tag, gzip ? "-gzip" : "");
    http_request_add_header(r, "ETag", tag);
    http_request_add_header(r, "Cache-Control", file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (file->gzip)
        http_request_add_header(r, "Vary", "Accept-Encoding");

    if (has_tag(http_request_header(r, "If-None-Match"), tag)) {
        r->status = 304;
        r->static_answer = SLICE_LIT("");
        return;
    }
    r->content_type = file->content_type;
    r->static_answer = gzip ? slice_from(file->gzip, file->gzip_length) : slice_from(file->bytes, file->length);
    if (gzip)
        http_request_add_header(r, "Content-Encoding", "gzip");
}

int web_get(HttpRequest *r, Err *reterr)
{
    Slice path = slice_cstr(arena_printf(r->arena, "/%.*s", SLICE_ARG(r->path_values[0])));
    const WebFile *file = find_file(path.ptr);
    if (!file && !is_view(path))
        return err_set(reterr, ERR_NOT_FOUND, "there is nothing at this path");
    if (!file)
        file = find_file("/index.html");
    if (file)
        answer_file(r, file);
    else
        answer_not_built(r);
    return HTTP_DONE;
}
