/* SPDX-License-Identifier: PostgreSQL */
/* See pgbouncer_read.h. */
#include "collector/sources/pgbouncer_read.h"

#include <stdio.h>

static const char CONSOLE[] = "pgbouncer"; /* the name of the console's database is reserved */

static Slice value_at(const PGresult *result, int row, int column)
{
    if (column < 0 || PQgetisnull(result, row, column))
        return SLICE_NULL;
    return slice_from(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

/* The first source of @column that the result has; -1: none. */
static int find_column(const PGresult *result, const FamilyColumn *column, const char **ret_name)
{
    for (const char *const *name = column->alternatives; name && *name; name++) {
        int found = PQfnumber(result, *name);
        if (found < 0)
            continue;
        *ret_name = *name;
        return found;
    }
    return -1;
}

static void set_value(Rows *rows, const FamilyColumn *column, Slice value)
{
    int64_t integer;
    double number;
    if (!value.ptr)
        return;
    if (column->type == COLUMN_TEXT)
        rows_set_text(rows, column->name, value);
    else if (column->type == COLUMN_INT8 && slice_to_int64(value, &integer))
        rows_set_int(rows, column->name, integer);
    else if (column->type == COLUMN_FLOAT8 && slice_to_double(value, &number))
        rows_set_float(rows, column->name, number);
}

static void add_microseconds(const PGresult *result, int row, Rows *rows, const FamilyColumn *column, const char *name)
{
    char fraction[COLUMN_NAME_MAX + 8];
    (void)snprintf(fraction, sizeof(fraction), "%s_us", name);
    int at = PQfnumber(result, fraction);
    int64_t seconds, microseconds;
    if (at >= 0 && slice_to_int64(value_at(result, row, at), &microseconds) &&
        slice_to_int64(value_at(result, row, PQfnumber(result, name)), &seconds))
        rows_set_float(rows, column->name, (double)seconds + (double)microseconds / (double)USEC_PER_SEC);
}

/* Does the row speak of the console? Its database is the first label behind the source's own. */
static bool is_console(const PGresult *result, int row, const Rows *rows)
{
    const char *name;
    if (rows->label_count < 2 || strcmp(rows->columns[1]->name, "database") != 0)
        return false;
    return slice_eq_cstr(value_at(result, row, find_column(result, rows->columns[1], &name)), CONSOLE);
}

void pgbouncer_read_table(const PgbouncerRows *to, const PGresult *result)
{
    Rows *rows = source_families_rows(to->families, to->index);
    for (int row = 0; rows && row < PQntuples(result); row++) {
        if (is_console(result, row, rows))
            continue;
        if (!source_families_add(to->families, to->index, to->source, to->epoch))
            return;
        for (size_t i = 1; i < rows->column_count; i++) {
            const char *name;
            int at = find_column(result, rows->columns[i], &name);
            set_value(rows, rows->columns[i], value_at(result, row, at));
            if (at >= 0 && rows->columns[i]->type == COLUMN_FLOAT8)
                add_microseconds(result, row, rows, rows->columns[i], name);
        }
    }
}

static bool has_source(const FamilyColumn *column, Slice name)
{
    for (const char *const *one = column->alternatives; one && *one; one++) {
        if (slice_eq_cstr(name, *one))
            return true;
    }
    return false;
}

void pgbouncer_read_pairs(Rows *rows, const PGresult *result)
{
    for (int row = 0; PQnfields(result) >= 2 && row < PQntuples(result); row++) {
        Slice name = value_at(result, row, 0);
        for (size_t i = rows->label_count; i < rows->column_count; i++) {
            if (has_source(rows->columns[i], name))
                set_value(rows, rows->columns[i], value_at(result, row, 1));
        }
    }
}
