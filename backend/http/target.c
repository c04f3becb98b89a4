/* SPDX-License-Identifier: PostgreSQL */
/* Request targets. The listener takes the raw target and not libmicrohttpd's decoded one: that has %2F as '/', and %00
 * as the end of the text. */
#include "backend/http/target.h"

typedef struct DecodeRules {
    bool plus_is_blank;
    bool lines; /* CR, LF and TAB are allowed */
} DecodeRules;

static bool is_refused(char c, DecodeRules rules)
{
    if (rules.lines && (c == '\n' || c == '\r' || c == '\t'))
        return false;
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int decode(Slice text, DecodeRules rules, Arena *arena, Slice *ret, Err *reterr)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && rules.plus_is_blank) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? char_hex_value(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? char_hex_value(text.ptr[i + 2]) : -1;
            if (low < 0)
                return err_set(reterr, ERR_PARAMETER_INVALID, "a percent escape in the address is not two hex digits");
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (is_refused(c, rules))
            return err_set(reterr, ERR_PARAMETER_INVALID, "a control character is not allowed in the address");
        out[len++] = c;
    }
    out[len] = '\0';
    *ret = slice_from(out, len);
    if (!slice_is_utf8(*ret))
        return err_set(reterr, ERR_PARAMETER_INVALID, "the address is not UTF-8");
    return 0;
}

int http_target_decode(Slice text, bool plus_is_blank, Arena *arena, Slice *ret, Err *reterr)
{
    return decode(text, (DecodeRules){.plus_is_blank = plus_is_blank}, arena, ret, reterr);
}

int http_target_decode_lines(Slice text, Arena *arena, Slice *ret)
{
    return decode(text, (DecodeRules){.lines = true}, arena, ret, NULL);
}

static Slice skip_scheme_and_host(Slice target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        if (!slice_starts_with(target, slice_cstr(schemes[i])))
            continue;
        Slice rest = slice_skip(target, strlen(schemes[i]));
        size_t host = 0;
        while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?')
            host++;
        return slice_skip(rest, host);
    }
    return target;
}

static int parse_query(Slice text, Arena *arena, HttpFieldVec *query, Err *reterr)
{
    while (text.ptr) {
        Slice value = slice_split(&text, '&');
        if (value.len == 0)
            continue;
        if (query->len == HTTP_QUERY_MAX)
            return err_set(reterr, ERR_PARAMETER_INVALID, "more than %d query parameters", HTTP_QUERY_MAX);

        Slice name = slice_split(&value, '=');
        if (!value.ptr)
            value = SLICE_LIT("");
        Slice decoded_name;
        Slice decoded_value;
        int r = http_target_decode(name, true, arena, &decoded_name, reterr);
        if (r == 0)
            r = http_target_decode(value, true, arena, &decoded_value, reterr);
        if (r < 0)
            return r;
        (void)http_field_vec_push(query, (HttpField){.name = decoded_name.ptr, .value = decoded_value.ptr});
    }
    return 0;
}

int http_target_parse(Slice target, Arena *arena, Slice *ret_path, HttpFieldVec *query, Err *reterr)
{
    Slice rest = skip_scheme_and_host(target);
    Slice path = slice_split(&rest, '?');
    if (path.len == 0)
        path = SLICE_LIT("/");
    if (path.ptr[0] != '/' && !slice_eq_cstr(path, "*"))
        return err_set(reterr, ERR_PARAMETER_INVALID, "the request target does not begin with /");
    *ret_path = arena_dup(arena, path);
    return rest.ptr ? parse_query(rest, arena, query, reterr) : 0;
}
