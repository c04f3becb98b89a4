/* SPDX-License-Identifier: PostgreSQL */
/* See sample_table.h. A row's key is its fields, each with its length before it. */
#include "collector/sampling/sample_table.h"

#include <ctype.h>

#include "lib/base/map.h"
#include "lib/base/memory.h"

enum { DIGITS_MIN = 4, HEX_MIN = 8 };

static const char *const COLUMNS[_SAMPLE_FIELD_MAX] = {
    [SAMPLE_WAIT_EVENT_TYPE] = "wait_event_type",
    [SAMPLE_WAIT_EVENT] = "wait_event",
    [SAMPLE_STATE] = "state",
    [SAMPLE_BACKEND_TYPE] = "backend_type",
    [SAMPLE_DATNAME] = "datname",
    [SAMPLE_USENAME] = "usename",
    [SAMPLE_APPLICATION_NAME] = "application_name",
    [SAMPLE_QUERYID] = "queryid",
    [SAMPLE_CLIENT_ADDR] = "client_addr",
    [SAMPLE_BLOCKER] = "blocker",
};

typedef struct SampleRow {
    Slice fields[_SAMPLE_FIELD_MAX];
    uint64_t samples;
    size_t number; /* order of arrival: decides among equals */
} SampleRow;

DEFINE_VEC(SampleRowVec, sample_row_vec, SampleRow *)

struct SampleTable {
    Arena *arena;
    Map *rows;         /* key -> SampleRow */
    SampleRowVec list; /* the same */
    SampleRowVec rest; /* called "other": beyond SAMPLE_KEYS_MAX */
    Buf key, application;
    uint64_t samples;
};

SampleTable *sample_table_new(void)
{
    SampleTable *t = mem_alloc(sizeof(*t));
    t->arena = arena_new(0);
    t->rows = map_new(NULL);
    return t;
}

SampleTable *sample_table_free(SampleTable *t)
{
    if (!t)
        return NULL;
    map_free(t->rows);
    sample_row_vec_done(&t->list);
    sample_row_vec_done(&t->rest);
    buf_done(&t->key);
    buf_done(&t->application);
    arena_free(t->arena);
    free(t);
    return NULL;
}

uint64_t sample_table_samples(const SampleTable *t)
{
    return t->samples;
}

static bool is_plain_word(Slice word)
{
    size_t digits = 0, run = 0;
    bool hex = true;
    for (size_t i = 0; i < word.len; i++) {
        bool digit = isdigit((unsigned char)word.ptr[i]);
        digits += digit;
        run = digit ? run + 1 : 0;
        hex = hex && isxdigit((unsigned char)word.ptr[i]);
        if (run >= DIGITS_MIN)
            return false;
    }
    return !(hex && digits > 0 && word.len >= HEX_MIN);
}

static void clean_word(Slice word, Buf *out)
{
    bool hex = word.len >= HEX_MIN;
    for (size_t i = 0; i < word.len && hex; i++)
        hex = isxdigit((unsigned char)word.ptr[i]);
    if (hex) {
        buf_append_char(out, '#');
        return;
    }
    for (size_t i = 0; i < word.len;) {
        size_t run = 0;
        while (i + run < word.len && isdigit((unsigned char)word.ptr[i + run]))
            run++;
        if (run >= DIGITS_MIN)
            buf_append_char(out, '#');
        else
            buf_append(out, slice_from(word.ptr + i, run ? run : 1));
        i += run ? run : 1;
    }
}

void sample_clean_application(Slice name, Buf *out)
{
    for (size_t i = 0; i < name.len;) {
        size_t len = 0;
        while (i + len < name.len && isalnum((unsigned char)name.ptr[i + len]))
            len++;
        Slice word = slice_from(name.ptr + i, len ? len : 1);
        if (is_plain_word(word))
            buf_append(out, word);
        else
            clean_word(word, out);
        i += word.len;
    }
}

static void append_field(Buf *key, Slice value)
{
    buf_append_u32le(key, (uint32_t)value.len);
    buf_append(key, value.len ? value : SLICE_LIT(""));
}

static SampleRow *new_row(SampleTable *t, SampleRowVec *list)
{
    SampleRow *row = arena_new_object(t->arena, SampleRow);
    row->number = list->len;
    sample_row_vec_push(list, row);
    return row;
}

