/* SPDX-License-Identifier: PostgreSQL */
/*
 * The four TOML strings: basic and literal, on one line and on several. Decoded into the parser's scratch buffer, then
 * copied into the document.
 */
#include "lib/conf/toml_private.h"

static bool is_control(int c)
{
    return (c < 0x20 && c != '\t') || c == 0x7F;
}

static bool at_newline(const TomlParser *p)
{
    return toml_peek(p, 0) == '\n' || (toml_peek(p, 0) == '\r' && toml_peek(p, 1) == '\n');
}

/* A line break inside a string is "\n" in its value, however the file ends its lines. */
static void take_newline(TomlParser *p)
{
    p->at += *p->at == '\r' ? 2 : 1;
    toml_newline(p);
}

static void append_utf8(Buf *b, uint32_t c)
{
    if (c < 0x80) {
        buf_append_char(b, (char)c);
    } else if (c < 0x800) {
        buf_append_char(b, (char)(0xC0 | (c >> 6)));
        buf_append_char(b, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_append_char(b, (char)(0xE0 | (c >> 12)));
        buf_append_char(b, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_append_char(b, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_append_char(b, (char)(0xF0 | (c >> 18)));
        buf_append_char(b, (char)(0x80 | ((c >> 12) & 0x3F)));
        buf_append_char(b, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_append_char(b, (char)(0x80 | (c & 0x3F)));
    }
}

/* Behind "\u" or "\U", on the first of @digits. */
static int parse_unicode(TomlParser *p, TomlPlace escape, unsigned digits)
{
    uint32_t c = 0;
    for (unsigned i = 0; i < digits; i++, p->at++) {
        int value = char_hex_value(toml_peek(p, 0));
        if (value < 0)
            return toml_fail_expected(p, digits == 4 ? "expected four hexadecimal digits after \\u"
                                                     : "expected eight hexadecimal digits after \\U");
        c = (c << 4) | (uint32_t)value;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return toml_fail(p, escape, "the escape names 0x%x, which is not a character", (unsigned)c);
    append_utf8(&p->scratch, c);
    return 0;
}

/* On the backslash. */
static int parse_escape(TomlParser *p)
{
    TomlPlace escape = toml_here(p);
    p->at++;
    int c = toml_peek(p, 0);
    static const char from[] = "btnfr\"\\";
    static const char to[] = "\b\t\n\f\r\"\\";
    const char *known = c > 0 ? strchr(from, c) : NULL;
    if (known) {
        buf_append_char(&p->scratch, to[known - from]);
        p->at++;
        return 0;
    }
    if (c == 'u' || c == 'U') {
        p->at++;
        return parse_unicode(p, escape, c == 'u' ? 4 : 8);
    }
    return toml_fail_expected(p, "expected one of b t n f r \" \\ u U after a backslash");
}

/* "\" at the end of a line: it, the newline and all white space after it are left out. False: it is an escape. */
static bool take_line_continuation(TomlParser *p)
{
    size_t n = 1;
    while (toml_peek(p, n) == ' ' || toml_peek(p, n) == '\t')
        n++;
    if (toml_peek(p, n) != '\n' && !(toml_peek(p, n) == '\r' && toml_peek(p, n + 1) == '\n'))
        return false;

    p->at += n;
    for (;;) {
        if (at_newline(p))
            take_newline(p);
        else if (toml_peek(p, 0) == ' ' || toml_peek(p, 0) == '\t')
            p->at++;
        else
            return true;
    }
}

/* Characters that stand for themselves; stops at quote, backslash of basic strings, control characters. */
static void take_run(TomlParser *p, int quote)
{
    const char *start = p->at;
    while (p->at < p->end) {
        int c = (unsigned char)*p->at;
        if (c == quote || is_control(c) || (c == '\\' && quote == '"'))
            break;
        p->at++;
    }
    buf_append(&p->scratch, slice_from(start, (size_t)(p->at - start)));
}

/* The run stopped at something that is no part of a string: the end, a line break, a control character. */
static int fail_unclosed(TomlParser *p, int quote)
{
    if (toml_peek(p, 0) < 0 || at_newline(p))
        return toml_fail_expected(p, "expected the closing quote of a string");
    return toml_fail_expected(p, quote == '"' ? "which a string may hold only as an escape such as \\u001f"
                                              : "which a literal string may not hold");
}

int toml_parse_string(TomlParser *p, Slice *ret)
{
    int quote = (unsigned char)*p->at++;
    buf_clear(&p->scratch);
    for (;;) {
        take_run(p, quote);
        int c = toml_peek(p, 0);
        if (c == quote) {
            p->at++;
            *ret = arena_dup(p->doc->arena, buf_slice(&p->scratch));
            return 0;
        }
        if (c != '\\')
            return fail_unclosed(p, quote);
        int r = parse_escape(p);
        if (r < 0)
            return r;
    }
}

/* Quotes in a row: three end the string, and up to two more in front of them belong to it. True: it ended. */
static bool take_quotes(TomlParser *p, int quote)
{
    size_t n = 0;
    while (n < 5 && toml_peek(p, n) == quote)
        n++;
    p->at += n;
    for (size_t i = n < 3 ? n : n - 3; i > 0; i--)
        buf_append_char(&p->scratch, (char)quote);
    return n >= 3;
}

int toml_parse_multiline_string(TomlParser *p, Slice *ret)
{
    int quote = (unsigned char)*p->at;
    unsigned opened = p->line;
    p->at += 3;
    buf_clear(&p->scratch);
    if (at_newline(p))
        take_newline(p);
    for (;;) {
        take_run(p, quote);
        int c = toml_peek(p, 0);
        if (c == quote) {
            if (!take_quotes(p, quote))
                continue;
            *ret = arena_dup(p->doc->arena, buf_slice(&p->scratch));
            return 0;
        }
        if (c < 0)
            return toml_fail(p, toml_here(p), "unexpected end of the file, the string of line %u is not closed",
                             opened);
        if (at_newline(p)) {
            take_newline(p);
            buf_append_char(&p->scratch, '\n');
        } else if (c != '\\') {
            return fail_unclosed(p, quote);
        } else if (!take_line_continuation(p)) {
            int r = parse_escape(p);
            if (r < 0)
                return r;
        }
    }
}
