/* SPDX-License-Identifier: PostgreSQL */
/* See family_runner.h. Values come in binary form: the statements cast every column to int8, float8 or text, and making
 * decimal numbers of hundreds of rows would be most of what they cost the server. */
#include "collector/server/family_runner.h"

#include <endian.h>
#include <math.h>

#include "collector/reading/redact.h"
#include "collector/server/texts.h"
#include "lib/base/memory.h"
#include "lib/pg/array.h"

/* The statement gives one more character than are kept. What is left of a longer text says so at its end. */
enum { TEXT_CHARACTERS_MAX = 16000 };
enum { INFO_LENGTH_MAX = 16384 }; /* bytes */
enum { STATE_COLUMNS = 3 };       /* see resolve.h */
enum { KNOWN_PARAMS = 2 };        /* likewise */
static const char CUT_MARK[] = " /* the rest was cut */";

/* Answers come one after the other, so one of these serves all. */
typedef struct Reader {
    Rows *rows;
    Buf scratch;
    Err err;
} Reader;

typedef struct RowReader {
    const FamilyRun *run;
    Reader *shared;
    struct Known {
        Buf ids, states;
        const char *values[KNOWN_PARAMS];
        int lengths[KNOWN_PARAMS], formats[KNOWN_PARAMS];
    } known;
    Usec before_cost; /* of the block that ran before it */
    Err before_err;
} RowReader;

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* The bytes of its first @count characters. */
static size_t characters_length(Slice text, size_t count)
{
    size_t at = 0;
    for (size_t seen = 0; at < text.len; at++) {
        if (begins_character(text.ptr[at]) && seen++ == count)
            break;
    }
    return at;
}

static void clean_statement(const RowReader *reader, Slice text, Buf *out)
{
    const Slice kept = slice_from(text.ptr, characters_length(text, TEXT_CHARACTERS_MAX));
    redact_sql(kept, reader->run->backslash_escapes, out);
    if (kept.len == text.len && out->len <= TEXTS_LENGTH_MAX)
        return;
    const size_t room = TEXTS_LENGTH_MAX - (sizeof(CUT_MARK) - 1);
    if (out->len > room) {
        out->len = room;
        while (out->len > 0 && !begins_character(out->ptr[out->len]))
            out->len--;
    }
    buf_append_cstr(out, CUT_MARK);
}

static Cell text_cell(RowReader *reader, const FamilyColumn *column, Slice value)
{
    Buf *scratch = &reader->shared->scratch;
    buf_clear(scratch);
    size_t max = WIRE_LABEL_VALUE_MAX;
    if (column->kind == COLUMN_INFO && reader->run->family->family->mode == FAMILY_MODE_TEXTS) {
        clean_statement(reader, value, scratch);
        value = buf_slice(scratch);
        max = TEXTS_LENGTH_MAX;
    } else if (column->kind == COLUMN_INFO) {
        redact_credentials(value, scratch);
        value = buf_slice(scratch);
        max = INFO_LENGTH_MAX;
    }
    Slice copy = rows_copy_text(reader->shared->rows, value, max);
    reader->shared->rows->bytes += copy.len;
    return (Cell){.type = CELL_TEXT, .text = copy};
}

/* NaN and infinities have no place on the wire: they say that nothing is known. False: not eight bytes. */
static bool number_cell(ColumnType type, Slice value, Cell *ret)
{
    uint64_t bits;
    if (value.len != sizeof(bits))
        return false;
    memcpy(&bits, value.ptr, sizeof(bits));
    bits = be64toh(bits);
    if (type == COLUMN_INT8) {
        *ret = (Cell){.type = CELL_INT, .integer = (int64_t)bits};
        return true;
    }
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (isfinite(number))
        *ret = (Cell){.type = CELL_FLOAT, .number = number};
    return true;
}

static void on_begin(void *arg)
{
    const RowReader *reader = arg;
    const ResolvedFamily *family = reader->run->family;
    reader->shared->err = ERR_INIT;
    rows_begin(reader->shared->rows, family->columns, family->column_count, family->label_count);
    reader->shared->rows->has_states = family->has_state;
}

/* Absent where it is NULL, whose length is 0, too. */
static Slice value_at(const PGresult *result, int row, size_t at)
{
    const int length = PQgetlength(result, row, (int)at);
    if (length == 0 && PQgetisnull(result, row, (int)at))
        return SLICE_NULL;
    return slice_from(PQgetvalue(result, row, (int)at), (size_t)length);
}

