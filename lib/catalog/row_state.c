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

/* Counters go up, so that their sum is another one when one of them is. */
static bool is_summed(const FamilyColumn *column)
{
    return column->kind == COLUMN_COUNTER && column->type == COLUMN_INT8;
}

/* The sum of those that are added up; "0" without any. What is not known is -1, which no counter is. */
static void append_sum(Buf *out, const ResolvedFamily *family)
{
    for (const char *const *name = family->family->row_state; *name; name++) {
        const FamilyColumn *column = find_resolved(family, *name);
        if (column && is_summed(column))
            buf_printf(out, "%scoalesce(own.\"%s\", -1)", out->len ? " + " : "", column->name);
    }
    if (out->len == 0)
        buf_append_cstr(out, "0");
}

/* *@hash becomes the hash of @column and of what it was the hash of: the value is hashed, what was before is its seed,
 * of which all 64 bits count. */
static void wrap_hash(Buf *hash, const FamilyColumn *column)
{
    static const char *const names[_COLUMN_TYPE_MAX] = {"hashint8extended", "hashfloat8extended", "hashtextextended"};
    _cleanup_buf_ Buf before = *hash;
    *hash = BUF_INIT;
    buf_printf(hash, "%s(coalesce(own.\"%s\", %s), %s)", names[column->type], column->name,
               column->type == COLUMN_TEXT ? "''" : "-1", buf_cstr(&before));
}

/* Labels are part of what a row is: under another name it is another one. */
static void append_id(Buf *out, const ResolvedFamily *family)
{
    _cleanup_buf_ Buf hash = BUF_INIT;
    buf_append_cstr(&hash, "own.id");
    for (const char *const *name = family->family->row_state; *name; name++) {
        const FamilyColumn *column = find_resolved(family, *name);
        if (column && column->kind == COLUMN_LABEL)
            wrap_hash(&hash, column);
    }
    buf_printf(out, "%s as \"id\"", buf_cstr(&hash));
}

static void append_state(Buf *out, const ResolvedFamily *family)
{
    _cleanup_buf_ Buf hash = BUF_INIT;
    append_sum(&hash, family);
    for (const char *const *name = family->family->row_state; *name; name++) {
        const FamilyColumn *column = find_resolved(family, *name);
        if (column && column->kind != COLUMN_LABEL && !is_summed(column))
            wrap_hash(&hash, column);
    }
    buf_printf(out, "(%s)::int8 as \"state\"", buf_cstr(&hash));
}

/* The columns of @read, and of each row id and state. Its rows are made once, not for each place where they are named.
 */
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
    append_id(read, family);
    buf_append_cstr(read, ", ");
    append_state(read, family);
    buf_printf(read, "\n  from (\n%s\noffset 0\n) as own", buf_cstr(&own));
}

/* Rows that are what they were do not come back; of those that are gone their id does. */
static void leave_out(Buf *sql)
{
    _cleanup_buf_ Buf read = *sql;
    *sql = BUF_INIT;
    buf_printf(
        sql,
        "select read.*, case when read.id is null then known.id end as \"gone\"\n  from (\n%s\n) as read"
        "\n  full join unnest((select $1::int8[]), (select $2::int8[])) as known(id, state) on read.id = known.id"
        "\n where read.id is null or known.id is null or read.state <> known.state",
        buf_cstr(&read));
}

void row_state_leave_out_known(Buf *sql, ResolvedFamily *family)
{
    add_state(sql, family);
    leave_out(sql);
    family->has_state = true;
}
