/* SPDX-License-Identifier: PostgreSQL */
/*
 * Router. Each pattern is cut into parts once. Matching walks the rows in order of rank (literal parts before {name}
 * before {name...}, left to right), so the first match is the best one. With some fifty rows a walk that compares
 * lengths first costs well under a microsecond; nothing cleverer is needed.
 */
#include "backend/http/router.h"

#include <errno.h>

#include "backend/http/target.h"

enum { PARTS_MAX = 8 };

typedef enum PartKind { PART_LITERAL, PART_NAME, PART_REST } PartKind;

typedef struct Part {
    PartKind kind;
    Slice text; /* without braces and dots */
} Part;

typedef struct Row {
    const HttpRoute *route;
    size_t index;
    Part parts[PARTS_MAX];
    size_t part_count;
} Row;

struct HttpRouter {
    Row *rows; /* by rank */
    size_t count;
};

static int parse_part(Slice text, Part *ret)
{
    bool braces = text.len > 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}';
    if (!braces) {
        *ret = (Part){.kind = PART_LITERAL, .text = text};
        return memchr(text.ptr, '{', text.len) || memchr(text.ptr, '}', text.len) ? -EINVAL : 0;
    }
    Slice name = slice_from(text.ptr + 1, text.len - 2);
    bool rest = slice_ends_with(name, SLICE_LIT("..."));
    *ret = (Part){.kind = rest ? PART_REST : PART_NAME, .text = slice_from(name.ptr, name.len - (rest ? 3 : 0))};
    return 0;
}

static int parse_pattern(Row *row, Err *reterr)
{
    const char *pattern = row->route->pattern;
    Slice rest = slice_cstr(pattern);
    if (rest.len == 0 || rest.ptr[0] != '/')
        return err_set(reterr, ERR_INTERNAL, "route pattern \"%s\" does not begin with /", pattern);

    rest = slice_skip(rest, 1);
    size_t names = 0;
    while (rest.ptr) {
        if (row->part_count == PARTS_MAX)
            return err_set(reterr, ERR_INTERNAL, "route pattern \"%s\" has more than %d parts", pattern, PARTS_MAX);
        Part *part = &row->parts[row->part_count++];
        if (parse_part(slice_split(&rest, '/'), part) < 0)
            return err_set(reterr, ERR_INTERNAL, "route pattern \"%s\" has a stray brace", pattern);
        if (part->kind == PART_REST && rest.ptr)
            return err_set(reterr, ERR_INTERNAL, "route pattern \"%s\": {...} is not the last part", pattern);
        if (part->kind != PART_LITERAL && ++names > HTTP_PATH_VALUES_MAX)
            return err_set(reterr, ERR_INTERNAL, "route pattern \"%s\" has too many {names}", pattern);
    }
    return 0;
}

/* Literal parts first; of equal kinds the text decides, so that rows of the same shape stand together. */
static int compare_rows(const void *left, const void *right)
{
    const Row *a = left;
    const Row *b = right;
    for (size_t i = 0; i < a->part_count && i < b->part_count; i++) {
        if (a->parts[i].kind != b->parts[i].kind)
            return a->parts[i].kind < b->parts[i].kind ? -1 : 1;
        int order = a->parts[i].kind == PART_LITERAL ? slice_compare(a->parts[i].text, b->parts[i].text) : 0;
        if (order != 0)
            return order;
    }
    if (a->part_count != b->part_count)
        return a->part_count < b->part_count ? -1 : 1;
    return (int)a->route->method - (int)b->route->method;
}

static int check_route(const HttpRoute *route, Err *reterr)
{
    if (!route->handler)
        return err_set(reterr, ERR_INTERNAL, "route \"%s\" has no handler", route->pattern);
    if (!route->summary || route->summary[0] == '\0')
        return err_set(reterr, ERR_INTERNAL, "route \"%s\" has no summary", route->pattern);
    if (route->inline_answer && (route->access != ACCESS_ANYONE || route->body_limit > 0))
        return err_set(reterr, ERR_INTERNAL, "route \"%s\" is answered inline but needs a check or a body",
                       route->pattern);
    return 0;
}

