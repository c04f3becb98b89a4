/* SPDX-License-Identifier: PostgreSQL */
/*
 * TOML values without delimiters: booleans, integers, floats, and the choice of dates and times. Messages do not repeat
 * the text: an unquoted word may be a password.
 */
#include <math.h>

#include "lib/conf/toml_private.h"

typedef const char *Fault; /* NULL: none */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_scalar_char(int c)
{
    return c > ' ' && c != ',' && c != ']' && c != '}' && c != '#' && c != 0x7F;
}

/* The token at the parser; a date takes the time behind one blank with it. */
static Slice scan_token(const TomlParser *p)
{
    size_t n = 0;
    while (is_scalar_char(toml_peek(p, n)))
        n++;
    if (toml_peek(p, n) == ' ' && toml_looks_like_date(slice_from(p->at, n)) && toml_peek(p, n + 1) >= '0' &&
        toml_peek(p, n + 1) <= '9')
        for (n++; is_scalar_char(toml_peek(p, n));)
            n++;
    return slice_from(p->at, n);
}

static unsigned digit_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

/* Digits of @base with single underscores between them. The end of @s is the end of the number. */
static Fault read_digits(Slice s, unsigned base, bool negative, int64_t *ret)
{
    int64_t value = 0;
    bool after_digit = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_') {
            if (!after_digit)
                return "an underscore must stand between digits";
            after_digit = false;
            continue;
        }
        unsigned digit = digit_value(s.ptr[i]);
        if (digit >= base)
            return "not a number: strings need quotes";
        after_digit = true;
        /* Built downwards for negatives, so that -2^63 is reached without overflow. */
        if (__builtin_mul_overflow(value, (int64_t)base, &value) ||
            __builtin_add_overflow(value, negative ? -(int64_t)digit : (int64_t)digit, &value))
            return "the integer does not fit 64 bits";
    }
    if (!after_digit)
        return s.len == 0 ? "a number needs digits" : "an underscore must stand between digits";
    *ret = value;
    return NULL;
}

static Fault read_integer(Slice s, TomlValue *ret)
{
    ret->type = TOML_INTEGER;
    if (s.len >= 2 && s.ptr[0] == '0') {
        unsigned base = s.ptr[1] == 'x' ? 16 : s.ptr[1] == 'o' ? 8 : s.ptr[1] == 'b' ? 2 : 0;
        if (base)
            return read_digits(slice_skip(s, 2), base, false, &ret->as.integer);
    }
    bool negative = s.ptr[0] == '-';
    if (negative || s.ptr[0] == '+')
        s = slice_skip(s, 1);
    if (s.len > 1 && s.ptr[0] == '0' && (is_digit(s.ptr[1]) || s.ptr[1] == '_'))
        return "a number must not begin with a zero";
    return read_digits(s, 10, negative, &ret->as.integer);
}

/* One run of decimal digits and underscores of a float, moved past in *rest, copied without underscores. */
static Fault copy_digits(Slice *rest, Buf *out)
{
    bool after_digit = false;
    bool underscore = false;
    for (; rest->len > 0 && (is_digit(*rest->ptr) || *rest->ptr == '_'); *rest = slice_skip(*rest, 1)) {
        underscore = *rest->ptr == '_';
        if (underscore && !after_digit)
            return "an underscore must stand between digits";
        after_digit = !underscore;
        if (after_digit)
            buf_append_char(out, *rest->ptr);
    }
    if (underscore)
        return "an underscore must stand between digits";
    return after_digit ? NULL : "a float needs digits before and after its point and in its exponent";
}

static Fault read_float(Slice s, Buf *scratch, TomlValue *ret)
{
    ret->type = TOML_FLOAT;
    buf_clear(scratch);
    Slice rest = s;
    if (*rest.ptr == '+' || *rest.ptr == '-') {
        if (*rest.ptr == '-')
            buf_append_char(scratch, '-');
        rest = slice_skip(rest, 1);
    }
    if (rest.len > 1 && rest.ptr[0] == '0' && (is_digit(rest.ptr[1]) || rest.ptr[1] == '_'))
        return "a number must not begin with a zero";

    Fault fault = copy_digits(&rest, scratch);
    if (!fault && rest.len > 0 && *rest.ptr == '.') {
        buf_append_char(scratch, '.');
        rest = slice_skip(rest, 1);
        fault = copy_digits(&rest, scratch);
    }
    if (!fault && rest.len > 0 && (*rest.ptr == 'e' || *rest.ptr == 'E')) {
        buf_append_char(scratch, 'e');
        rest = slice_skip(rest, 1);
        if (rest.len > 0 && (*rest.ptr == '+' || *rest.ptr == '-')) {
            buf_append_char(scratch, *rest.ptr);
            rest = slice_skip(rest, 1);
        }
        fault = copy_digits(&rest, scratch);
    }
    if (fault)
        return fault;
    if (rest.len > 0)
        return "not a number: strings need quotes";
    return slice_to_double(buf_slice(scratch), &ret->as.number) ? NULL : "the float is out of range";
}

static bool read_word(Slice s, TomlValue *ret)
{
    static const struct {
        const char *word;
        TomlType type;
        bool boolean;
        double number;
    } words[] = {
        {"true", TOML_BOOL, true, 0},           {"false", TOML_BOOL, false, 0},
        {"inf", TOML_FLOAT, false, INFINITY},   {"+inf", TOML_FLOAT, false, INFINITY},
        {"-inf", TOML_FLOAT, false, -INFINITY}, {"nan", TOML_FLOAT, false, NAN},
        {"+nan", TOML_FLOAT, false, NAN},       {"-nan", TOML_FLOAT, false, -NAN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (!slice_eq_cstr(s, words[i].word))
            continue;
        ret->type = words[i].type;
        if (ret->type == TOML_BOOL)
            ret->as.boolean = words[i].boolean;
        else
            ret->as.number = words[i].number;
        return true;
    }
    return false;
}

static bool looks_like_float(Slice s)
{
    if (s.len > 1 && s.ptr[0] == '0' && (s.ptr[1] == 'x' || s.ptr[1] == 'o' || s.ptr[1] == 'b'))
        return false; /* the e of 0xe is a digit */
    return memchr(s.ptr, '.', s.len) || memchr(s.ptr, 'e', s.len) || memchr(s.ptr, 'E', s.len);
}

int toml_parse_scalar(TomlParser *p, TomlValue *ret)
{
    Slice s = scan_token(p);
    if (s.len == 0)
        return toml_fail_expected(p, "expected a value");

    Fault fault = NULL;
    if (read_word(s, ret))
        fault = NULL;
    else if (toml_looks_like_date(s) || toml_looks_like_time(s))
        fault = toml_read_datetime(s, ret);
    else if (!is_digit(*s.ptr) && *s.ptr != '+' && *s.ptr != '-')
        fault = "not a value: strings need quotes";
    else if (looks_like_float(s))
        fault = read_float(s, &p->scratch, ret);
    else
        fault = read_integer(s, ret);
    if (fault)
        return toml_fail(p, toml_here(p), "%s", fault);
    p->at += s.len;
    return 0;
}