/* One of the columns behind the family's own; absent where it is NULL. */
static Slice hidden_text(Rows *rows, const PGresult *result, int row, size_t at)
{
    const Slice value = value_at(result, row, at);
    return value.ptr ? rows_copy_text(rows, value, WIRE_LABEL_VALUE_MAX) : SLICE_NULL;
}

/* A number that is hidden, too; 0 where it is NULL. */
static uint64_t hidden_number(const PGresult *result, int row, size_t at)
{
    Cell cell = {.type = CELL_NULL};
    const Slice value = value_at(result, row, at);
    return value.ptr && number_cell(COLUMN_INT8, value, &cell) ? (uint64_t)cell.integer : 0;
}

/* How many columns stand behind the family's own: epoch, roll-up, id, state and what is gone. */
static size_t count_hidden(const ResolvedFamily *family)
{
    return (size_t)family->has_epoch + (family->has_roll_up ? family->label_count : 0) +
           (family->has_state ? STATE_COLUMNS : 0);
}

static void take_hidden(const ResolvedFamily *family, Rows *rows, const PGresult *result, int row)
{
    size_t at = family->column_count;
    if (family->has_epoch)
        slice_vec_push(&rows->epochs, hidden_text(rows, result, row, at++));
    for (size_t i = 0; family->has_roll_up && i < family->label_count; i++)
        slice_vec_push(&rows->rolled, hidden_text(rows, result, row, at++));
    if (family->has_state)
        row_state_vec_push(&rows->states, (RowState){.id = hidden_number(result, row, at),
                                                     .state = hidden_number(result, row, at + 1)});
}

/* True: this is no row but says that one is not what it was. */
static bool take_gone(const ResolvedFamily *family, Rows *rows, const PGresult *result, int row)
{
    const uint64_t gone =
        family->has_state ? hidden_number(result, row, family->column_count + count_hidden(family) - 1) : 0;
    if (gone != 0)
        id_vec_push(&rows->gone, gone);
    return gone != 0;
}

static int on_row(void *arg, const PGresult *result, int row)
{
    RowReader *reader = arg;
    Rows *rows = reader->shared->rows;
    Err *reterr = &reader->shared->err;
    const ResolvedFamily *family = reader->run->family;
    const size_t expected = family->column_count + count_hidden(family);
    if ((size_t)PQnfields(result) != expected)
        return err_set(reterr, ERR_SQL, "family %s: %d columns came back, %zu are declared", family->family->name,
                       PQnfields(result), expected);

    if (take_gone(family, rows, result, row))
        return 0;
    if (row == 0)
        rows_expect(rows, (size_t)PQntuples(result));
    Cell *cells = rows_add(rows);
    if (!cells)
        return 0; /* the bound; the rest is counted as truncated and not kept */
    for (size_t i = 0; i < family->column_count; i++) {
        const Slice value = value_at(result, row, i);
        if (!value.ptr)
            continue;
        const FamilyColumn *column = family->columns[i];
        if (column->type == COLUMN_TEXT)
            cells[i] = text_cell(reader, column, value);
        else if (!number_cell(column->type, value, &cells[i]))
            return err_set(reterr, ERR_SQL, "family %s: column %s: %zu bytes are not a number of type %s",
                           family->family->name, column->name, value.len, column_type_to_string(column->type));
        rows->bytes += 8;
    }
    take_hidden(family, rows, result, row);
    if (reader->run->on_part && rows->row_count == TEXTS_PART) {
        reader->run->on_part(reader->run->arg);
        rows_begin(rows, family->columns, family->column_count, family->label_count);
    }
    return 0;
}

static void on_end(void *arg, const PgStepEnd *end)
{
    const RowReader *reader = arg;
    FamilyRunEnd told = {
        .result = end->result,
        .err = end->err->code == ERR_NONE ? &reader->shared->err : end->err,
        .begun = end->begun,
        .cost = end->ended - end->begun + reader->before_cost,
    };
    if (end->result < 0 && reader->before_err.code != ERR_NONE)
        told.err = &reader->before_err;
    reader->run->on_end(reader->run->arg, &told);
}

static void on_before_end(void *arg, const PgStepEnd *end)
{
    RowReader *reader = arg;
    reader->before_cost += end->ended - end->begun;
    if (end->result < 0 && reader->before_err.code == ERR_NONE)
        reader->before_err = *end->err;
}

static void on_commit_end(void *arg, const PgStepEnd *end)
{
    (void)arg;
    (void)end; /* of a transaction that only read */
}

static PgStep make_command(RowReader *reader, const char *sql, PgStepBlock block,
                           void (*on_command)(void *arg, const PgStepEnd *end))
{
    return (PgStep){
        .query = {.sql = sql, .timeout = reader->run->timeout}, .block = block, .arg = reader, .on_end = on_command};
}

