/* SPDX-License-Identifier: PostgreSQL */
/* Answers. Handlers give JSON and a status; everything that all answers have in common is added here. */
#include "backend/http/answer.h"

#include <strings.h>

#include "lib/wire/compress.h"

enum { COMPRESS_FROM_BYTES = 1400 }; /* below that it fits one packet anyway */

/* No inline script. Inline style attributes are needed: uPlot and React place elements by them. */
const HttpField http_answer_security_headers[] = {
    {"Strict-Transport-Security", "max-age=31536000"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "same-origin"},
    {"Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                                "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
    {NULL, NULL},
};

/* What may be wrong with a part of ours is for the log; what is wrong with the request is for the client. */
static bool detail_is_for_client(ErrCode code)
{
    int status = err_code_http_status(code);
    return status < 500 || code == ERR_UNAVAILABLE;
}

void http_answer_write_error(const Err *err, const char *request_id, Buf *out)
{
    bool tell = detail_is_for_client(err->code) && err->detail[0] != '\0';
    buf_append_cstr(out, "{\"error\":{\"code\":");
    buf_append_json_string(out, slice_cstr(err_code_slug(err->code)));
    buf_append_cstr(out, ",\"message\":");
    buf_append_json_string(out, slice_cstr(tell ? err->detail : err_code_text(err->code)));
    if (tell && err->hint[0] != '\0') {
        buf_append_cstr(out, ",\"hint\":");
        buf_append_json_string(out, slice_cstr(err->hint));
    }
    buf_append_cstr(out, ",\"request_id\":");
    buf_append_json_string(out, slice_cstr(request_id));
    buf_append_cstr(out, "}}\n");
}

/* The quality of one entry such as "gzip;q=0.5" is zero. */
static bool is_refused(Slice parameters)
{
    Slice q = slice_trim(parameters);
    double value = 1;
    if (slice_starts_with(q, SLICE_LIT("q=")))
        return slice_to_double(slice_skip(q, 2), &value) && value <= 0;
    return false;
}

bool http_answer_accepts_gzip(const char *accept_encoding)
{
    Slice rest = slice_cstr(accept_encoding);
    bool any = false;
    while (rest.ptr) {
        Slice parameters = slice_split(&rest, ',');
        Slice coding = slice_trim(slice_split(&parameters, ';'));
        bool refused = parameters.ptr && is_refused(parameters);
        if (coding.len == 4 && strncasecmp(coding.ptr, "gzip", 4) == 0)
            return !refused;
        if (slice_eq_cstr(coding, "*"))
            any = !refused;
    }
    return any;
}

static bool is_compressible(const char *content_type)
{
    static const char *const prefixes[] = {"application/json", "text/", "application/javascript", "image/svg+xml"};
    for (size_t i = 0; content_type && i < ARRAY_LENGTH(prefixes); i++) {
        if (slice_starts_with(slice_cstr(content_type), slice_cstr(prefixes[i])))
            return true;
    }
    return false;
}

static bool has_answer_header(const HttpRequest *r, const char *name)
{
    for (size_t i = 0; i < r->answer_headers.len; i++) {
        if (strcasecmp(r->answer_headers.items[i].name, name) == 0)
            return true;
    }
    return false;
}

void http_answer_compress(HttpRequest *r)
{
    if (r->answer.len < COMPRESS_FROM_BYTES || !is_compressible(r->content_type) ||
        has_answer_header(r, "Content-Encoding"))
        return;
    http_request_add_header(r, "Vary", "Accept-Encoding");
    if (!http_answer_accepts_gzip(http_request_header(r, "Accept-Encoding")))
        return;

    Buf compressed = BUF_INIT;
    if (wire_compress(WIRE_GZIP, buf_slice(&r->answer), &compressed, NULL) < 0) {
        buf_done(&compressed); /* out of memory: the plain answer will do */
        return;
    }
    buf_done(&r->answer);
    r->answer = compressed;
    http_request_add_header(r, "Content-Encoding", "gzip");
}

void http_answer_compose(HttpRequest *r, int result, const Err *err)
{
    if (result < 0) {
        static const Err unknown = {.code = ERR_INTERNAL};
        const Err *cause = err && err->code != ERR_NONE ? err : &unknown;
        r->status = err_code_http_status(cause->code);
        r->content_type = "application/json";
        r->static_answer = SLICE_NULL;
        buf_clear(&r->answer);
        http_answer_write_error(cause, r->request_id, &r->answer);
    }
    if (!r->static_answer.ptr)
        http_answer_compress(r);
    /* Answers of the API may hold what only this user may see. */
    if (!has_answer_header(r, "Cache-Control"))
        http_request_add_header(r, "Cache-Control", "no-store");
}

const char *http_answer_allowed_origin(const char *origins, const char *origin, Arena *arena)
{
    Slice rest = slice_cstr(origins);
    while (rest.ptr && origin) {
        Slice allowed = slice_trim(slice_split(&rest, ','));
        if (allowed.len > 0 && slice_eq_cstr(allowed, origin))
            return arena_dup(arena, allowed).ptr;
    }
    return NULL;
}
