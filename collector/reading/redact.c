/* SPDX-License-Identifier: PostgreSQL */
/*
 * The lexical rules are those of src/backend/parser/scan.l. A scanner walks the text once; each scan_*() function
 * stands behind the first byte of its token and moves to behind the last one.
 */
#include "collector/reading/redact.h"

#include <ctype.h>
#include <strings.h>

typedef struct Scanner {
    Slice text;
    size_t at;
    bool backslash_escapes;
    Buf *out;
} Scanner;

static char peek(const Scanner *s, size_t ahead)
{
    return ahead < s->text.len - s->at ? s->text.ptr[s->at + ahead] : '\0';
}

static bool at_end(const Scanner *s)
{
    return s->at >= s->text.len;
}

static bool is_identifier_start(char c)
{
    return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_identifier(char c)
{
    return is_identifier_start(c) || isdigit((unsigned char)c) || c == '$';
}

/* To behind the closing quote, or to the end. */
static void skip_quoted(Scanner *s, char quote, bool escapes)
{
    while (!at_end(s)) {
        char c = s->text.ptr[s->at++];
        if (escapes && c == '\\' && !at_end(s)) {
            s->at++;
        } else if (c == quote) {
            if (peek(s, 0) != quote)
                return;
            s->at++;
        }
    }
}

static void skip_line(Scanner *s)
{
    while (!at_end(s) && s->text.ptr[s->at] != '\n' && s->text.ptr[s->at] != '\r')
        s->at++;
}

/* 'a' <newline> 'b' is one literal, and the second part has the first one's escapes. */
static bool skip_to_continuation(Scanner *s)
{
    size_t start = s->at;
    bool newline = false;
    while (!at_end(s)) {
        char c = s->text.ptr[s->at];
        if (c == '-' && peek(s, 1) == '-')
            skip_line(s);
        else if (isspace((unsigned char)c)) {
            newline |= c == '\n' || c == '\r';
            s->at++;
        } else
            break;
    }
    if (newline && peek(s, 0) == '\'') {
        s->at++;
        return true;
    }
    s->at = start;
    return false;
}

static void scan_string(Scanner *s, bool escapes)
{
    do
        skip_quoted(s, '\'', escapes);
    while (skip_to_continuation(s));
    buf_append_char(s->out, '?');
}

static void scan_block_comment(Scanner *s)
{
    for (unsigned depth = 1; depth > 0 && !at_end(s);) {
        if (peek(s, 0) == '/' && peek(s, 1) == '*') {
            depth++;
            s->at += 2;
        } else if (peek(s, 0) == '*' && peek(s, 1) == '/') {
            depth--;
            s->at += 2;
        } else {
            s->at++;
        }
    }
    buf_append_char(s->out, ' ');
}

/* Behind a '$' that does not belong to an identifier: a parameter, a dollar quote, or a lone sign. */
static void scan_dollar(Scanner *s)
{
    size_t tag_start = s->at;
    if (isdigit((unsigned char)peek(s, 0))) {
        buf_append_char(s->out, '$');
        while (isdigit((unsigned char)peek(s, 0)))
            buf_append_char(s->out, s->text.ptr[s->at++]);
        return;
    }
    while (is_identifier(peek(s, 0)) && peek(s, 0) != '$')
        s->at++;
    if (peek(s, 0) != '$') {
        /* Cut within the tag, or no quote at all. */
        buf_append_char(s->out, '$');
        s->at = tag_start;
        return;
    }
    Slice tag = slice_from(s->text.ptr + tag_start - 1, s->at - tag_start + 2);
    s->at++;
    ptrdiff_t end = slice_find(slice_skip(s->text, s->at), tag);
    s->at = end < 0 ? s->text.len : s->at + (size_t)end + tag.len;
    buf_append_char(s->out, '?');
}

/* 12, 1_000, 1.5e-3, 0xFF, .5: everything that a number can be made of, and the letters that stick to it. */
static void scan_number(Scanner *s)
{
    while (!at_end(s)) {
        char c = s->text.ptr[s->at];
        char before = s->text.ptr[s->at - 1];
        bool exponent_sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        bool fraction = c == '.' && peek(s, 1) != '.';
        if (!isalnum((unsigned char)c) && c != '_' && !exponent_sign && !fraction)
            break;
        s->at++;
    }
    buf_append_char(s->out, '?');
}

/* A word; one that is the prefix of a literal (E'', B'', X'', N'', U&'') belongs to it. */
static void scan_word(Scanner *s)
{
    size_t start = s->at - 1;
    while (is_identifier(peek(s, 0)))
        s->at++;
    size_t len = s->at - start;
    char first = (char)tolower((unsigned char)s->text.ptr[start]);
    if (len == 1 && peek(s, 0) == '\'' && (first == 'e' || first == 'b' || first == 'x' || first == 'n')) {
        s->at++;
        scan_string(s, first == 'e' || s->backslash_escapes);
        return;
    }
    if (len == 1 && first == 'u' && peek(s, 0) == '&' && peek(s, 1) == '\'') {
        s->at += 2;
        scan_string(s, false);
        return;
    }
    buf_append(s->out, slice_from(s->text.ptr + start, len));
}

static void scan_quoted_identifier(Scanner *s)
{
    size_t start = s->at - 1;
    skip_quoted(s, '"', false);
    bool closed = s->at - start >= 2 && s->text.ptr[s->at - 1] == '"';
    /* An identifier that was cut may be anything. */
    if (closed)
        buf_append(s->out, slice_from(s->text.ptr + start, s->at - start));
    else
        buf_append_char(s->out, '?');
}

static void scan_token(Scanner *s)
{
    char c = s->text.ptr[s->at++];
    if (c == '\'')
        scan_string(s, s->backslash_escapes);
    else if (c == '"')
        scan_quoted_identifier(s);
    else if (c == '$')
        scan_dollar(s);
    else if (c == '-' && peek(s, 0) == '-') {
        skip_line(s);
        buf_append_char(s->out, ' ');
    } else if (c == '/' && peek(s, 0) == '*') {
        s->at++;
        scan_block_comment(s);
    } else if (is_identifier_start(c))
        scan_word(s);
    else if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(s, 0))))
        scan_number(s);
    else if (c != '\0')
        buf_append_char(s->out, c);
}

