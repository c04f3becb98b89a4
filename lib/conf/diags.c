/* SPDX-License-Identifier: PostgreSQL */
/*
 * The list of faults, and where each setting was given. Everything is copied into one arena. Texts are made printable
 * on the way in, so that a fault is one line and nothing in a file can steer a terminal. The caller's thread.
 */
#include "lib/conf/diags.h"

#include <assert.h>

#include "lib/base/arena.h"
#include "lib/conf/conf_private.h"

enum { SHOWN_VALUE_BYTES = 80, SHOWN_TEXT_BYTES = 1000 };

typedef struct Origin {
    const void *settings;
    const ConfKey *key;
    ConfPlace place;
} Origin;

DEFINE_VEC(DiagVec, diag_vec, ConfDiag)
DEFINE_VEC(OriginVec, origin_vec, Origin)

struct ConfDiags {
    Arena *arena;
    DiagVec diags;
    OriginVec origins;
    size_t dropped; /* beyond CONF_DIAGS_MAX */
};

ConfDiags *conf_diags_new(void)
{
    Arena *arena = arena_new(0);
    ConfDiags *d = arena_new_object(arena, ConfDiags);
    d->arena = arena;
    return d;
}

ConfDiags *conf_diags_free(ConfDiags *d)
{
    if (!d)
        return NULL;
    diag_vec_done(&d->diags);
    origin_vec_done(&d->origins);
    (void)arena_free(d->arena); /* d itself lives in it */
    return NULL;
}

/* Control characters as escapes, not UTF-8 as '?', cut to @max bytes of input at a character. */
static const char *printable(Arena *arena, const char *text, size_t max)
{
    Slice s = slice_cstr(text ? text : "");
    bool cut = s.len > max;
    if (cut)
        for (s.len = max; s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80;)
            s.len--;

    bool utf8 = slice_is_utf8(s);
    _cleanup_buf_ Buf out = BUF_INIT;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '\n')
            buf_append_cstr(&out, "\\n");
        else if (c < 0x20 || c == 0x7F)
            buf_printf(&out, "\\x%02x", c);
        else
            buf_append_char(&out, c >= 0x80 && !utf8 ? '?' : (char)c);
    }
    if (cut)
        buf_append_cstr(&out, "...");
    return arena_dup(arena, buf_slice(&out)).ptr;
}

void conf_diags_add(ConfDiags *d, const ConfDiag *diag)
{
    if (d->diags.len == CONF_DIAGS_MAX) {
        d->dropped++;
        return;
    }
    ConfDiag copy = *diag;
    copy.file = printable(d->arena, diag->file, SHOWN_TEXT_BYTES);
    copy.section = printable(d->arena, diag->section, SHOWN_VALUE_BYTES);
    copy.key = printable(d->arena, diag->key, SHOWN_VALUE_BYTES);
    copy.value = diag->value ? printable(d->arena, diag->value, SHOWN_VALUE_BYTES) : NULL;
    copy.message = printable(d->arena, diag->message, SHOWN_TEXT_BYTES);
    copy.hint = printable(d->arena, diag->hint, SHOWN_TEXT_BYTES);
    diag_vec_push(&d->diags, copy);
}

void conf_diags_add_err(ConfDiags *d, const char *file, const Err *err)
{
    conf_diags_add(d, &(ConfDiag){.file = file,
                                  .line = err->line,
                                  .column = err->column,
                                  .message = err->detail[0] ? err->detail : err_code_text(err->code),
                                  .hint = err->hint});
}

size_t conf_diags_count(const ConfDiags *d)
{
    return d->diags.len;
}

const ConfDiag *conf_diags_at(const ConfDiags *d, size_t index)
{
    assert(index < d->diags.len);
    return &d->diags.items[index];
}

static void print_place(const ConfDiag *diag, Buf *out)
{
    buf_append_cstr(out, diag->file);
    if (diag->line > 0)
        buf_printf(out, ":%u", (unsigned)diag->line);
    if (diag->column > 0)
        buf_printf(out, ":%u", (unsigned)diag->column);
    if (out->len > 0)
        buf_append_cstr(out, ": ");
}

static void print_name(const ConfDiag *diag, Buf *out)
{
    if (*diag->section)
        buf_printf(out, "[%s]%s", diag->section, *diag->key ? " " : "");
    buf_append_cstr(out, diag->key);
    if (diag->value)
        buf_printf(out, " = %s", diag->value);
    if (*diag->section || *diag->key)
        buf_append_cstr(out, ": ");
}

static void print_diag(const ConfDiag *diag, Buf *out)
{
    _cleanup_buf_ Buf line = BUF_INIT;
    print_place(diag, &line);
    print_name(diag, &line);
    buf_append_cstr(&line, diag->message);
    if (*diag->hint)
        buf_printf(&line, " (%s)", diag->hint);
    buf_append(out, buf_slice(&line));
}

int conf_diags_result(const ConfDiags *d, Err *reterr)
{
    size_t count = d->diags.len + d->dropped;
    if (count == 0)
        return 0;
    _cleanup_buf_ Buf first = BUF_INIT;
    print_diag(&d->diags.items[0], &first);
    int r = count == 1 ? err_set(reterr, ERR_CONFIG, "%s", buf_cstr(&first))
                       : err_set(reterr, ERR_CONFIG, "%zu faults, the first: %s", count, buf_cstr(&first));
    err_at(reterr, d->diags.items[0].line, d->diags.items[0].column);
    return r;
}

void conf_diags_print(const ConfDiags *d, Buf *out)
{
    for (size_t i = 0; i < d->diags.len; i++) {
        print_diag(&d->diags.items[i], out);
        buf_append_char(out, '\n');
    }
    if (d->dropped > 0)
        buf_printf(out, "%zu more faults are not shown\n", d->dropped);
}

void conf_diags_print_file(const ConfDiags *d, FILE *out)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_diags_print(d, &text);
    (void)fwrite(buf_cstr(&text), 1, text.len, out); /* nowhere left to say that saying it failed */
}

/* ---- places ---- */

static Origin *find_origin(const ConfDiags *d, const void *settings, const ConfKey *key)
{
    for (size_t i = 0; i < d->origins.len; i++)
        if (d->origins.items[i].settings == settings && d->origins.items[i].key == key)
            return &d->origins.items[i];
    return NULL;
}

void conf_diags_set_place(ConfDiags *d, const void *settings, const ConfKey *key, const ConfPlace *place)
{
    Origin *o = find_origin(d, settings, key);
    if (!o)
        o = origin_vec_push(&d->origins, (Origin){.settings = settings, .key = key});
    o->place = *place;
    o->place.file = arena_strdup(d->arena, place->file);
}

const ConfPlace *conf_diags_place(const ConfDiags *d, const void *settings, const ConfKey *key)
{
    const Origin *o = find_origin(d, settings, key);
    return o ? &o->place : NULL;
}
