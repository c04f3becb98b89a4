/* SPDX-License-Identifier: PostgreSQL */
/*
 * Compact readings: building (key, sort, merge rows of one key), and bytes on disk. See generation.h. A generation is
 * two blocks of memory, its keys and all the rest: hundreds of them are made and dropped at every tick.
 *
 * Bytes of a generation: epoch, wall, column count, column names, row count, then row by row: key, row epoch (8 bytes),
 * and for each value a type byte and the value (integers zigzag LEB128, floats and hashes 8 bytes little-endian).
 * Bytes of a difference: epoch, wall, row count, then runs of rows that fared alike: four times the length plus what
 * became of them, and for those that changed or are new what a row has above (without the key when it was there).
 * Invariants that loading checks: keys strictly ascending, types known, every count covered by bytes.
 */
#include "collector/increase/generation.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

#include "lib/base/memory.h"

/* FNV-1a. Only ever compares a text with its own predecessor, so nobody gains by finding two that collide: at worst a
 * changed setting is seen at the next keyframe. */
static uint64_t hash_text(Slice s)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return hash ? hash : 1;
}

static uint64_t double_bits(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static double bits_double(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

enum { NUMBER_MAX = 10 }; /* bytes of a number */

static char *write_number(char *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

/* What was written from the end of @out up to @at, into room made before, belongs to it. */
static void set_end(Buf *out, char *at)
{
    out->len = (size_t)(at - out->ptr);
    *at = '\0';
}

void generation_put_number(Buf *out, uint64_t value)
{
    buf_reserve(out, NUMBER_MAX);
    set_end(out, write_number(out->ptr + out->len, value));
}

void generation_put_string(Buf *out, Slice s)
{
    generation_put_number(out, s.len);
    buf_append(out, s);
}

bool generation_get_number(Slice *bytes, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (bytes->len == 0)
            return false;
        uint8_t byte = (uint8_t)bytes->ptr[0];
        *bytes = slice_skip(*bytes, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool generation_get_string(Slice *bytes, Slice *ret)
{
    uint64_t len;
    if (!generation_get_number(bytes, &len) || len > bytes->len)
        return false;
    *ret = slice_from(bytes->ptr, (size_t)len);
    *bytes = slice_skip(*bytes, (size_t)len);
    return true;
}

static bool get_fixed64(Slice *bytes, uint64_t *ret)
{
    if (bytes->len < 8)
        return false;
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | (uint8_t)bytes->ptr[i];
    *bytes = slice_skip(*bytes, 8);
    *ret = value;
    return true;
}

/* What a generation has room for. */
typedef struct Size {
    size_t columns;
    size_t rows;
    bool states;
} Size;

/* Its rows are whatever was there before: they are written once, each whole. @name_bytes: of the epoch and the column
 * names, each with its NUL. */
static Generation *allocate(const Size *size, size_t name_bytes)
{
    const size_t column_count = size->columns, row_count = size->rows, state_count = size->states ? 2 * row_count : 0;
    const size_t values = row_count * column_count;
    const size_t words = values + row_count + state_count; /* .bits, .row_epochs, .states */
    Generation *g = mem_realloc(NULL, sizeof(*g) + words * sizeof(uint64_t) + column_count * sizeof(char *) +
                                          2 * row_count * sizeof(uint32_t) + values + name_bytes);
    *g = (Generation){.column_count = column_count, .row_count = row_count};
    g->bits = (uint64_t *)(g + 1);
    g->row_epochs = g->bits + values;
    g->states = size->states ? (RowState *)(g->row_epochs + row_count) : NULL;
    g->columns = (const char **)(g->row_epochs + row_count + state_count);
    g->key_ends = (uint32_t *)(g->columns + column_count);
    g->places = g->key_ends + row_count;
    g->types = (uint8_t *)(g->places + row_count);
    g->epoch = (const char *)g->types + values;
    return g;
}

/* Copies @name behind the names that are there. *@at: where the next one goes. */
static const char *put_name(char **at, Slice name)
{
    char *copy = *at;
    memcpy(copy, name.ptr, name.len);
    copy[name.len] = '\0';
    *at += name.len + 1;
    return copy;
}

/* With the names of epoch and columns, and room for the rows. */
static Generation *allocate_named(Slice epoch, const Slice *names, const Size *size)
{
    size_t name_bytes = epoch.len + 1;
    for (size_t i = 0; i < size->columns; i++)
        name_bytes += names[i].len + 1;
    Generation *g = allocate(size, name_bytes);
    char *at = (char *)g->types + size->rows * size->columns;
    g->epoch = put_name(&at, epoch);
    for (size_t i = 0; i < size->columns; i++)
        g->columns[i] = put_name(&at, names[i]);
    return g;
}

Generation *generation_free(Generation *g)
{
    if (!g)
        return NULL;
    buf_done(&g->keys);
    free(g);
    return NULL;
}

Slice generation_key(const Generation *g, size_t row)
{
    size_t start = row ? g->key_ends[row - 1] : 0;
    return slice_from(buf_slice(&g->keys).ptr + start, g->key_ends[row] - start);
}

ptrdiff_t generation_find_column(const Generation *g, const char *name, size_t hint)
{
    if (hint < g->column_count && strcmp(g->columns[hint], name) == 0)
        return (ptrdiff_t)hint;
    for (size_t i = 0; i < g->column_count; i++) {
        if (strcmp(g->columns[i], name) == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

/* A key that no two different rows of labels share: null and empty differ, lengths stand before the bytes. */
static void append_key(Buf *out, const Cell *labels, size_t count)
{
    size_t room = count * (1 + NUMBER_MAX);
    for (size_t i = 0; i < count; i++)
        room += labels[i].type == CELL_TEXT ? labels[i].text.len : 0;
    buf_reserve(out, room);
    char *at = out->ptr + out->len;
    for (size_t i = 0; i < count; i++) {
        *at++ = labels[i].type == CELL_TEXT;
        if (labels[i].type != CELL_TEXT)
            continue;
        at = write_number(at, labels[i].text.len);
        if (labels[i].text.len > 0)
            memcpy(at, labels[i].text.ptr, labels[i].text.len);
        at += labels[i].text.len;
    }
    set_end(out, at);
}

typedef struct SortRow {
    Slice key;
    size_t index;
} SortRow;

static int compare_rows(const void *a, const void *b)
{
    const SortRow *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* A server gives its rows in the same order nearly every time: the order that was right for @before is tried first.
 * False: it is not right any more. No two rows compare equal, so what passes is all rows, each once. */
static bool order_like_before(SortRow *rows, size_t count, const Generation *before, Arena *arena)
{
    if (!before || before->row_count != count || count == 0)
        return false;
    SortRow *ordered = arena_new_array(arena, SortRow, count);
    for (size_t i = 0; i < count; i++) {
        if (before->places[i] >= count)
            return false;
        ordered[i] = rows[before->places[i]];
        if (i > 0 && compare_rows(&ordered[i - 1], &ordered[i]) >= 0)
            return false;
    }
    memcpy(rows, ordered, count * sizeof(*rows));
    return true;
}

/* The rows in key order; the keys live in @keys. */
static SortRow *sort_rows(const Reading *reading, const Generation *before, Arena *arena, Buf *keys)
{
    SortRow *rows = arena_new_array(arena, SortRow, reading->row_count + 1);
    size_t *ends = arena_new_array(arena, size_t, reading->row_count + 1);
    for (size_t i = 0; i < reading->row_count; i++) {
        append_key(keys, &reading->cells[i * reading->column_count], reading->label_count);
        ends[i] = keys->len;
    }
    for (size_t i = 0; i < reading->row_count; i++) {
        size_t start = i ? ends[i - 1] : 0;
        rows[i] = (SortRow){.key = slice_from(buf_slice(keys).ptr + start, ends[i] - start), .index = i};
    }
    if (!order_like_before(rows, reading->row_count, before, arena))
        qsort(rows, reading->row_count, sizeof(*rows), compare_rows);
    return rows;
}

static void store_value(Generation *g, size_t at, const Cell *cell)
{
    switch (cell->type) {
    case CELL_NULL:
        g->types[at] = VALUE_NULL;
        g->bits[at] = 0; /* compared like any other */
        break;
    case CELL_INT:
        g->types[at] = VALUE_INT;
        g->bits[at] = (uint64_t)cell->integer;
        break;
    case CELL_FLOAT:
        g->types[at] = VALUE_FLOAT;
        g->bits[at] = double_bits(cell->number);
        break;
    case CELL_TEXT:
        g->types[at] = VALUE_TEXT;
        g->bits[at] = hash_text(cell->text);
        break;
    }
}

/* Adds a counter of another row of the same key; what cannot be added becomes null, not a wrong number. */
static void add_value(Generation *g, size_t at, const Cell *cell)
{
    if (cell->type == CELL_INT && g->types[at] == VALUE_INT) {
        int64_t sum;
        if (__builtin_add_overflow((int64_t)g->bits[at], cell->integer, &sum))
            store_value(g, at, &(Cell){.type = CELL_NULL});
        else
            g->bits[at] = (uint64_t)sum;
    } else if (cell->type == CELL_FLOAT && g->types[at] == VALUE_FLOAT) {
        g->bits[at] = double_bits(bits_double(g->bits[at]) + cell->number);
    } else if (cell->type != CELL_NULL) {
        store_value(g, at, &(Cell){.type = CELL_NULL});
    }
}

/* Keys made of other labels cannot be compared: their names are part of the epoch. */
static void append_epoch(const Reading *reading, Buf *out)
{
    buf_append_cstr(out, reading->epoch);
    for (size_t i = 0; i < reading->label_count; i++) {
        buf_append_char(out, ' ');
        buf_append_cstr(out, reading->columns[i]->name);
    }
}

static bool has_columns(const Generation *g, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && count == g->column_count; i++) {
        if (strcmp(g->columns[i], names[i]) != 0)
            return false;
    }
    return count == g->column_count;
}

bool generation_can_follow(const Generation *g, const Generation *before)
{
    return has_columns(g, before->columns, before->column_count);
}

bool generation_matches(const Generation *g, const Reading *reading)
{
    const char *names[FAMILY_COLUMNS_MAX + 1];
    const size_t count = reading->column_count - reading->label_count;
    assert(count <= ARRAY_LENGTH(names));
    for (size_t i = 0; i < count; i++)
        names[i] = reading->columns[reading->label_count + i]->name;
    if (!has_columns(g, names, count))
        return false;
    _cleanup_buf_ Buf epoch = BUF_INIT;
    append_epoch(reading, &epoch);
    return slice_eq_cstr(buf_slice(&epoch), g->epoch);
}

/* Without rows yet, with room for those of @reading and so many that are kept. */
static Generation *make_empty(const Reading *reading, size_t kept_count)
{
    Slice names[FAMILY_COLUMNS_MAX + 1];
    size_t value_count = reading->column_count - reading->label_count;
    assert(value_count <= ARRAY_LENGTH(names));
    for (size_t i = 0; i < value_count; i++)
        names[i] = slice_cstr(reading->columns[reading->label_count + i]->name);
    _cleanup_buf_ Buf epoch = BUF_INIT;
    append_epoch(reading, &epoch);
    const Size size = {.columns = value_count,
                       .rows = reading->row_count + kept_count,
                       .states = !reading->partial && (reading->states || kept_count > 0)};
    Generation *g = allocate_named(buf_slice(&epoch), names, &size);
    g->row_count = 0;
    g->partial = reading->partial;
    g->wall = reading->wall;
    g->monotonic = reading->monotonic;
    return g;
}

/* Row @index of the reading becomes the next row. */
static void add_row(Generation *g, const Reading *reading, const SortRow *row)
{
    const size_t at = g->row_count++;
    const Cell *values = &reading->cells[row->index * reading->column_count + reading->label_count];
    buf_append(&g->keys, row->key);
    g->key_ends[at] = (uint32_t)g->keys.len;
    g->places[at] = (uint32_t)row->index;
    const bool has_epoch = reading->row_epochs && reading->row_epochs[row->index].ptr;
    g->row_epochs[at] = has_epoch ? hash_text(reading->row_epochs[row->index]) : 0;
    if (g->states)
        g->states[at] = reading->states ? reading->states[row->index] : (RowState){.id = 0};
    for (size_t c = 0; c < g->column_count; c++)
        store_value(g, at * g->column_count + c, &values[c]);
}

/* The last row has the key of this one, too. What becomes of them is not one row's state. */
static void add_to_row(Generation *g, const Reading *reading, const SortRow *row)
{
    const size_t at = g->row_count - 1;
    const Cell *values = &reading->cells[row->index * reading->column_count + reading->label_count];
    for (size_t c = 0; c < g->column_count; c++) {
        if (reading->columns[reading->label_count + c]->kind == COLUMN_COUNTER)
            add_value(g, at * g->column_count + c, &values[c]);
    }
    if (g->states)
        g->states[at].id = 0;
    if (g->places[at] == GENERATION_KEPT)
        g->places[at] = (uint32_t)row->index;
}

static void copy_values(Generation *g, size_t row, const Generation *before, size_t row_before)
{
    size_t width = g->column_count;
    g->row_epochs[row] = before->row_epochs[row_before];
    memcpy(&g->bits[row * width], &before->bits[row_before * width], width * sizeof(*g->bits));
    memcpy(&g->types[row * width], &before->types[row_before * width], width);
}

/* A row that was not read becomes the next row. */
static void keep_row(Generation *g, const Generation *before, size_t row_before)
{
    const size_t at = g->row_count++;
    buf_append(&g->keys, generation_key(before, row_before));
    g->key_ends[at] = (uint32_t)g->keys.len;
    g->places[at] = GENERATION_KEPT;
    if (g->states)
        g->states[at] = before->states[row_before];
    copy_values(g, at, before, row_before);
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The rows of the earlier reading that are what they were. */
typedef struct Kept {
    const Generation *before;
    size_t *rows;
    size_t count;
} Kept;

/* The ids of rows that are not what they were: gone, or read. Sorted; *@ret_count of them. */
static const uint64_t *sort_others(const Reading *reading, Arena *arena, size_t *ret_count)
{
    const size_t read_count = reading->states ? reading->row_count : 0;
    uint64_t *others = arena_new_array(arena, uint64_t, reading->gone_count + read_count + 1);
    if (reading->gone_count > 0)
        memcpy(others, reading->gone, reading->gone_count * sizeof(*others));
    for (size_t row = 0; row < read_count; row++)
        others[reading->gone_count + row] = reading->states[row].id;
    *ret_count = reading->gone_count + read_count;
    qsort(others, *ret_count, sizeof(*others), compare_ids);
    return others;
}

static Kept find_kept(const Reading *reading, const Generation *before, Arena *arena)
{
    Kept kept = {.before = before};
    if (!reading->rest_is_same || !before || !before->states)
        return kept;
    size_t other_count;
    const uint64_t *others = sort_others(reading, arena, &other_count);
    kept.rows = arena_new_array(arena, size_t, before->row_count + 1);
    for (size_t row = 0; row < before->row_count; row++) {
        const uint64_t *id = &before->states[row].id;
        if (*id != 0 && !bsearch(id, others, other_count, sizeof(*others), compare_ids))
            kept.rows[kept.count++] = row;
    }
    return kept;
}

/* Whether the kept row @at stands before row @row of those that were read, or has its key. */
static bool kept_comes_first(const Kept *kept, size_t at, const SortRow *rows, size_t row, size_t row_count)
{
    if (at == kept->count)
        return false;
    return row == row_count || slice_compare(generation_key(kept->before, kept->rows[at]), rows[row].key) <= 0;
}

Generation *generation_new(const Reading *reading, const Generation *before, Arena *arena)
{
    assert(reading->label_count <= reading->column_count);
    _cleanup_buf_ Buf keys = BUF_INIT;
    const SortRow *rows = sort_rows(reading, before, arena, &keys);
    const Kept kept = find_kept(reading, before, arena);

    Generation *g = make_empty(reading, kept.count);
    buf_reserve(&g->keys, keys.len + (kept.count > 0 ? before->keys.len : 0));
    for (size_t row = 0, at = 0; row < reading->row_count || at < kept.count;) {
        if (kept_comes_first(&kept, at, rows, row, reading->row_count)) {
            keep_row(g, before, kept.rows[at++]);
            continue;
        }
        if (g->row_count > 0 && slice_eq(generation_key(g, g->row_count - 1), rows[row].key))
            add_to_row(g, reading, &rows[row]);
        else
            add_row(g, reading, &rows[row]);
        row++;
    }
    return g;
}

static char *write_fixed64(char *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
    return at + sizeof(value);
}

/* Written straight into room made before: there are many. */
static void save_values(const Generation *g, size_t row, Buf *out)
{
    buf_reserve(out, 8 + g->column_count * (1 + NUMBER_MAX));
    char *at = write_fixed64(out->ptr + out->len, g->row_epochs[row]);
    for (size_t i = row * g->column_count; i < (row + 1) * g->column_count; i++) {
        *at++ = (char)g->types[i];
        if (g->types[i] == VALUE_INT)
            at = write_number(at, g->bits[i] << 1 ^ (uint64_t)((int64_t)g->bits[i] >> 63));
        else if (g->types[i] != VALUE_NULL)
            at = write_fixed64(at, g->bits[i]);
    }
    set_end(out, at);
}

void generation_save(const Generation *g, Buf *out)
{
    generation_put_string(out, slice_cstr(g->epoch));
    buf_append_u64le(out, (uint64_t)g->wall);
    generation_put_number(out, g->column_count);
    for (size_t i = 0; i < g->column_count; i++)
        generation_put_string(out, slice_cstr(g->columns[i]));
    generation_put_number(out, g->row_count);
    for (size_t row = 0; row < g->row_count; row++) {
        generation_put_string(out, generation_key(g, row));
        save_values(g, row, out);
    }
}

static bool load_value(Generation *g, size_t at, Slice *bytes)
{
    if (bytes->len == 0)
        return false;
    uint8_t type = (uint8_t)bytes->ptr[0];
    *bytes = slice_skip(*bytes, 1);
    if (type >= _VALUE_TYPE_MAX)
        return false;
    g->types[at] = type;
    g->bits[at] = 0;
    if (type == VALUE_NULL)
        return true;
    if (type != VALUE_INT)
        return get_fixed64(bytes, &g->bits[at]);

    uint64_t zigzag;
    if (!generation_get_number(bytes, &zigzag))
        return false;
    g->bits[at] = zigzag >> 1 ^ (0 - (zigzag & 1));
    return true;
}

/* Rows come in ascending order of their keys. */
static bool load_key(Generation *g, size_t row, Slice key)
{
    if (key.len > UINT32_MAX - g->keys.len)
        return false;
    if (row > 0 && slice_compare(generation_key(g, row - 1), key) >= 0)
        return false;
    buf_append(&g->keys, key);
    g->key_ends[row] = (uint32_t)g->keys.len;
    g->places[row] = 0;
    return true;
}

static bool load_values(Generation *g, size_t row, Slice *bytes)
{
    if (!get_fixed64(bytes, &g->row_epochs[row]))
        return false;
    for (size_t at = row * g->column_count; at < (row + 1) * g->column_count; at++) {
        if (!load_value(g, at, bytes))
            return false;
    }
    return true;
}

static bool load_rows(Generation *g, Slice *bytes)
{
    for (size_t row = 0; row < g->row_count; row++) {
        Slice key;
        if (!generation_get_string(bytes, &key) || !load_key(g, row, key) || !load_values(g, row, bytes))
            return false;
    }
    return true;
}

static int damaged(Err *reterr)
{
    return err_set(reterr, ERR_CORRUPT, "the saved reading is damaged");
}

int generation_load(Generation **ret, Slice *bytes, Err *reterr)
{
    Slice epoch, names[FAMILY_COLUMNS_MAX + 1];
    uint64_t wall, column_count, row_count;
    if (!generation_get_string(bytes, &epoch) || !get_fixed64(bytes, &wall) ||
        !generation_get_number(bytes, &column_count) || column_count > ARRAY_LENGTH(names))
        return damaged(reterr);
    for (size_t i = 0; i < column_count; i++) {
        if (!generation_get_string(bytes, &names[i]))
            return damaged(reterr);
    }
    /* A row takes at least a key length, an epoch and a type for each value: memory stays in proportion to the file. */
    if (!generation_get_number(bytes, &row_count) || row_count > bytes->len / (9 + column_count))
        return damaged(reterr);

    const Size size = {.columns = (size_t)column_count, .rows = (size_t)row_count};
    Generation *g = allocate_named(epoch, names, &size);
    g->wall = (Usec)wall;
    g->monotonic = GENERATION_MONOTONIC_UNKNOWN;
    if (!load_rows(g, bytes)) {
        generation_free(g);
        return damaged(reterr);
    }
    *ret = g;
    return 0;
}

/* --- As the difference from another one --------------------------------------------------------------------------- */

bool generation_rows_are_equal(const Generation *a, size_t row_a, const Generation *b, size_t row_b)
{
    size_t width = a->column_count;
    return a->row_epochs[row_a] == b->row_epochs[row_b] &&
           memcmp(&a->bits[row_a * width], &b->bits[row_b * width], width * sizeof(*a->bits)) == 0 &&
           memcmp(&a->types[row_a * width], &b->types[row_b * width], width) == 0;
}

/* What becomes of rows in a row, of both readings in the order of their keys. */
typedef enum RunKind { RUN_SAME, RUN_GONE, RUN_CHANGED, RUN_NEW, _RUN_KIND_MAX } RunKind;

/* Row @row of @now and row @row_before of @before stand in front; one of them at least is there. */
static RunKind kind_of(const Generation *now, size_t row, const Generation *before, size_t row_before)
{
    int order = row == now->row_count ? -1
                : row_before == before->row_count
                    ? 1
                    : slice_compare(generation_key(before, row_before), generation_key(now, row));
    if (order != 0)
        return order < 0 ? RUN_GONE : RUN_NEW;
    bool same = now->places[row] == GENERATION_KEPT || generation_rows_are_equal(now, row, before, row_before);
    return same ? RUN_SAME : RUN_CHANGED;
}

/* The run that begins here; both places move behind it. */
static RunKind take_run(const Generation *now, size_t *row, const Generation *before, size_t *row_before)
{
    RunKind kind = kind_of(now, *row, before, *row_before);
    do {
        *row += kind != RUN_GONE;
        *row_before += kind != RUN_NEW;
    } while ((*row < now->row_count || *row_before < before->row_count) &&
             kind_of(now, *row, before, *row_before) == kind);
    return kind;
}

void generation_save_changes(const Generation *g, const Generation *before, Buf *out)
{
    generation_put_string(out, slice_cstr(g->epoch));
    buf_append_u64le(out, (uint64_t)g->wall);
    generation_put_number(out, g->row_count);
    size_t row = 0, row_before = 0;
    while (row < g->row_count || row_before < before->row_count) {
        size_t first = row, first_before = row_before;
        RunKind kind = take_run(g, &row, before, &row_before);
        size_t length = kind == RUN_GONE ? row_before - first_before : row - first;
        generation_put_number(out, (uint64_t)length * _RUN_KIND_MAX + kind);
        for (; kind >= RUN_CHANGED && first < row; first++) {
            if (kind == RUN_NEW)
                generation_put_string(out, generation_key(g, first));
            save_values(g, first, out);
        }
    }
}

static bool copy_row(Generation *g, size_t row, const Generation *before, size_t row_before)
{
    copy_values(g, row, before, row_before);
    return load_key(g, row, generation_key(before, row_before));
}

static bool load_run_row(Generation *g, size_t row, RunKind kind, const Generation *before, size_t row_before,
                         Slice *bytes)
{
    Slice key;
    if (kind == RUN_SAME)
        return copy_row(g, row, before, row_before);
    if (kind == RUN_CHANGED)
        key = generation_key(before, row_before);
    else if (!generation_get_string(bytes, &key))
        return false;
    return load_key(g, row, key) && load_values(g, row, bytes);
}

static bool load_runs(Generation *g, const Generation *before, Slice *bytes)
{
    size_t row = 0, row_before = 0;
    while (row < g->row_count || row_before < before->row_count) {
        uint64_t number;
        if (!generation_get_number(bytes, &number))
            return false;
        RunKind kind = number % _RUN_KIND_MAX;
        uint64_t length = number / _RUN_KIND_MAX;
        if (length == 0 || (kind != RUN_GONE && length > g->row_count - row) ||
            (kind != RUN_NEW && length > before->row_count - row_before))
            return false;
        for (; length > 0; length--) {
            if (kind != RUN_GONE && !load_run_row(g, row++, kind, before, row_before, bytes))
                return false;
            row_before += kind != RUN_NEW;
        }
    }
    return true;
}

int generation_load_changes(Generation **ret, const Generation *before, Slice *bytes, Err *reterr)
{
    Slice epoch, names[FAMILY_COLUMNS_MAX + 1];
    uint64_t wall, row_count;
    size_t column_count = before->column_count;
    /* A row that was not there takes at least a key length, an epoch and a type for each value. */
    if (column_count > ARRAY_LENGTH(names) || !generation_get_string(bytes, &epoch) || !get_fixed64(bytes, &wall) ||
        !generation_get_number(bytes, &row_count) || row_count > before->row_count + bytes->len / (9 + column_count))
        return damaged(reterr);
    for (size_t i = 0; i < column_count; i++)
        names[i] = slice_cstr(before->columns[i]);

    const Size size = {.columns = column_count, .rows = (size_t)row_count};
    Generation *g = allocate_named(epoch, names, &size);
    g->wall = (Usec)wall;
    g->monotonic = GENERATION_MONOTONIC_UNKNOWN;
    if (!load_runs(g, before, bytes)) {
        generation_free(g);
        return damaged(reterr);
    }
    *ret = g;
    return 0;
}
