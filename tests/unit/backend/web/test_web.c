/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/web/web.c"

static const unsigned char script[] = "plain script";
static const unsigned char script_gzip[] = "packed";
static const unsigned char page[] = "<html>";

const WebFile web_files[] = {
    {"/assets/app-1a2b.js", "text/javascript; charset=utf-8", "tag1", script, sizeof script - 1, script_gzip,
     sizeof script_gzip - 1, true},
    {"/index.html", "text/html; charset=utf-8", "tag2", page, sizeof page - 1, NULL, 0, false},
};
const size_t web_file_count = ARRAY_LENGTH(web_files);

typedef struct Case {
    const char *path; /* without the first / */
    const char *accept;
    const char *tag; /* If-None-Match */
    int status;      /* 0: the handler fails */
    const char *body;
    const char *cache;
} Case;

static const char *answer_header(const HttpRequest *r, const char *name)
{
    for (size_t i = 0; i < r->answer_headers.len; i++) {
        if (strcmp(r->answer_headers.items[i].name, name) == 0)
            return r->answer_headers.items[i].value;
    }
    return NULL;
}

static void serves_files_views_and_nothing_else(void **state UNUSED)
{
    static const char forever[] = "public, max-age=31536000, immutable";
    static const Case cases[] = {
        {"", NULL, NULL, 200, "<html>", "no-cache"},
        {"index.html", NULL, NULL, 200, "<html>", "no-cache"},
        {"servers/7", NULL, NULL, 200, "<html>", "no-cache"},
        {"assets/app-1a2b.js", NULL, NULL, 200, "plain script", forever},
        {"assets/app-1a2b.js", "gzip, br", NULL, 200, "packed", forever},
        {"assets/app-1a2b.js", "gzip;q=0", NULL, 200, "plain script", forever},
        {"assets/app-1a2b.js", NULL, "\"tag1\"", 304, "", forever},
        {"assets/app-1a2b.js", NULL, "\"other\", W/\"tag1\"", 304, "", forever},
        {"assets/app-1a2b.js", "gzip", "\"tag1\"", 200, "packed", forever},
        {"assets/app-1a2b.js", "gzip", "\"tag1-gzip\"", 304, "", forever},
        {"", NULL, "\"tag1\"", 200, "<html>", "no-cache"},
        {"assets/gone-9.js", NULL, NULL, 0, NULL, NULL},
        {"favicon.ico", NULL, NULL, 0, NULL, NULL},
        {"api/v1/nothing", NULL, NULL, 0, NULL, NULL},
        {"api", NULL, NULL, 0, NULL, NULL},
        {"../etc/passwd.txt", NULL, NULL, 0, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const Case *c = &cases[i];
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        HttpRequest r;
        Err err = ERR_INIT;
        http_request_init(&r, arena);
        r.path_values[0] = slice_cstr(c->path);
        if (c->accept)
            (void)http_field_vec_push(&r.headers, (HttpField){"Accept-Encoding", c->accept});
        if (c->tag)
            (void)http_field_vec_push(&r.headers, (HttpField){"If-None-Match", c->tag});
        int result = web_get(&r, &err);
        if (c->status == 0) {
            assert_true(result < 0);
            assert_int_equal(err.code, ERR_NOT_FOUND);
        } else {
            if (r.status != c->status || !slice_eq_cstr(r.static_answer, c->body))
                fail_msg("/%s: %d", c->path, r.status);
            assert_string_equal(answer_header(&r, "Cache-Control"), c->cache);
            bool packed = strcmp(c->body, "packed") == 0;
            assert_true(packed == (answer_header(&r, "Content-Encoding") != NULL));
        }
        http_request_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(serves_files_views_and_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