static void fill_known(struct Known *known, size_t index, const Buf *array)
{
    known->values[index] = array->ptr;
    known->lengths[index] = (int)array->len;
    known->formats[index] = PG_FORMAT_BINARY;
}

/* The statement's two parameters: ids and states. */
static void tell_known(struct Known *known, const RowStateVec *rows)
{
    pg_array_begin_int8(&known->ids, rows->len);
    pg_array_begin_int8(&known->states, rows->len);
    for (size_t i = 0; i < rows->len; i++) {
        pg_array_add_int8(&known->ids, (int64_t)rows->items[i].id);
        pg_array_add_int8(&known->states, (int64_t)rows->items[i].state);
    }
    fill_known(known, 0, &known->ids);
    fill_known(known, 1, &known->states);
}

static void forget_known(RowReader *reader)
{
    buf_done(&reader->known.ids);
    buf_done(&reader->known.states);
}

static size_t count_params(const FamilyRun *run)
{
    if (run->known)
        return KNOWN_PARAMS;
    return run->parameter ? 1 : 0;
}

static PgStep make_step(RowReader *reader)
{
    const FamilyRun *run = reader->run;
    if (run->known)
        tell_known(&reader->known, run->known);
    return (PgStep){
        .query = {.sql = run->family->sql,
                  .params = run->known ? reader->known.values : &run->parameter,
                  .param_lengths = run->known ? reader->known.lengths : NULL,
                  .param_formats = run->known ? reader->known.formats : NULL,
                  .param_count = count_params(run),
                  .format = PG_FORMAT_BINARY,
                  .timeout = run->timeout,
                  .prepared_name = run->family->family->name},
        .one_piece = run->is_small,
        .arg = reader,
        .on_begin = on_begin,
        .on_row = on_row,
        .on_end = on_end,
    };
}

/* Whether blocks that catch their own errors can be run in this database: asked, so that nothing fails. */
static int can_do_blocks(PgConn *conn, Usec timeout, bool *ret, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    PgQuery query = {.sql = "select exists (select from pg_catalog.pg_language where lanname = 'plpgsql'"
                            " and pg_catalog.has_language_privilege(oid, 'usage'))",
                     .shape = PG_SHAPE_ONE,
                     .timeout = timeout};
    int r = pg_conn_query(conn, &query, &row, reterr);
    if (r >= 0)
        *ret = PQgetvalue(row, 0, 0)[0] == 't';
    return pg_conn_usable(conn) ? 0 : err_trace(r);
}

static int look_for_blocks(PgConn *conn, const FamilyRun *runs, size_t count, bool *ret, Err *reterr)
{
    *ret = false;
    for (size_t i = 0; i < count; i++) {
        if (runs[i].family->family->before[0])
            return can_do_blocks(conn, runs[i].timeout, ret, reterr);
    }
    return 0;
}

/* The statement, with its block in one transaction, so that what the block has set ends with it. */
static size_t add_steps(PgStep *steps, RowReader *reader, bool with_block)
{
    if (!with_block) {
        steps[0] = make_step(reader);
        return 1;
    }
    steps[0] = make_command(reader, "begin transaction read only", PG_BLOCK_BEGIN, on_before_end);
    steps[1] = make_command(reader, reader->run->family->family->before, PG_BLOCK_WITHIN, on_before_end);
    steps[2] = make_step(reader);
    steps[2].block = PG_BLOCK_WITHIN;
    steps[3] = make_command(reader, "commit", PG_BLOCK_END, on_commit_end);
    return 4;
}

int family_runner_run(PgConn *conn, const PgStep *first, const FamilyRun *runs, size_t count, Rows *rows, Err *reterr)
{
    Reader shared = {.rows = rows};
    _cleanup_free_ RowReader *readers = mem_alloc_array(sizeof(*readers), count + 1);
    _cleanup_free_ PgStep *steps = mem_alloc_array(sizeof(*steps), 4 * count + 1);
    bool blocks;
    int r = look_for_blocks(conn, runs, count, &blocks, reterr);
    if (r < 0)
        return err_trace(r);
    size_t step_count = 0;
    if (first)
        steps[step_count++] = *first;
    for (size_t i = 0; i < count; i++) {
        readers[i] = (RowReader){.run = &runs[i], .shared = &shared};
        step_count += add_steps(&steps[step_count], &readers[i], blocks && runs[i].family->family->before[0]);
    }
    r = pg_conn_pipeline(conn, steps, step_count, reterr);
    for (size_t i = 0; i < count; i++)
        forget_known(&readers[i]);
    buf_done(&shared.scratch);
    return err_trace(r);
}