static bool same_kind(const SampleRow *row, const Slice *fields)
{
    return slice_eq(row->fields[SAMPLE_WAIT_EVENT_TYPE], fields[SAMPLE_WAIT_EVENT_TYPE]) &&
           slice_eq(row->fields[SAMPLE_STATE], fields[SAMPLE_STATE]);
}

/* The row called "other" for this kind of wait and state; NULL: there is none yet. */
static SampleRow *find_rest(const SampleRowVec *rest, const Slice *fields)
{
    for (size_t i = 0; i < rest->len; i++) {
        if (same_kind(rest->items[i], fields))
            return rest->items[i];
    }
    return NULL;
}

static void add_to_rest(SampleTable *t, const Slice *fields, uint64_t samples)
{
    SampleRow *row = find_rest(&t->rest, fields);
    if (!row) {
        row = new_row(t, &t->rest);
        row->fields[SAMPLE_WAIT_EVENT_TYPE] = arena_dup(t->arena, fields[SAMPLE_WAIT_EVENT_TYPE]);
        row->fields[SAMPLE_STATE] = arena_dup(t->arena, fields[SAMPLE_STATE]);
        row->fields[SAMPLE_WAIT_EVENT] = SLICE_LIT("other");
    }
    row->samples += samples;
}

void sample_table_add(SampleTable *t, const Sample *sample)
{
    Slice fields[_SAMPLE_FIELD_MAX];
    buf_clear(&t->application);
    sample_clean_application(sample->fields[SAMPLE_APPLICATION_NAME], &t->application);
    buf_clear(&t->key);
    for (size_t i = 0; i < _SAMPLE_FIELD_MAX; i++) {
        fields[i] = i == SAMPLE_APPLICATION_NAME ? buf_slice(&t->application) : sample->fields[i];
        if (fields[i].len > SAMPLE_FIELD_BYTES_MAX)
            fields[i].len = SAMPLE_FIELD_BYTES_MAX;
        append_field(&t->key, fields[i]);
    }
    t->samples++;
    SampleRow *row = map_get(t->rows, buf_slice(&t->key));
    if (!row && t->list.len >= SAMPLE_KEYS_MAX) {
        add_to_rest(t, fields, 1);
        return;
    }
    if (!row) {
        row = new_row(t, &t->list);
        for (size_t i = 0; i < _SAMPLE_FIELD_MAX; i++)
            row->fields[i] = fields[i].len ? arena_dup(t->arena, fields[i]) : SLICE_LIT("");
        map_put(t->rows, buf_slice(&t->key), row);
    }
    row->samples++;
}

static int by_samples(const void *a, const void *b)
{
    const SampleRow *x = *(const SampleRow *const *)a, *y = *(const SampleRow *const *)b;
    if (x->samples != y->samples)
        return x->samples > y->samples ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

static void write_row(const SampleRow *row, double seconds, Rows *rows)
{
    if (!rows_add(rows))
        return;
    for (size_t i = 0; i < _SAMPLE_FIELD_MAX; i++) {
        if (i < SAMPLE_QUERYID || row->fields[i].len > 0)
            rows_set_text(rows, COLUMNS[i], row->fields[i].ptr ? row->fields[i] : SLICE_LIT(""));
    }
    rows_set_int(rows, "samples", (int64_t)row->samples);
    rows_set_float(rows, "seconds", (double)row->samples * seconds);
}

void sample_table_take(SampleTable *t, size_t max, double seconds, Rows *rows)
{
    if (t->list.len > 0)
        qsort((void *)t->list.items, t->list.len, sizeof(*t->list.items), by_samples);
    for (size_t i = 0; i < t->list.len; i++) {
        if (i < max)
            write_row(t->list.items[i], seconds, rows);
        else
            add_to_rest(t, t->list.items[i]->fields, t->list.items[i]->samples);
    }
    for (size_t i = 0; i < t->rest.len; i++)
        write_row(t->rest.items[i], seconds, rows);
    map_clear(t->rows);
    sample_row_vec_clear(&t->list);
    sample_row_vec_clear(&t->rest);
    arena_clear(t->arena);
    t->samples = 0;
}
