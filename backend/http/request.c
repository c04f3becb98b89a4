/* SPDX-License-Identifier: PostgreSQL */
/* What handlers do with a request. Nothing here knows the listener, so handlers are tested with plain requests. */
#include "backend/http/http.h"

#include <assert.h>
#include <strings.h>

static const char *const method_names[] = {
    [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH"};
static_assert(ARRAY_LENGTH(method_names) == _HTTP_METHOD_MAX, "every method has a name");

static const char *const role_names[] = {
    [ROLE_NONE] = "none", [ROLE_VIEWER] = "viewer", [ROLE_EDITOR] = "editor", [ROLE_ADMIN] = "admin"};
static_assert(ARRAY_LENGTH(role_names) == _ROLE_MAX, "every role has a name");

const char *http_method_to_string(HttpMethod m)
{
    assert(m < _HTTP_METHOD_MAX);
    return method_names[m];
}

const char *role_to_string(Role role)
{
    assert(role < _ROLE_MAX);
    return role_names[role];
}

bool role_from_string(Slice s, Role *ret)
{
    for (Role role = ROLE_VIEWER; role < _ROLE_MAX; role++) {
        if (slice_eq_cstr(s, role_names[role])) {
            *ret = role;
            return true;
        }
    }
    return false;
}

void http_request_init(HttpRequest *r, Arena *arena)
{
    *r = (HttpRequest){.arena = arena,
                       .path = SLICE_LIT("/"),
                       .request_id = "",
                       .remote_address = "",
                       .body = SLICE_LIT(""),
                       .deadline = USEC_NEVER,
                       .status = 200,
                       .content_type = "application/json"};
}

void http_request_done(HttpRequest *r)
{
    http_field_vec_done(&r->headers);
    http_field_vec_done(&r->query);
    http_field_vec_done(&r->answer_headers);
    buf_done(&r->answer);
}

const char *http_request_header(const HttpRequest *r, const char *name)
{
    for (size_t i = 0; i < r->headers.len; i++) {
        if (strcasecmp(r->headers.items[i].name, name) == 0)
            return r->headers.items[i].value;
    }
    return NULL;
}

const char *http_request_query(const HttpRequest *r, const char *name)
{
    for (size_t i = 0; i < r->query.len; i++) {
        if (strcmp(r->query.items[i].name, name) == 0)
            return r->query.items[i].value;
    }
    return NULL;
}

const char *http_request_cookie(HttpRequest *r, const char *name)
{
    for (size_t i = 0; i < r->headers.len; i++) {
        if (strcasecmp(r->headers.items[i].name, "cookie") != 0)
            continue;
        Slice rest = slice_cstr(r->headers.items[i].value);
        while (rest.ptr) {
            Slice value = slice_trim(slice_split(&rest, ';'));
            Slice key = slice_split(&value, '=');
            if (value.ptr && slice_eq_cstr(key, name))
                return arena_dup(r->arena, value).ptr;
        }
    }
    return NULL;
}

void http_request_add_header(HttpRequest *r, const char *name, const char *value)
{
    assert(!strpbrk(name, "\r\n: ") && !strpbrk(value, "\r\n"));
    (void)http_field_vec_push(
        &r->answer_headers, (HttpField){.name = arena_strdup(r->arena, name), .value = arena_strdup(r->arena, value)});
}