int http_router_new(HttpRouter **ret, const HttpRoute *routes, size_t count, Err *reterr)
{
    _cleanup_(http_router_freep) HttpRouter *router = calloc(1, sizeof *router);
    if (!router || !(router->rows = calloc(count ? count : 1, sizeof(Row))))
        return err_set(reterr, ERR_OUT_OF_MEMORY, "route table");

    for (size_t i = 0; i < count; i++) {
        Row *row = &router->rows[i];
        *row = (Row){.route = &routes[i], .index = i};
        int r = check_route(&routes[i], reterr);
        if (r == 0)
            r = parse_pattern(row, reterr);
        if (r < 0)
            return r;
    }
    router->count = count;
    qsort(router->rows, count, sizeof(Row), compare_rows);
    for (size_t i = 1; i < count; i++) {
        if (compare_rows(&router->rows[i - 1], &router->rows[i]) == 0)
            return err_set(reterr, ERR_INTERNAL, "two routes for %s \"%s\"",
                           http_method_to_string(router->rows[i].route->method), router->rows[i].route->pattern);
    }
    *ret = TAKE_PTR(router);
    return 0;
}

HttpRouter *http_router_free(HttpRouter *r)
{
    if (r) {
        free(r->rows);
        free(r);
    }
    return NULL;
}

/* True when @path has the shape of @row; raw values of the {name} parts go to @values. */
static bool row_matches(const Row *row, Slice path, Slice values[HTTP_PATH_VALUES_MAX])
{
    size_t names = 0;
    Slice rest = slice_skip(path, 1);
    for (size_t i = 0; i < row->part_count; i++) {
        if (!rest.ptr)
            return false;
        if (row->parts[i].kind == PART_REST) {
            values[names] = rest;
            return true;
        }
        Slice text = slice_split(&rest, '/');
        if (row->parts[i].kind == PART_NAME) {
            if (text.len == 0)
                return false;
            values[names++] = text;
        } else if (!slice_eq(text, row->parts[i].text)) {
            return false;
        }
    }
    return !rest.ptr;
}

/* Such a row is a last resort; that it would take another method does not make a path exist. */
static bool takes_rest(const Row *row)
{
    return row->part_count > 0 && row->parts[row->part_count - 1].kind == PART_REST;
}

static int decode_values(const Row *row, const Slice *raw, Arena *arena, HttpMatch *ret, Err *reterr)
{
    size_t names = 0;
    for (size_t i = 0; i < row->part_count; i++) {
        if (row->parts[i].kind == PART_LITERAL)
            continue;
        int r = http_target_decode(raw[names], false, arena, &ret->path_values[names], reterr);
        if (r < 0)
            return r;
        names++;
    }
    return 0;
}

int http_router_match(const HttpRouter *r, HttpMethod method, Slice path, Arena *arena, HttpMatch *ret, Err *reterr)
{
    *ret = (HttpMatch){0};
    if (path.len == 0 || path.ptr[0] != '/')
        return HTTP_ROUTER_NO_PATH;
    for (size_t i = 0; i < r->count; i++) {
        const Row *row = &r->rows[i];
        Slice values[HTTP_PATH_VALUES_MAX] = {0};
        if (!row_matches(row, path, values))
            continue;
        if (row->route->method != method) {
            ret->allowed |= takes_rest(row) ? 0 : 1U << row->route->method;
            continue;
        }
        ret->route = row->route;
        ret->index = row->index;
        int failed = decode_values(row, values, arena, ret, reterr);
        return failed < 0 ? failed : HTTP_ROUTER_FOUND;
    }
    return ret->allowed ? HTTP_ROUTER_NO_METHOD : HTTP_ROUTER_NO_PATH;
}

void http_router_write_allowed(unsigned allowed, Buf *out)
{
    const char *separator = "";
    for (HttpMethod m = HTTP_GET; m < _HTTP_METHOD_MAX; m++) {
        if (!(allowed & (1U << m)))
            continue;
        buf_append_cstr(out, separator);
        buf_append_cstr(out, http_method_to_string(m));
        if (m == HTTP_GET)
            buf_append_cstr(out, ", HEAD");
        separator = ", ";
    }
}
