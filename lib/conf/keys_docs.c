/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is derived from a key table for people: markdown, a sample file, lines for --help. Pure functions, any thread.
 */
#include <string.h>

#include "lib/conf/conf_private.h"

enum {
    TEXT_WIDTH = 100,
};

static bool starts_section(const ConfKeys *keys, size_t i)
{
    return i == 0 || strcmp(keys->rows[i - 1].section, keys->rows[i].section) != 0;
}

/* Words of @text in lines of at most TEXT_WIDTH, each with @prefix. Nothing for no words. */
static void write_wrapped(const char *prefix, const char *text, Buf *out)
{
    size_t width = 0; /* of the line begun; 0: none */
    for (Slice rest = slice_cstr(text); rest.len > 0;) {
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] != ' ' && rest.ptr[n] != '\n')
            n++;
        if (n > 0 && width > 0 && width + 1 + n <= TEXT_WIDTH) {
            buf_append_char(out, ' ');
            buf_append(out, slice_from(rest.ptr, n));
            width += 1 + n;
        } else if (n > 0) {
            buf_printf(out, "%s%s%.*s", width > 0 ? "\n" : "", prefix, (int)n, rest.ptr);
            width = strlen(prefix) + n;
        }
        rest = slice_skip(rest, n + 1);
    }
    if (width > 0)
        buf_append_char(out, '\n');
}

/* ---- markdown ---- */

/* In a cell of a table. */
static void write_cell(const char *text, Buf *out)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_append_char(out, '\\');
        buf_append_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void write_markdown_row(const ConfKey *key, Buf *out)
{
    _cleanup_buf_ Buf allowed = BUF_INIT;
    conf_key_write_allowed(key, &allowed);

    buf_printf(out, "| `%s`", key->name ? key->name : key->env);
    if (key->file_key)
        buf_printf(out, ", or `%s`", key->file_key);
    if (key->name && key->env)
        buf_printf(out, "<br>environment: `%s`", key->env);
    if (key->env && key->type == CONF_SECRET)
        buf_printf(out, ", or `%s_FILE`", key->env);
    buf_append_cstr(out, " | ");
    write_cell(buf_cstr(&allowed), out);
    buf_append_cstr(out, " | ");
    if (key->flags & CONF_REQUIRED) {
        buf_append_cstr(out, "required");
    } else if (key->otherwise && *key->otherwise) {
        buf_append_char(out, '`');
        write_cell(key->otherwise, out);
        buf_append_char(out, '`');
    }
    buf_append_cstr(out, " | ");
    write_cell(key->help, out);
    if (key->flags & CONF_RELOADABLE)
        buf_append_cstr(out, " Taken over at reload.");
    buf_append_cstr(out, " |\n");
}

void conf_keys_write_markdown(const ConfKeys *keys, Buf *out)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (starts_section(keys, i)) {
            if (out->len > 0)
                buf_append_char(out, '\n');
            if (*key->section)
                buf_printf(out, key->name ? "## `[%s]`\n\n" : "## %s\n\n", key->section);
            buf_append_cstr(out, "| key | allowed | default | meaning |\n|---|---|---|---|\n");
        }
        if (!(key->flags & CONF_HIDDEN))
            write_markdown_row(key, out);
    }
}

/* ---- sample file ---- */

static void write_toml_string(Slice s, Buf *out)
{
    buf_append_json_string(out, s); /* what JSON escapes, TOML reads the same way */
}

static void write_toml_list(Slice rest, Buf *out)
{
    buf_append_char(out, '[');
    for (bool first = true; rest.ptr; first = false) {
        buf_append_cstr(out, first ? "" : ", ");
        write_toml_string(slice_trim(slice_split(&rest, ',')), out);
    }
    buf_append_char(out, ']');
}

/* The default as TOML. */
static void write_toml_default(const ConfKey *key, Buf *out)
{
    const char *text = key->otherwise ? key->otherwise : "";
    int64_t number;
    switch (key->type) {
    case CONF_BOOL:
    case CONF_INT: {
        ConfValue value = {0};
        (void)conf_value_parse(key, slice_cstr(text), &value); /* "": 0 */
        if (key->type == CONF_BOOL)
            buf_append_cstr(out, value.number ? "true" : "false");
        else
            buf_append_int64(out, value.number);
        return;
    }
    case CONF_STRING_LIST:
        write_toml_list(*text ? slice_cstr(text) : SLICE_NULL, out);
        return;
    case CONF_DECIMAL:
        buf_append_cstr(out, *text ? text : "0");
        return;
    case CONF_BYTES:
    case CONF_DURATION:
        if (!*text || slice_to_int64(slice_cstr(text), &number)) {
            buf_append_cstr(out, *text ? text : "0");
            return;
        }
        break;
    case CONF_ENUM:
        text = *text ? text : key->choices[0];
        break;
    case CONF_STRING:
    case CONF_PATH:
    case CONF_SECRET:
    case _CONF_TYPE_MAX:
        break;
    }
    write_toml_string(slice_cstr(text), out);
}

void conf_keys_write_sample_toml(const ConfKeys *keys, Buf *out)
{
    bool opened = false; /* the section has its header */
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        opened = opened && !starts_section(keys, i);
        if (!key->name || (key->flags & CONF_HIDDEN))
            continue;
        if (!opened && *key->section)
            buf_printf(out, "%s[%s]\n", out->len > 0 ? "\n" : "", key->section);
        opened = true;

        write_wrapped("# ", key->help, out);
        buf_printf(out, "%s%s = ", key->example ? "" : "#", key->name);
        if (key->example)
            buf_append_cstr(out, key->example);
        else
            write_toml_default(key, out);
        buf_append_char(out, '\n');
    }
}

/* ---- --help ---- */

void conf_keys_write_help(const ConfKeys *keys, Buf *out)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (starts_section(keys, i) && *key->section)
            buf_printf(out, key->name ? "[%s]\n" : "%s\n", key->section);
        if (key->flags & CONF_HIDDEN)
            continue;
        buf_printf(out, "  %s", key->name ? key->name : key->env);
        if (key->flags & CONF_REQUIRED)
            buf_append_cstr(out, " (required)");
        else if (key->otherwise && *key->otherwise)
            buf_printf(out, " (default %s)", key->otherwise);
        if (key->name && key->env)
            buf_printf(out, ", environment: %s", key->env);
        buf_append_char(out, '\n');

        _cleanup_buf_ Buf text = BUF_INIT;
        buf_append_cstr(&text, key->help);
        if (key->type != CONF_STRING && key->type != CONF_PATH && key->type != CONF_SECRET) {
            buf_append_cstr(&text, " Allowed: ");
            conf_key_write_allowed(key, &text);
            buf_append_char(&text, '.');
        }
        write_wrapped("      ", buf_cstr(&text), out);
    }
}
