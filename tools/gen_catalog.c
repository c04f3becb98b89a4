/* SPDX-License-Identifier: PostgreSQL */
/*
 * Families, read and checked, as constant C data: gen_catalog OUTPUT FILE...
 *
 * A program that read them itself would keep a copy of all texts in memory of its own. Here texts stay in the program's
 * file, each once: short ones, which each reading needs, apart from help and SQL, which the start needs. Only the
 * tables that point to them are the process's own, because the loader fills in where the program lies.
 *
 *     const Family catalog_families[]; const size_t catalog_families_count;    (lib/catalog/builtin.c)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/catalog/family.h"
#include "lib/io/file.h"

enum { FILE_MAX = 1 << 20 };

/* Things that are written once and then referred to by their place. */
typedef struct Pool {
    const char *name; /* of the array */
    Map *places;      /* by content: place + 1 */
    Buf body;         /* initialisers */
    size_t used;      /* elements */
} Pool;

typedef struct Output {
    Pool words, texts; /* char arrays */
    Pool lists;        /* of texts, NULL-terminated */
    Pool queries, columns, families;
} Output;

/* True when @content is new: the caller appends it to the body. *ret_place is where it begins. */
static bool place(Pool *p, Slice content, size_t size, size_t *ret_place)
{
    const uintptr_t known = (uintptr_t)map_get(p->places, content);
    *ret_place = known ? known - 1 : p->used;
    if (known)
        return false;
    map_put(p->places, content, (void *)(p->used + 1)); /* NOLINT(performance-no-int-to-ptr): a number as the value */
    p->used += size;
    return true;
}

/* --- texts -------------------------------------------------------------------------------------------------------- */

static void append_literal(Buf *out, const char *text)
{
    buf_append_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\' || *c < ' ' || *c > '~')
            buf_printf(out, "\\%03o", (unsigned)(unsigned char)*c);
        else
            buf_append_char(out, *c);
    }
    buf_append_cstr(out, "\\0\"\n");
}

/* An expression for @text: "words + 12", or "NULL". */
static void append_text(Pool *p, Buf *out, const char *text)
{
    size_t at;
    if (!text) {
        buf_append_cstr(out, "NULL");
        return;
    }
    if (place(p, slice_cstr(text), strlen(text) + 1, &at))
        append_literal(&p->body, text);
    buf_printf(out, "%s + %zu", p->name, at);
}

static void append_list(Output *o, Buf *out, const char *const *list)
{
    if (!list) {
        buf_append_cstr(out, "NULL");
        return;
    }
    _cleanup_buf_ Buf items = BUF_INIT;
    size_t count = 1, at;
    for (const char *const *item = list; *item; item++, count++) {
        append_text(&o->texts, &items, *item);
        buf_append_cstr(&items, ", ");
    }
    buf_append_cstr(&items, "NULL,\n");
    if (place(&o->lists, buf_slice(&items), count, &at))
        buf_append(&o->lists.body, buf_slice(&items));
    buf_printf(out, "lists + %zu", at);
}

/* --- members: .name = value, ------------------------------------------------------------------------------------- */

static void put_text(Pool *p, Buf *out, const char *member, const char *text)
{
    buf_printf(out, "    .%s = ", member);
    append_text(p, out, text);
    buf_append_cstr(out, ",\n");
}

static void put_list(Output *o, Buf *out, const char *member, const char *const *list)
{
    buf_printf(out, "    .%s = ", member);
    append_list(o, out, list);
    buf_append_cstr(out, ",\n");
}

static void put_number(Buf *out, const char *member, int64_t number)
{
    buf_printf(out, "    .%s = %" PRId64 ",\n", member, number);
}

static void write_column(Output *o, const FamilyColumn *c)
{
    Buf *out = &o->columns.body;
    buf_append_cstr(out, "{\n");
    put_text(&o->words, out, "name", c->name);
    put_number(out, "kind", c->kind);
    put_number(out, "type", c->type);
    put_text(&o->words, out, "unit", c->unit);
    put_text(&o->texts, out, "help", c->help);
    put_list(o, out, "alternatives", c->alternatives);
    put_text(&o->texts, out, "sql", c->sql);
    put_list(o, out, "required", c->required);
    put_text(&o->texts, out, "otherwise", c->otherwise);
    put_text(&o->words, out, "cast", c->cast);
    put_text(&o->words, out, "setting", c->setting);
    put_text(&o->words, out, "change", c->change);
    put_number(out, "items", c->items);
    put_text(&o->texts, out, "roll_up", c->roll_up);
    put_number(out, "combine", c->combine);
    put_list(o, out, "prometheus", c->prometheus);
    buf_append_cstr(out, "},\n");
    o->columns.used++;
}

static void write_queries(Output *o, const Family *f)
{
    for (size_t i = 0; i < f->query_count; i++) {
        Buf *out = &o->queries.body;
        buf_append_cstr(out, "{\n");
        put_number(out, "since", f->queries[i].since);
        put_text(&o->texts, out, "sql", f->queries[i].sql);
        buf_append_cstr(out, "},\n");
        o->queries.used++;
    }
}

