/* SPDX-License-Identifier: PostgreSQL */
/* One pass over the bytes; every skip_* returns the offset behind what it skipped, never beyond the end. Pure. */
#include "backend/store/sql_split.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((unsigned char)c & 0x80);
}

static bool has_at(Slice s, size_t at, const char *text)
{
    return slice_starts_with(slice_skip(s, at), slice_cstr(text));
}

static size_t skip_line_comment(Slice s, size_t at)
{
    while (at < s.len && s.ptr[at] != '\n')
        at++;
    return at;
}

static size_t skip_block_comment(Slice s, size_t at)
{
    unsigned depth = 0;
    while (at < s.len) {
        if (has_at(s, at, "/*")) {
            depth++;
            at += 2;
        } else if (has_at(s, at, "*/")) {
            at += 2;
            if (--depth == 0)
                break;
        } else {
            at++;
        }
    }
    return at;
}

/* A doubled quote needs no care: it ends one run and begins the next. */
static size_t skip_quoted(Slice s, size_t at, bool backslashes)
{
    char quote = s.ptr[at++];
    while (at < s.len && s.ptr[at] != quote)
        at += backslashes && s.ptr[at] == '\\' && at + 1 < s.len ? 2 : 1;
    return at < s.len ? at + 1 : at;
}

/* "$tag$ ... $tag$"; a lone dollar (a parameter) is skipped as one byte. */
static size_t skip_dollar(Slice s, size_t at)
{
    size_t end = at + 1;
    while (end < s.len && is_word(s.ptr[end]))
        end++;
    bool is_parameter = end > at + 1 && s.ptr[at + 1] >= '0' && s.ptr[at + 1] <= '9';
    if (end >= s.len || s.ptr[end] != '$' || is_parameter)
        return at + 1;
    Slice tag = slice_from(s.ptr + at, end + 1 - at);
    ptrdiff_t close = slice_find(slice_skip(s, at + tag.len), tag);
    return close < 0 ? s.len : at + tag.len + (size_t)close + tag.len;
}

static size_t skip_blank(Slice s, size_t at)
{
    for (;;) {
        if (at < s.len && is_space(s.ptr[at]))
            at++;
        else if (has_at(s, at, "--"))
            at = skip_line_comment(s, at);
        else if (has_at(s, at, "/*"))
            at = skip_block_comment(s, at);
        else
            return at;
    }
}

static size_t skip_token(Slice s, size_t at)
{
    char c = s.ptr[at];
    if (c == '\'') {
        bool is_escape =
            at > 0 && (s.ptr[at - 1] == 'E' || s.ptr[at - 1] == 'e') && (at < 2 || !is_word(s.ptr[at - 2]));
        return skip_quoted(s, at, is_escape);
    }
    if (c == '"')
        return skip_quoted(s, at, false);
    if (c == '$' && (at == 0 || !is_word(s.ptr[at - 1])))
        return skip_dollar(s, at);
    if (has_at(s, at, "--"))
        return skip_line_comment(s, at);
    if (has_at(s, at, "/*"))
        return skip_block_comment(s, at);
    return at + 1;
}

bool sql_split_next(Slice *rest, Slice *ret_statement)
{
    Slice s = *rest;
    size_t begin = skip_blank(s, 0);
    while (begin < s.len && s.ptr[begin] == ';')
        begin = skip_blank(s, begin + 1);
    size_t at = begin;
    while (at < s.len && s.ptr[at] != ';')
        at = skip_token(s, at);
    *ret_statement = slice_trim(slice_from(s.ptr + begin, at - begin));
    *rest = slice_skip(s, at < s.len ? at + 1 : at);
    return at > begin;
}
