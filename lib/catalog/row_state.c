/* SPDX-License-Identifier: PostgreSQL */
/* See row_state.h, and docs/decisions/0014-only-what-changed-is-read.md for why it is done. */
#include "lib/catalog/row_state.h"

/* The column of that name, when this server can give it. */
static const FamilyColumn *find_resolved(const ResolvedFamily *family, const char *name)
{
    for (size_t i = 0; i < family->column_count; i++) {
        if (strcmp(family->columns[i]->name, name) == 0)
            return family->columns[i];
    }
    return NULL;
}

/* Counters go up only: their sum is another one whenever one of them is. */
static bool is_summed(const FamilyColumn *column)
{
    return column->kind == COLUMN_COUNTER && column->type == COLUMN_INT8;
}

static void append_sum(Buf *out, const ResolvedFamily *family)
{
    for (const char *const *name = family->family->row_state; *name; name++) {
        const FamilyColumn *column = find_resolved(family, *name);
        if (column && is_summed(column))
            buf_printf(out, "%scoalesce(own.\"%s\", 0)", out->len ? " + " : "", column->name);
    }
}

/* *@hash becomes the hash of @column and of what it was the hash of. NULL is a value like others. */
static void wrap_hash(Buf *hash, const FamilyColumn *column)
{
    static const char *const names[_COLUMN_TYPE_MAX] = {"hashint8extended", "hashfloat8extended", "hashtextextended"};
    _cleanup_buf_ Buf before = *hash;
    *hash = BUF_INIT;
    buf_printf(hash, "%s(coalesce(own.\"%s\", %s), %s)", names[column->type], column->name,
               column->type == COLUMN_TEXT ? "''" : "0", buf_cstr(&before));
}

/* A number that is another one whenever anything in the row is, and for each row. NULL where the row has no id. What
 * is hashed goes in as a value, what was before as its seed, of which all 64 bits count. */
static void append_state(Buf *out, const ResolvedFamily *family)
{
    _cleanup_buf_ Buf hash = BUF_INIT, sum = BUF_INIT;
    append_sum(&sum, family);
    buf_printf(&hash, "hashint8extended(%s, own.id)", sum.len ? buf_cstr(&sum) : "0");
    for (const char *const *name = family->family->row_state; *name; name++) {
        const FamilyColumn *column = find_resolved(family, *name);
        if (column && !is_summed(column))
            wrap_hash(&hash, column);
    }
    buf_printf(out, "%s as \"state\"", buf_cstr(&hash));
}

/* All columns of @read but the id, and the state. Its rows are made once, not for each place where they are named. */
static void add_state(Buf *read, const ResolvedFamily *family)
{
    _cleanup_buf_ Buf own = *read;
    *read = BUF_INIT;
    buf_append_cstr(read, "select ");
    for (size_t i = 0; i < family->column_count; i++)
        buf_printf(read, "own.\"%s\", ", family->columns[i]->name);
    if (family->has_epoch)
        buf_append_cstr(read, "own.\"epoch\", ");
    for (size_t i = 0; family->has_roll_up && i < family->label_count; i++)
        buf_printf(read, "own.\"rolled_%zu\", ", i + 1);
    append_state(read, family);
    buf_printf(read, "\n  from (\n%s\noffset 0\n) as own", buf_cstr(&own));
}

/* Of a row and the known state that is its own neither comes back. */
static void leave_out(Buf *sql)
{
    _cleanup_buf_ Buf read = *sql;
    *sql = BUF_INIT;
    buf_printf(sql,
               "select read.*, known.state as \"gone\"\n  from (\n%s\n) as read"
               "\n  full join unnest($1::int8[]) as known(state) on read.state = known.state"
               "\n where read.state is null or known.state is null",
               buf_cstr(&read));
}

void row_state_leave_out_known(Buf *sql, ResolvedFamily *family)
{
    add_state(sql, family);
    leave_out(sql);
    family->has_state = true;
}
