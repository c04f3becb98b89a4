/* SPDX-License-Identifier: PostgreSQL */
/* Reading who this collector is. */
#include "collector/link/identity.h"

#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/json/json.h"

enum { IDENTITY_FILE_MAX = 64 << 10, IDENTITY_DEPTH = 4, ID_MAX = 64, URL_MAX = 2048, NAME_MAX_BYTES = 255 };

void identity_done(Identity *i)
{
    if (i->token)
        explicit_bzero(i->token, strlen(i->token));
    free(i->token);
    free(i->collector_id);
    free(i->api_url);
    *i = (Identity){0};
}

static int parse_identity(Slice text, Identity *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = IDENTITY_FILE_MAX, .depth = IDENTITY_DEPTH};
    int r = json_parse(text, limits, &doc, reterr);
    if (r < 0)
        return err_trace(r);
    JsonReader reader;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    const Slice id = json_take_string(&reader, "collector_id", 1, ID_MAX);
    const Slice url = json_take_string(&reader, "api_url", 1, URL_MAX);
    (void)json_take_optional_string(&reader, "name", NAME_MAX_BYTES); /* for people */
    r = json_reader_finish(&reader);
    if (r < 0)
        return err_trace(r);
    ret->collector_id = mem_dup(id.ptr, id.len);
    ret->api_url = mem_dup(url.ptr, url.len);
    return 0;
}

static int read_token(const char *state_dir, Identity *ret, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/token", state_dir);
    if (!file_exists(buf_cstr(&path)))
        return 0;
    Buf text = BUF_INIT;
    const int r = file_read_all(buf_cstr(&path), IDENTITY_FILE_MAX, &text, reterr);
    if (r == 0) {
        const Slice token = slice_trim(buf_slice(&text));
        ret->token = mem_dup(token.ptr, token.len);
        explicit_bzero(text.ptr, text.len);
    }
    buf_done(&text);
    return err_trace(r);
}

int identity_read(const char *state_dir, Identity *ret, Err *reterr)
{
    *ret = (Identity){0};
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/identity.json", state_dir);
    if (!file_exists(buf_cstr(&path)))
        return IDENTITY_ABSENT;

    _cleanup_buf_ Buf text = BUF_INIT;
    int r = file_read_all(buf_cstr(&path), IDENTITY_FILE_MAX, &text, reterr);
    if (r == 0) {
        r = parse_identity(buf_slice(&text), ret, reterr);
        if (r < 0) {
            err_prefix(reterr, "%s", buf_cstr(&path));
            err_hint(reterr, "register this collector again");
        }
    }
    if (r == 0)
        r = read_token(state_dir, ret, reterr);
    if (r < 0)
        identity_done(ret);
    return err_trace(r);
}
