/* SPDX-License-Identifier: PostgreSQL */
/*
 * A scrape. The first line is what the scraper accepts; each further line is a row that a server gave: two labels and
 * two numbers, separated by tabs, of one family as tables are, of another as settings. Held to: every line of the
 * answer is one of Prometheus' forms, whatever the names of tables and settings are.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/exporter/exposition.h"
#include "collector/exporter/negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS_MAX = 64, COLUMNS = 4 };

static const char TABLES[] =
    "name = \"tables\"\nhelp = \"T.\"\nfrom = \"t\"\n"
    "[[column]]\nname = \"relname\"\nkind = \"label\"\n[[column]]\nname = \"mode\"\nkind = \"label\"\n"
    "[[column]]\nname = \"scans\"\nkind = \"counter\"\nhelp = \"Scans.\"\n"
    "prometheus = [\"tables_scans_total\", \"locks{relname!,mode=lower(mode)}\"]\n"
    "[[column]]\nname = \"size\"\nkind = \"gauge\"\nunit = \"ms\"\nhelp = \"Size.\"\n";
static const char CONF[] = "name = \"conf\"\nhelp = \"S.\"\nfrom = \"s\"\n"
                           "[[column]]\nname = \"name\"\nkind = \"label\"\n"
                           "[[column]]\nname = \"setting\"\nkind = \"info\"\nhelp = \"Value.\"\n"
                           "prometheus = \"setting pg_settings\"\n"
                           "[[column]]\nname = \"unit\"\nkind = \"info\"\nhelp = \"Unit.\"\n"
                           "[[column]]\nname = \"size\"\nkind = \"gauge\"\nhelp = \"Size.\"\nprometheus = \"-\"\n";

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static const Family *add(Catalog *catalog, const char *name, const char *file_name, const char *text)
{
    expect(catalog_add(catalog, file_name, slice_cstr(text), NULL) >= 0);
    return catalog_find(catalog, slice_cstr(name));
}

static Cell read_cell(const FamilyColumn *column, Slice text)
{
    int64_t integer;
    double number;
    if (column->type == COLUMN_TEXT)
        return (Cell){.type = CELL_TEXT, .text = text};
    if (column->type == COLUMN_INT8 && slice_to_int64(text, &integer))
        return (Cell){.type = CELL_INT, .integer = integer};
    if (column->type == COLUMN_FLOAT8 && slice_to_double(text, &number) && isfinite(number))
        return (Cell){.type = CELL_FLOAT, .number = number};
    return (Cell){.type = CELL_NULL};
}

/* What a line has not is NULL. */
static void put(Snapshots *store, const Family *f, Slice lines)
{
    const FamilyColumn *columns[COLUMNS];
    Cell cells[ROWS_MAX * COLUMNS];
    size_t rows = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        columns[i] = &f->columns[i];
    for (; lines.len > 0 && rows < ROWS_MAX; rows++) {
        Slice line = slice_split(&lines, '\n');
        for (size_t i = 0; i < COLUMNS; i++) {
            const Slice text = slice_split(&line, '\t');
            cells[rows * COLUMNS + i] = text.ptr ? read_cell(columns[i], text) : (Cell){.type = CELL_NULL};
        }
    }
    const Reading reading = {.family = f->name,
                             .epoch = "e",
                             .wall = USEC_PER_SEC,
                             .columns = columns,
                             .column_count = COLUMNS,
                             .label_count = f->label_count,
                             .cells = cells,
                             .row_count = rows};
    snapshots_put(store, NULL, "main", f, &reading, USEC_PER_SEC);
}

static size_t name_length(Slice text)
{
    size_t i = 0;
    while (i < text.len &&
           (text.ptr[i] == '_' || text.ptr[i] == ':' || (text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
            (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z') || (i > 0 && text.ptr[i] >= '0' && text.ptr[i] <= '9')))
        i++;
    return i;
}

static Slice skip(Slice text, size_t bytes)
{
    expect(bytes <= text.len);
    return slice_from(text.ptr + bytes, text.len - bytes);
}

/* name="value", as the forms escape it. Gives what is behind. */
static Slice check_label(Slice text)
{
    const size_t name = name_length(text);
    expect(name > 0);
    text = skip(text, name);
    expect(text.len > 2 && text.ptr[0] == '=' && text.ptr[1] == '"');
    for (text = skip(text, 2); text.len > 0 && text.ptr[0] != '"'; text = skip(text, 1)) {
        if (text.ptr[0] != '\\')
            continue;
        text = skip(text, 1);
        expect(text.len > 0 && (text.ptr[0] == '\\' || text.ptr[0] == '"' || text.ptr[0] == 'n'));
    }
    return skip(text, 1);
}

static void check_sample(Slice line)
{
    const size_t name = name_length(line);
    double value;
    expect(name > 0);
    line = skip(line, name);
    while (line.len > 0 && (line.ptr[0] == '{' || line.ptr[0] == ','))
        line = check_label(skip(line, 1));
    if (line.len > 0 && line.ptr[0] == '}')
        line = skip(line, 1);
    expect(line.len > 1 && line.ptr[0] == ' ' && slice_to_double(skip(line, 1), &value));
}

static void check_answer(Slice text)
{
    expect(slice_is_utf8(text));
    expect(text.len == 0 || text.ptr[text.len - 1] == '\n');
    while (text.len > 0) {
        const Slice line = slice_split(&text, '\n');
        if (line.len < 2 || line.ptr[0] != '#')
            check_sample(line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Catalog *catalog;
    static const Family *tables, *conf;
    if (!catalog) {
        expect(catalog_new(&catalog, NULL, 0, NULL) >= 0);
        tables = add(catalog, "tables", "tables.toml", TABLES);
        conf = add(catalog, "conf", "conf.toml", CONF);
    }
    Slice lines = slice_from(data, size);
    const Slice accept = slice_split(&lines, '\n');
    (void)negotiate_gzip(accept);
    if (!slice_is_utf8(lines) || memchr(data, '\0', size)) /* texts of rows have neither when they come here */
        return 0;
    _cleanup_(snapshots_freep) Snapshots *store = snapshots_new(0);
    put(store, tables, lines);
    put(store, conf, lines);
    snapshots_note_server(store, "main", &(SnapshotsServer){.reachable = true});
    _cleanup_buf_ Buf out = BUF_INIT;
    const ExpositionOptions options = {.format = negotiate_format(accept), .now_wall = USEC_PER_SEC};
    expect(exposition_write(store, &options, &out));
    check_answer(buf_slice(&out));
    return 0;
}
