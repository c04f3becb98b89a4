/* SPDX-License-Identifier: PostgreSQL */
/*
 * KEY=value files. All names and values live NUL-terminated in one block that is reserved once and wiped when freed:
 * it may hold secrets. Messages never repeat a value.
 */
#include "lib/conf/env_file.h"

#include <string.h>

#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/conf/conf_private.h"
#include "lib/io/file.h"

typedef struct EnvVariable {
    const char *name;
    const char *value;
    uint32_t line;
} EnvVariable;

DEFINE_VEC(EnvVariableVec, env_variable_vec, EnvVariable)

struct EnvFile {
    char *path;
    Buf text; /* invariant: never grows after env_file_parse() reserved it, variables point into it */
    EnvVariableVec variables;
    Map *lines; /* name to a non-NULL pointer: the number of its line */
};

/* ---- reading ---- */

static bool is_name_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static Slice take_name(Slice *rest)
{
    size_t n = 0;
    while (n < rest->len && is_name_char(rest->ptr[n], n == 0))
        n++;
    Slice name = slice_from(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    return name;
}

/* What is between the quotes, appended with its NUL; NULL when the quote is not closed or something follows it. */
static const char *append_quoted(EnvFile *f, Slice s)
{
    char quote = *s.ptr;
    size_t start = f->text.len;
    size_t i = 1;
    for (; i < s.len && s.ptr[i] != quote; i++) {
        char c = s.ptr[i];
        if (quote == '"' && c == '\\' && i + 1 < s.len && strchr("\"\\$`n", s.ptr[i + 1])) {
            i++;
            c = s.ptr[i] == 'n' ? '\n' : s.ptr[i];
        }
        buf_append_char(&f->text, c);
    }
    buf_append_char(&f->text, '\0');
    return i + 1 == s.len ? f->text.ptr + start : NULL;
}

static const char *append_text(EnvFile *f, Slice s)
{
    size_t start = f->text.len;
    buf_append(&f->text, s);
    buf_append_char(&f->text, '\0');
    return f->text.ptr + start;
}

static void add_fault(const EnvFile *f, ConfDiags *diags, uint32_t line, const char *key, const char *message,
                      const char *hint)
{
    conf_diags_add(diags, &(ConfDiag){.file = f->path, .line = line, .key = key, .message = message, .hint = hint});
}

static void parse_line(EnvFile *f, Slice s, uint32_t line, ConfDiags *diags)
{
    s = slice_trim(s);
    if (s.len == 0 || *s.ptr == '#')
        return;
    if (memchr(s.ptr, '\0', s.len)) {
        add_fault(f, diags, line, NULL, "a NUL character in the line", NULL);
        return;
    }
    if (slice_starts_with(s, SLICE_LIT("export ")))
        s = slice_trim(slice_skip(s, strlen("export ")));
    Slice name_slice = take_name(&s);
    if (name_slice.len == 0 || s.len == 0 || *s.ptr != '=') {
        add_fault(f, diags, line, NULL, "expected NAME=value", "comments begin with '#'");
        return;
    }

    const char *name = append_text(f, name_slice);
    s = slice_trim(slice_skip(s, 1));
    bool quoted = s.len > 0 && (*s.ptr == '"' || *s.ptr == '\'');
    const char *value = quoted ? append_quoted(f, s) : append_text(f, s);
    const void *before = map_get(f->lines, name_slice);
    if (!value) {
        add_fault(f, diags, line, name, "the quotes around the value are not closed", "a value is on one line");
    } else if (before) {
        _cleanup_buf_ Buf message = BUF_INIT;
        buf_printf(&message, "is given already in line %u", (unsigned)(uintptr_t)before);
        add_fault(f, diags, line, name, buf_cstr(&message), NULL);
    } else {
        map_put(f->lines, name_slice, (void *)(uintptr_t)line);
        env_variable_vec_push(&f->variables, (EnvVariable){.name = name, .value = value, .line = line});
    }
}

EnvFile *env_file_parse(Slice text, const char *file, ConfDiags *diags)
{
    EnvFile *f = mem_alloc(sizeof(*f));
    f->path = mem_strdup(file);
    f->lines = map_new(NULL);
    /* Name, NUL, value, NUL take at most one byte more than the line without its newline. */
    buf_reserve(&f->text, text.len + 2);
    uint32_t line = 0;
    for (Slice rest = text; rest.ptr;)
        parse_line(f, slice_split(&rest, '\n'), ++line, diags);
    return f;
}

EnvFile *env_file_read(const char *file, ConfDiags *diags)
{
    Buf text = BUF_INIT;
    buf_reserve(&text, ENV_FILE_BYTES_MAX + 1); /* at once: growing would leave copies of secrets behind */
    Err err = ERR_INIT;
    EnvFile *f = NULL;
    if (file_read_all(file, ENV_FILE_BYTES_MAX, &text, &err) < 0)
        conf_diags_add_err(diags, file, &err);
    else
        f = env_file_parse(buf_slice(&text), file, diags);
    explicit_bzero(text.ptr, text.len);
    buf_done(&text);
    return f;
}

EnvFile *env_file_free(EnvFile *f)
{
    if (!f)
        return NULL;
    explicit_bzero(f->text.ptr, f->text.len);
    buf_done(&f->text);
    env_variable_vec_done(&f->variables);
    (void)map_free(f->lines);
    free(f->path);
    free(f);
    return NULL;
}

/* ---- looking up ---- */

static const char *env_file_get(const void *arg, const char *name, uint32_t *ret_line)
{
    const EnvFile *f = arg;
    for (size_t i = 0; i < f->variables.len; i++) {
        if (strcmp(f->variables.items[i].name, name) == 0) {
            *ret_line = f->variables.items[i].line;
            return f->variables.items[i].value;
        }
    }
    return NULL;
}

ConfSource env_file_source(const EnvFile *f)
{
    return (ConfSource){.get = env_file_get, .arg = f, .file = f->path};
}

/* True: some row knows the name. Otherwise *nearest has been offered all of them. */
static bool is_known(const ConfKeys *keys, Slice name, ConfNearest *nearest, Buf *scratch)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (!key->env)
            continue;
        if (slice_eq_cstr(name, key->env))
            return true;
        conf_nearest_offer(nearest, slice_cstr(key->env));
        if (key->type != CONF_SECRET)
            continue;
        buf_clear(scratch);
        buf_printf(scratch, "%s_FILE", key->env);
        if (slice_eq(name, buf_slice(scratch)))
            return true;
    }
    return false;
}

void env_file_check_names(const EnvFile *f, const ConfKeys *keys, ConfDiags *diags)
{
    _cleanup_buf_ Buf scratch = BUF_INIT;
    for (size_t i = 0; i < f->variables.len; i++) {
        const EnvVariable *v = &f->variables.items[i];
        ConfNearest nearest = conf_nearest(slice_cstr(v->name));
        if (is_known(keys, slice_cstr(v->name), &nearest, &scratch))
            continue;
        _cleanup_buf_ Buf hint = BUF_INIT;
        if (nearest.best.ptr)
            buf_printf(&hint, "did you mean \"%.*s\"?", SLICE_ARG(nearest.best));
        add_fault(f, diags, v->line, v->name, "unknown name", buf_cstr(&hint));
    }
}