void redact_sql(Slice sql, bool backslash_escapes, Buf *out)
{
    Scanner s = {.text = sql, .backslash_escapes = backslash_escapes, .out = out};
    while (!at_end(&s))
        scan_token(&s);
}

/* Words whose value is a secret, wherever they stand in a name: PGPASSWORD, secret_key, api-token. */
static const char *const SECRET_WORDS[] = {"password", "passwd",     "passphrase", "secret",
                                           "token",    "access_key", "apikey",     "api_key"};

/* The first letters of SECRET_WORDS and the slash of a URL: everything else is copied without a closer look. */
static const bool may_begin_secret[256] = {['p'] = true, ['P'] = true, ['s'] = true, ['S'] = true, ['t'] = true,
                                           ['T'] = true, ['a'] = true, ['A'] = true, ['/'] = true};

static size_t secret_word_at(Slice rest)
{
    for (size_t i = 0; i < ARRAY_LENGTH(SECRET_WORDS); i++) {
        size_t len = strlen(SECRET_WORDS[i]);
        if (rest.len >= len && strncasecmp(rest.ptr, SECRET_WORDS[i], len) == 0)
            return len;
    }
    return 0;
}

/* Length of the value at the front of @rest: quoted, or up to white space or a separator. */
static size_t value_length(Slice rest)
{
    char quote = rest.len && (rest.ptr[0] == '\'' || rest.ptr[0] == '"') ? rest.ptr[0] : '\0';
    for (size_t i = quote ? 1 : 0; i < rest.len; i++) {
        if (quote && rest.ptr[i] == '\\')
            i++;
        else if (quote ? rest.ptr[i] == quote : isspace((unsigned char)rest.ptr[i]) || strchr("&;,", rest.ptr[i]))
            return quote ? i + 1 : i;
    }
    return rest.len;
}

/* After a secret word: the rest of the name, then "=", ":" or white space, then the value. 0: no value follows. */
static size_t separator_length(Slice rest)
{
    size_t i = 0;
    while (i < rest.len && (isalnum((unsigned char)rest.ptr[i]) || rest.ptr[i] == '_' || rest.ptr[i] == '-'))
        i++;
    size_t name_end = i;
    while (i < rest.len && (isspace((unsigned char)rest.ptr[i]) || rest.ptr[i] == '=' || rest.ptr[i] == ':'))
        i++;
    return i > name_end && i < rest.len ? i : 0;
}

/* The password in "//user:password@": the offset of the byte behind ':' in @rest, and its length. It may hold '@'
 * itself when somebody did not escape it: the last one before white space ends it. */
static bool url_password_at(Slice rest, size_t *ret_start, size_t *ret_len)
{
    if (!slice_starts_with(rest, SLICE_LIT("//")))
        return false;
    size_t colon = 0, sign = 0;
    for (size_t i = 2; i < rest.len && !isspace((unsigned char)rest.ptr[i]); i++) {
        if (rest.ptr[i] == '/' && !colon)
            break;
        if (rest.ptr[i] == ':' && !colon)
            colon = i;
        if (rest.ptr[i] == '@' && colon)
            sign = i;
    }
    if (!sign)
        return false;
    *ret_start = colon + 1;
    *ret_len = sign - colon - 1;
    return true;
}

/* The front of @text in which nothing secret can begin. */
static size_t harmless_length(Slice text)
{
    size_t len = 0;
    while (len < text.len && !may_begin_secret[(unsigned char)text.ptr[len]])
        len++;
    return len;
}

void redact_credentials(Slice text, Buf *out)
{
    while (text.len > 0) {
        size_t start, len;
        const size_t harmless = harmless_length(text);
        buf_append(out, slice_from(text.ptr, harmless));
        text = slice_skip(text, harmless);
        if (text.len == 0)
            return;
        const size_t word = secret_word_at(text);
        const size_t separator = word ? separator_length(slice_skip(text, word)) : 0;
        if (separator) {
            start = word + separator;
            len = value_length(slice_skip(text, start));
        } else if (!url_password_at(text, &start, &len)) {
            buf_append_char(out, text.ptr[0]);
            text = slice_skip(text, 1);
            continue;
        }
        buf_append(out, slice_from(text.ptr, start));
        buf_append_cstr(out, "***");
        text = slice_skip(text, start + len);
    }
}
