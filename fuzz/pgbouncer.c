/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a pooler's console gives: the first line has the columns' names, the others are rows, fields are separated by
 * tabs; a field that is missing is NULL. Held to: no crash, rows of well-formed texts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/sources/pgbouncer_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COLUMNS_MAX = 64, LINES_MAX = 64 };

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static PGresult *read_result(Slice text)
{
    char names[COLUMNS_MAX][64];
    PGresAttDesc columns[COLUMNS_MAX] = {{0}};
    int count = 0;
    for (Slice line = slice_split(&text, '\n'); line.ptr && count < COLUMNS_MAX; count++) {
        const Slice name = slice_split(&line, '\t');
        (void)snprintf(names[count], sizeof(names[count]), "%.*s", (int)(name.len < 63 ? name.len : 63), name.ptr);
        columns[count] = (PGresAttDesc){.name = names[count]};
    }
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    expect(result && PQsetResultAttrs(result, count, columns));
    for (int row = 0; text.len > 0 && row < LINES_MAX; row++) {
        Slice line = slice_split(&text, '\n');
        for (int i = 0; i < count; i++) {
            const Slice value = slice_split(&line, '\t');
            _cleanup_buf_ Buf field = BUF_INIT; /* what libpq gives ends with a NUL */
            if (value.ptr)
                buf_append(&field, value);
            const int len = value.ptr ? (int)strlen(buf_cstr(&field)) : -1;
            expect(PQsetvalue(result, row, i, len >= 0 ? (char *)(uintptr_t)buf_cstr(&field) : NULL, len));
        }
    }
    return result;
}

static void check_readings(Inbox *inbox)
{
    for (const Reading *r; (r = inbox_peek(inbox)); inbox_take(inbox)) {
        for (size_t i = 0; i < r->row_count * r->column_count; i++)
            expect(r->cells[i].type != CELL_TEXT || slice_is_utf8(r->cells[i].text));
    }
    inbox_commit(inbox);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const NAMES[] = {"pgbouncer_pools",  "pgbouncer_databases", "pgbouncer_lists",
                                        "pgbouncer_totals", "pgbouncer_state",     NULL};
    enum { TABLES = 3, PAIRS_END = 5 };
    static Settings settings = {.interval = USEC_PER_SEC};
    static ServerSettings server = {.name = "main"};
    if (!settings.catalog)
        expect(catalog_new_builtin(&settings.catalog, NULL) == 0);
    PGresult *result = read_result(slice_from(data, size));
    Inbox *inbox = inbox_new(0);
    const ProducerOptions options = {.settings = &settings, .server = &server, .inbox = inbox};
    SourceFamilies *families = source_families_new(&options, NAMES);
    source_families_begin(families, 1, true);
    for (size_t i = 0; i < TABLES; i++)
        pgbouncer_read_table(&(PgbouncerRows){.families = families, .index = i, .source = "p", .epoch = "e"}, result);
    for (size_t i = TABLES; i < PAIRS_END; i++)
        pgbouncer_read_pairs(source_families_add(families, i, "p", "e"), result);
    source_families_end(families, 1, true);
    source_families_free(families);
    check_readings(inbox);
    inbox_free(inbox);
    PQclear(result);
    return 0;
}