static void write_family_numbers(Buf *out, const Family *f)
{
    put_number(out, "scope", f->scope);
    put_number(out, "gate", f->gate);
    put_number(out, "mode", f->mode);
    put_number(out, "interval_seconds", f->interval_seconds);
    put_number(out, "enabled", f->enabled);
    put_number(out, "keyframe", f->keyframe);
    put_number(out, "top", f->top);
    put_number(out, "roll_up", f->roll_up);
    put_number(out, "limit", f->limit);
    put_number(out, "prometheus_limit", f->prometheus_limit);
    put_number(out, "query_count", (int64_t)f->query_count);
    put_number(out, "column_count", (int64_t)f->column_count);
    put_number(out, "label_count", (int64_t)f->label_count);
}

static void write_family(Output *o, const Family *f)
{
    Buf *out = &o->families.body;
    buf_append_cstr(out, "{\n");
    put_text(&o->words, out, "name", f->name);
    put_text(&o->texts, out, "help", f->help);
    put_text(&o->texts, out, "before", f->before);
    put_text(&o->texts, out, "when", f->when);
    put_text(&o->words, out, "top_by", f->top_by);
    put_text(&o->words, out, "change", f->change);
    put_list(o, out, "from", f->from);
    put_text(&o->words, out, "needs", f->needs);
    put_text(&o->words, out, "needs_setting", f->needs_setting);
    put_list(o, out, "required", f->required);
    put_text(&o->texts, out, "where", f->where);
    put_text(&o->texts, out, "order", f->order);
    put_text(&o->words, out, "prometheus", f->prometheus);
    put_text(&o->words, out, "prometheus_order", f->prometheus_order);
    put_list(o, out, "epoch", f->epoch);
    put_text(&o->texts, out, "row_id", f->row_id);
    put_list(o, out, "row_state", f->row_state);
    write_family_numbers(out, f);
    if (f->query_count > 0)
        buf_printf(out, "    .queries = queries + %zu,\n", o->queries.used);
    buf_printf(out, "    .columns = columns + %zu,\n},\n", o->columns.used);
    o->families.used++;
    write_queries(o, f);
    for (size_t i = 0; i < f->column_count; i++)
        write_column(o, &f->columns[i]);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void write_array(Buf *out, const char *type, const Pool *p, const char *begin, const char *end)
{
    buf_printf(out, "\n%s %s[] = %s\n", type, p->name, begin);
    buf_append(out, buf_slice(&p->body));
    buf_printf(out, "%s;\n", end);
}

static int write_output(Output *o, const char *path)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;
    buf_append_cstr(&out, "/* Generated by tools/gen_catalog.c: do not edit. */\n#include \"lib/catalog/family.h\"\n");
    write_array(&out, "static const char", &o->words, "", "");
    write_array(&out, "static const char", &o->texts, "", "");
    write_array(&out, "static const char *const", &o->lists, "{", "}");
    write_array(&out, "static const FamilyQuery", &o->queries, "{", "}");
    write_array(&out, "static const FamilyColumn", &o->columns, "{", "}");
    buf_append_cstr(&out, "\nextern const Family catalog_families[];\nextern const size_t catalog_families_count;\n");
    write_array(&out, "const Family", &o->families, "{", "}");
    buf_printf(&out, "const size_t catalog_families_count = %zu;\n", o->families.used);
    if (file_write_atomic(path, 0644, buf_slice(&out), &err) >= 0)
        return 0;
    (void)fprintf(stderr, "%s\n", err.detail);
    return 1;
}

static int read_files(Catalog *c, int count, char **paths)
{
    for (int i = 0; i < count; i++) {
        _cleanup_buf_ Buf text = BUF_INIT;
        Err err = ERR_INIT;
        if (file_read_all(paths[i], FILE_MAX, &text, &err) >= 0 &&
            catalog_add(c, paths[i], buf_slice(&text), &err) >= 0)
            continue;
        (void)fprintf(stderr, "%s:%u:%u: error: %s\n", paths[i], err.line, err.column, err.detail);
        return 1;
    }
    return 0;
}

static void each_pool(Output *o, void (*visit)(Pool *p))
{
    Pool *const pools[] = {&o->words, &o->texts, &o->lists, &o->queries, &o->columns, &o->families};
    for (size_t i = 0; i < ARRAY_LENGTH(pools); i++)
        visit(pools[i]);
}

static void pool_begin(Pool *p)
{
    p->places = map_new(NULL);
}

static void pool_end(Pool *p)
{
    map_free(p->places);
    buf_done(&p->body);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: %s OUTPUT FILE...\n", argv[0]);
        return 2;
    }
    _cleanup_(catalog_freep) Catalog *c = NULL;
    if (catalog_new(&c, NULL, 0, NULL) < 0 || read_files(c, argc - 2, argv + 2) != 0)
        return 1;
    Output o = {.words = {.name = "words"},
                .texts = {.name = "texts"},
                .lists = {.name = "lists"},
                .queries = {.name = "queries"},
                .columns = {.name = "columns"},
                .families = {.name = "catalog_families"}};
    each_pool(&o, pool_begin);
    for (size_t i = 0; i < catalog_count(c); i++)
        write_family(&o, catalog_at(c, i));
    int status = write_output(&o, argv[1]);
    each_pool(&o, pool_end);
    return status;
}
