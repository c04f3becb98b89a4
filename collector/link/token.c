/* SPDX-License-Identifier: PostgreSQL */
/* The collector's token. A token never gets into a log line or an error. */
#include "collector/link/token.h"

#include <openssl/evp.h>

#include "collector/link/backend_answer.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/json/json.h"

enum { TOKEN_MAX = 16 << 10, JSON_DEPTH = 8, TOKEN_MODE = 0600 };

#define BASE64_WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* Base64 with - and _, unpadded (RFC 7515); OpenSSL reads the one with + and /, padded. False: @text is none. */
static bool decode_part(Slice text, Buf *ret)
{
    _cleanup_buf_ Buf padded = BUF_INIT;
    buf_append(&padded, text);
    for (size_t i = 0; i < text.len; i++) {
        char *c = &padded.ptr[i];
        if (*c == '\0' || !strchr(BASE64_WORD, *c))
            return false;
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    }
    for (; padded.len % 4 != 0; buf_append_char(&padded, '='))
        ;
    const size_t padding = padded.len - text.len;
    buf_reserve(ret, padded.len);
    const int len = EVP_DecodeBlock((unsigned char *)ret->ptr, (const unsigned char *)padded.ptr, (int)padded.len);
    if (len < (int)padding || padding > 2) /* one character alone is no byte */
        return false;
    ret->len = (size_t)len - padding;
    return true;
}

Usec token_expiry(Slice token)
{
    Slice rest = token;
    (void)slice_split(&rest, '.'); /* the header */
    const Slice claims = slice_split(&rest, '.');
    if (!claims.ptr || !rest.ptr || token.len > TOKEN_MAX)
        return 0;

    _cleanup_buf_ Buf json = BUF_INIT;
    if (!decode_part(claims, &json))
        return 0;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = TOKEN_MAX, .depth = JSON_DEPTH};
    if (json_parse(buf_slice(&json), limits, &doc, NULL) < 0)
        return 0;
    yyjson_val *exp = yyjson_obj_get(yyjson_doc_get_root(doc), "exp");
    const double seconds = yyjson_get_num(exp);
    return seconds > 0 && seconds < (double)(INT64_MAX / USEC_PER_SEC) ? (Usec)seconds * USEC_PER_SEC : 0;
}

bool token_is_due(Usec expiry, Usec now)
{
    return expiry != 0 && expiry - now < TOKEN_RENEW_BEFORE_DAYS * (Usec)86400 * USEC_PER_SEC;
}

char *token_wipe(char *token)
{
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
    return NULL;
}

static int read_answer(const HttpAnswer *answer, char **ret, Err *reterr)
{
    if (answer->status != 200)
        return backend_error_set(reterr, "renewing the token", answer);
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = TOKEN_MAX * 2, .depth = JSON_DEPTH};
    const int r = json_parse(buf_slice(&answer->body), limits, &doc, reterr);
    yyjson_val *token = r < 0 ? NULL : yyjson_obj_get(yyjson_doc_get_root(doc), "token");
    const size_t len = yyjson_get_len(token);
    if (!yyjson_is_str(token) || len == 0 || len > TOKEN_MAX)
        return err_set(reterr, ERR_UNAVAILABLE, "renewing the token: the answer has no token");
    *ret = mem_dup(yyjson_get_str(token), len);
    return 0;
}

static int request_token(const TokenRenewal *renewal, char **ret, Err *reterr)
{
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%s/api/v1/collectors/refresh-token", renewal->api_url);
    _cleanup_buf_ Buf body = BUF_INIT;
    buf_append_cstr(&body, "{\"collector_id\":");
    buf_append_json_string(&body, slice_cstr(renewal->collector_id));
    buf_append_char(&body, '}');
    _cleanup_(buf_wipe) Buf authorization = BUF_INIT;
    buf_printf(&authorization, "Authorization: Bearer %s", renewal->token);

    const char *const headers[] = {buf_cstr(&authorization), "Content-Type: application/json", NULL};
    const HttpClientRequest request = {
        .method = "POST", .url = buf_cstr(&url), .headers = headers, .body = buf_slice(&body)};
    HttpAnswer answer = HTTP_ANSWER_INIT;
    int r = http_client_send(renewal->http, &request, &answer, reterr);
    if (r == 0)
        r = read_answer(&answer, ret, reterr);
    buf_wipe(&answer.body);
    return err_trace(r);
}

int token_renew(const TokenRenewal *renewal, char **ret, Err *ret_unwritten, Err *reterr)
{
    *ret_unwritten = ERR_INIT;
    const int r = request_token(renewal, ret, reterr);
    if (r < 0)
        return err_trace(r);
    if (renewal->state_dir) {
        _cleanup_buf_ Buf path = BUF_INIT;
        buf_printf(&path, "%s/token", renewal->state_dir);
        if (file_write_atomic(buf_cstr(&path), TOKEN_MODE, slice_cstr(*ret), ret_unwritten) < 0)
            return 0; /* in use all the same: the old one may be past its end */
    }
    return 0;
}
