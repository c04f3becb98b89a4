/* SPDX-License-Identifier: PostgreSQL */
/* See family_runner.h. Values come as text: the statements cast every number to int8 or float8. */
#include "collector/family_runner.h"

#include <math.h>

#include "collector/redact.h"

enum { STATEMENT_TEXT_MAX = 16384 }; /* bytes of one text that are kept */

typedef struct RowReader {
    const FamilyRun *run;
    Rows *rows;
    Buf scratch;
    Err *reterr;
} RowReader;

static Cell text_cell(RowReader *reader, const FamilyColumn *column, Slice value)
{
    buf_clear(&reader->scratch);
    size_t max = WIRE_LABEL_VALUE_MAX;
    if (column->kind == COLUMN_INFO && reader->run->family->family->mode == FAMILY_MODE_TEXTS) {
        redact_sql(value, reader->run->backslash_escapes, &reader->scratch);
        value = buf_slice(&reader->scratch);
        max = STATEMENT_TEXT_MAX;
    } else if (column->kind == COLUMN_INFO) {
        redact_credentials(value, &reader->scratch);
        value = buf_slice(&reader->scratch);
        max = STATEMENT_TEXT_MAX;
    }
    Slice copy = rows_copy_text(reader->rows, value, max);
    reader->rows->bytes += copy.len;
    return (Cell){.type = CELL_TEXT, .text = copy};
}

/* NaN and infinities have no place on the wire: they say that nothing is known. */
static bool number_cell(ColumnType type, Slice value, Cell *ret)
{
    if (type == COLUMN_INT8) {
        ret->type = CELL_INT;
        return slice_to_int64(value, &ret->integer);
    }
    ret->type = CELL_FLOAT;
    if (!slice_to_double(value, &ret->number))
        return false;
    if (!isfinite(ret->number))
        *ret = (Cell){.type = CELL_NULL};
    return true;
}

static int on_row(void *arg, const PGresult *row)
{
    RowReader *reader = arg;
    const ResolvedFamily *family = reader->run->family;
    size_t expected = family->column_count + family->has_epoch;
    if ((size_t)PQnfields(row) != expected)
        return err_set(reader->reterr, ERR_SQL, "family %s: %d columns came back, %zu are declared",
                       family->family->name, PQnfields(row), expected);

    Cell *cells = rows_add(reader->rows);
    if (!cells)
        return 0; /* the bound; the rest is counted as truncated and not kept */
    for (size_t i = 0; i < family->column_count; i++) {
        if (PQgetisnull(row, 0, (int)i))
            continue;
        const FamilyColumn *column = family->columns[i];
        Slice value = slice_from(PQgetvalue(row, 0, (int)i), (size_t)PQgetlength(row, 0, (int)i));
        if (column->type == COLUMN_TEXT)
            cells[i] = text_cell(reader, column, value);
        else if (!number_cell(column->type, value, &cells[i]))
            return err_set(reader->reterr, ERR_SQL, "family %s: column %s: \"%.*s\" is not a number of type %s",
                           family->family->name, column->name, value.len < 40 ? (int)value.len : 40, value.ptr,
                           column_type_to_string(column->type));
        reader->rows->bytes += 8;
    }
    if (family->has_epoch) {
        int at = (int)family->column_count;
        Slice epoch = SLICE_NULL;
        if (!PQgetisnull(row, 0, at))
            epoch = rows_copy_text(reader->rows, slice_from(PQgetvalue(row, 0, at), (size_t)PQgetlength(row, 0, at)),
                                   WIRE_LABEL_VALUE_MAX);
        slice_vec_push(&reader->rows->epochs, epoch);
    }
    return 0;
}

int family_runner_run(const FamilyRun *run, Rows *rows, Usec *ret_cost, Err *reterr)
{
    const ResolvedFamily *family = run->family;
    rows_begin(rows, family->columns, family->column_count, family->label_count);

    const char *params[] = {run->ids};
    PgQuery query = {
        .sql = family->sql,
        .params = params,
        .param_count = family->family->mode == FAMILY_MODE_TEXTS ? 1 : 0,
        .shape = PG_SHAPE_ROWS,
        .format = PG_FORMAT_TEXT,
        .timeout = run->timeout,
        .prepared_name = run->prepare ? family->family->name : NULL,
    };
    RowReader reader = {.run = run, .rows = rows, .reterr = reterr};
    Usec start = clock_monotonic();
    int r = pg_conn_query_each(run->conn, &query, on_row, &reader, reterr);
    *ret_cost = clock_monotonic() - start;
    buf_done(&reader.scratch);
    if (r < 0)
        return err_trace(r);
    return 0;
}
