/* SPDX-License-Identifier: PostgreSQL */
/*
 * See changes.h. A view is one family of one database as it was last read: the watched columns of each row as texts,
 * sorted by key (the labels but for the database's name). Comparing two views is one merge.
 *
 * Invariants
 *   1  What is told is different from the committed view: a batch that was given up tells again.
 *   2  A row is only told as new or gone when both views are whole, and a value only when both have the column: another
 *      version of the server, a bound, or a family that changed is no news.
 */
#include "collector/increase/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "collector/increase/generation.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

static const char MAGIC[] = "pgac1";
enum { VIEWS_MAX = 65536, COLUMNS_MAX = FAMILY_COLUMNS_MAX };

typedef struct ViewRow {
    Slice key;     /* labels, each followed by NUL */
    Slice *values; /* one a column; absent: NULL */
} ViewRow;

typedef struct View {
    Arena *arena;
    Usec wall;
    bool is_whole;
    size_t unwatched;
    Slice *columns;
    size_t column_count;
    ViewRow *rows;
    size_t row_count;
    size_t bytes;
} View;

typedef struct Watched {
    View *committed;
    View *staged;
} Watched;

struct Changes {
    Map *watched; /* "family\0database" -> Watched */
    Rows events;
    Reading reading;
    const FamilyColumn **columns; /* of the events */
    size_t bytes_max;
    size_t bytes; /* of all views */
    bool is_new;
    Usec numbered_at; /* events of the same time have different numbers */
    int64_t number;
};

static View *view_free(View *v)
{
    if (!v)
        return NULL;
    arena_free(v->arena);
    free(v);
    return NULL;
}

static View *view_new(void)
{
    View *v = mem_alloc(sizeof(*v));
    v->arena = arena_new(0);
    return v;
}

static void watched_free(void *value)
{
    Watched *w = value;
    view_free(w->committed);
    view_free(w->staged);
    free(w);
}

Changes *changes_new(const Family *event, size_t bytes_max)
{
    Changes *c = mem_alloc(sizeof(*c));
    c->watched = map_new(watched_free);
    c->bytes_max = bytes_max ? bytes_max : CHANGES_BYTES_MAX;
    c->columns = mem_alloc_array(sizeof(*c->columns), event->column_count + 1);
    for (size_t i = 0; i < event->column_count; i++)
        c->columns[i] = &event->columns[i];
    c->reading =
        (Reading){.family = event->name, .column_count = event->column_count, .label_count = event->label_count};
    rows_init(&c->events);
    return c;
}

Changes *changes_free(Changes *c)
{
    if (!c)
        return NULL;
    map_free(c->watched);
    rows_done(&c->events);
    free((void *)c->columns);
    free(c);
    return NULL;
}

/* --- A reading as a view ------------------------------------------------------------------------------------------ */

static uint64_t hash_bytes(Slice s)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a: tells a text from its predecessor, nothing more */
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return hash;
}

static size_t length_within(Slice s, size_t max)
{
    if (s.len <= max)
        return s.len;
    while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* Long ones by their beginning and what tells them apart. */
static Slice keep_text(Arena *arena, const FamilyColumn *column, Slice text)
{
    if (column->items)
        return arena_dup(arena, slice_from(text.ptr, length_within(text, CHANGES_VALUE_MAX)));
    if (text.len <= CHANGES_TEXT_MAX)
        return arena_dup(arena, text);
    const char *kept =
        arena_printf(arena, "%.*s ... (%zu bytes, %016" PRIx64 ")", (int)length_within(text, CHANGES_TEXT_MAX - 60),
                     text.ptr, text.len, hash_bytes(text));
    return slice_cstr(kept);
}

static Slice keep_time(Arena *arena, double seconds)
{
    char text[40];
    time_t whole = (time_t)seconds;
    struct tm parts;
    if (!gmtime_r(&whole, &parts) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &parts) == 0)
        return SLICE_NULL;
    return arena_dup(arena, slice_cstr(text));
}

static Slice keep_cell(Arena *arena, const FamilyColumn *column, const Cell *cell)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    switch (cell->type) {
    case CELL_NULL:
        return SLICE_NULL;
    case CELL_TEXT:
        return keep_text(arena, column, cell->text);
    case CELL_INT:
        if (strcmp(column->unit, "bool") == 0)
            buf_append_cstr(&text, cell->integer ? "true" : "false");
        else
            buf_append_int64(&text, cell->integer);
        break;
    case CELL_FLOAT:
        if (strcmp(column->cast, "epoch") == 0)
            return keep_time(arena, cell->number);
        buf_append_double(&text, cell->number);
        break;
    }
    return arena_dup(arena, buf_slice(&text));
}

static int compare_view_rows(const void *a, const void *b)
{
    const ViewRow *x = a, *y = b;
    return slice_compare(x->key, y->key);
}

static Slice key_of(Arena *arena, const Reading *reading, size_t row)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    for (size_t label = 0; label < reading->label_count; label++) {
        if (reading->database && strcmp(reading->columns[label]->name, "datname") == 0)
            continue;
        buf_append(&key, reading->cells[row * reading->column_count + label].text);
        buf_append_char(&key, '\0');
    }
    return arena_dup(arena, buf_slice(&key));
}

/* @indexes: the watched columns in the reading. @others: bytes of all other views. */
static View *view_of(const Changes *c, size_t others, const Reading *reading, const size_t *indexes, size_t count)
{
    View *v = view_new();
    size_t budget = c->bytes_max > others ? c->bytes_max - others : 0;
    v->wall = reading->wall;
    v->is_whole = !reading->partial;
    v->column_count = count;
    v->columns = arena_new_array(v->arena, Slice, count + 1);
    for (size_t i = 0; i < count; i++)
        v->columns[i] = arena_dup(v->arena, slice_cstr(reading->columns[indexes[i]]->name));
    v->rows = arena_new_array(v->arena, ViewRow, reading->row_count + 1);
    for (size_t row = 0; row < reading->row_count; row++) {
        if (arena_used_bytes(v->arena) > budget) {
            v->unwatched = reading->row_count - row;
            v->is_whole = false;
            break;
        }
        ViewRow *kept = &v->rows[v->row_count++];
        kept->key = key_of(v->arena, reading, row);
        kept->values = arena_new_array(v->arena, Slice, count + 1);
        for (size_t i = 0; i < count; i++)
            kept->values[i] = keep_cell(v->arena, reading->columns[indexes[i]],
                                        &reading->cells[row * reading->column_count + indexes[i]]);
    }
    v->bytes = arena_used_bytes(v->arena);
    qsort(v->rows, v->row_count, sizeof(*v->rows), compare_view_rows);
    return v;
}

/* --- Two views ---------------------------------------------------------------------------------------------------- */

typedef struct Comparison {
    Changes *changes;
    const Family *family;
    const Reading *reading;
    size_t told;
    int64_t untold;
    Buf scratch;
} Comparison;

typedef struct Event {
    const char *kind;
    const char *change;
    Slice key;  /* of the row */
    Slice item; /* of a list, or absent */
    Slice attribute;
    Slice before, after; /* absent: none */
} Event;

static void add_row(Comparison *c, const Event *event, int64_t count)
{
    Rows *rows = &c->changes->events;
    if (!rows_add(rows))
        return;
    if (c->changes->numbered_at != c->reading->wall)
        c->changes->number = 0;
    c->changes->numbered_at = c->reading->wall;
    buf_clear(&c->scratch);
    buf_append_int64(&c->scratch, ++c->changes->number);
    rows_set_text(rows, "kind", slice_cstr(event->kind));
    rows_set_text(rows, "datname", slice_cstr(c->reading->database ? c->reading->database : ""));
    rows_set_text(rows, "nr", buf_slice(&c->scratch));
    rows_set_text(rows, "change", slice_cstr(event->change));
    rows_set_text(rows, "family", slice_cstr(c->family->name));
    if (event->attribute.ptr)
        rows_set_text(rows, "attribute", event->attribute);
    if (event->before.ptr)
        rows_set_text(rows, "before", event->before);
    if (event->after.ptr)
        rows_set_text(rows, "after", event->after);
    rows_set_int(rows, "events", count);
}

static void tell(Comparison *c, const Event *event)
{
    if (c->told >= CHANGES_EVENTS_MAX) {
        c->untold++;
        return;
    }
    c->told++;
    add_row(c, event, 1);
    buf_clear(&c->scratch);
    for (Slice rest = event->key; rest.len > 0;) {
        Slice part = slice_split(&rest, '\0');
        if (part.len > 0)
            buf_printf(&c->scratch, "%s%.*s", c->scratch.len ? "." : "", SLICE_ARG(part));
    }
    if (event->item.ptr)
        buf_printf(&c->scratch, "%s%.*s", c->scratch.len ? "." : "", SLICE_ARG(event->item));
    rows_set_text(&c->changes->events, "object", buf_slice(&c->scratch));
}

/* The next "name TAB definition" of a list; false at its end. A list that was cut ends before its last line. */
static bool next_item(Slice *list, Slice *ret_name, Slice *ret_definition)
{
    if (!list->ptr || list->len == 0)
        return false;
    *ret_definition = slice_split(list, '\n');
    *ret_name = slice_split(ret_definition, '\t');
    if (!ret_definition->ptr)
        *ret_definition = slice_from(ret_name->ptr, 0);
    return true;
}

static Slice whole_lines(Slice list)
{
    if (list.len < CHANGES_VALUE_MAX - 4)
        return list;
    while (list.len > 0 && list.ptr[list.len - 1] != '\n')
        list.len--;
    return list;
}

static bool find_item(Slice list, Slice name, Slice *ret_definition)
{
    for (Slice other; next_item(&list, &other, ret_definition);) {
        if (slice_eq(other, name))
            return true;
    }
    return false;
}

static void compare_items(Comparison *c, const FamilyColumn *column, Slice key, Slice before, Slice after)
{
    bool all = before.len < CHANGES_VALUE_MAX - 4 && after.len < CHANGES_VALUE_MAX - 4;
    before = whole_lines(before);
    after = whole_lines(after);
    Event event = {.kind = column->change, .key = key};
    Slice definition;
    for (Slice rest = before; next_item(&rest, &event.item, &event.before);) {
        bool stays = find_item(after, event.item, &definition);
        if (stays ? slice_eq(event.before, definition) : !all)
            continue;
        event.change = stays ? "changed" : "removed";
        event.after = stays ? definition : SLICE_NULL;
        tell(c, &event);
    }
    event.change = "added";
    event.before = SLICE_NULL;
    for (Slice rest = after; next_item(&rest, &event.item, &event.after);) {
        if (all && !find_item(before, event.item, &definition))
            tell(c, &event);
    }
}

static void compare_values(Comparison *c, const View *before, const View *now, const ViewRow *row_before,
                           const ViewRow *row)
{
    for (size_t i = 0; i < now->column_count; i++) {
        size_t k = 0;
        while (k < before->column_count && !slice_eq(before->columns[k], now->columns[i]))
            k++;
        if (k == before->column_count)
            continue;
        Slice old = row_before->values[k], new = row->values[i];
        if ((old.ptr == NULL) == (new.ptr == NULL) && slice_eq(old, new))
            continue;
        const FamilyColumn *column = family_find_column(c->family, now->columns[i]);
        if (column->items) {
            compare_items(c, column, row->key, old, new);
            continue;
        }
        tell(c, &(Event){.kind = column->change,
                         .change = "changed",
                         .key = row->key,
                         .attribute = now->columns[i],
                         .before = old,
                         .after = new});
    }
}

/* What a row was or is, from its first watched column. */
static void tell_row(Comparison *c, const char *change, const ViewRow *row, const View *view, bool is_new)
{
    if (!c->family->change[0])
        return;
    Slice value = SLICE_NULL;
    const FamilyColumn *first = view->column_count ? family_find_column(c->family, view->columns[0]) : NULL;
    if (first && !first->items)
        value = row->values[0];
    tell(c, &(Event){.kind = c->family->change,
                     .change = change,
                     .key = row->key,
                     .before = is_new ? SLICE_NULL : value,
                     .after = is_new ? value : SLICE_NULL});
}

static void compare_views(Comparison *c, const View *before, const View *now)
{
    bool rows_are_news = before->is_whole && now->is_whole;
    size_t i = 0, k = 0;
    while (i < before->row_count || k < now->row_count) {
        int order = i == before->row_count ? 1
                    : k == now->row_count  ? -1
                                           : slice_compare(before->rows[i].key, now->rows[k].key);
        if (order == 0) {
            compare_values(c, before, now, &before->rows[i++], &now->rows[k++]);
        } else if (order < 0) {
            if (rows_are_news)
                tell_row(c, "removed", &before->rows[i], before, false);
            i++;
        } else {
            if (rows_are_news)
                tell_row(c, "added", &now->rows[k], now, true);
            k++;
        }
    }
}

static size_t find_watched(const Family *family, const Reading *reading, size_t *ret_indexes)
{
    size_t count = 0;
    for (size_t i = 0; i < reading->column_count; i++) {
        if (reading->columns[i]->change[0])
            ret_indexes[count++] = i;
    }
    return count > 0 || family->change[0] ? count : SIZE_MAX;
}

static Watched *watched_of(Changes *c, const Reading *reading)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    buf_append_cstr(&key, reading->family);
    buf_append_char(&key, '\0');
    buf_append_cstr(&key, reading->database ? reading->database : "");
    Watched *w = map_get(c->watched, buf_slice(&key));
    if (!w && map_len(c->watched) < VIEWS_MAX) {
        w = mem_alloc(sizeof(*w));
        map_put(c->watched, buf_slice(&key), w);
    }
    return w;
}

/* @to takes the place of *@at; NULL allowed. */
static void replace(Changes *c, View **at, View *to)
{
    c->bytes -= *at ? (*at)->bytes : 0;
    c->bytes += to ? to->bytes : 0;
    view_free(*at);
    *at = to;
}

static bool views_are_equal(const View *a, const View *b)
{
    if (a->is_whole != b->is_whole || a->column_count != b->column_count || a->row_count != b->row_count)
        return false;
    for (size_t i = 0; i < a->column_count; i++) {
        if (!slice_eq(a->columns[i], b->columns[i]))
            return false;
    }
    for (size_t row = 0; row < a->row_count; row++) {
        if (!slice_eq(a->rows[row].key, b->rows[row].key))
            return false;
        for (size_t i = 0; i < a->column_count; i++) {
            Slice x = a->rows[row].values[i], y = b->rows[row].values[i];
            if ((x.ptr == NULL) != (y.ptr == NULL) || !slice_eq(x, y))
                return false;
        }
    }
    return true;
}

static const Reading *events_of(Comparison *c, const View *before)
{
    if (c->untold > 0)
        add_row(c, &(Event){.kind = c->family->change[0] ? c->family->change : c->family->name, .change = "more"},
                c->untold);
    if (c->changes->events.row_count == 0)
        return NULL;
    Reading *events = &c->changes->reading;
    Usec since = c->reading->wall - before->wall;
    *events = rows_reading(&c->changes->events);
    events->family = "change_event";
    events->epoch = "";
    events->wall = c->reading->wall;
    events->monotonic = c->reading->monotonic;
    events->events_since = since > USEC_PER_MSEC ? since : USEC_PER_MSEC;
    events->partial = false;
    return events;
}

const Reading *changes_see(Changes *c, const Family *family, const Reading *reading)
{
    size_t indexes[COLUMNS_MAX];
    size_t count = find_watched(family, reading, indexes);
    if (count == SIZE_MAX || reading->events_since > 0)
        return NULL;
    Watched *w = watched_of(c, reading);
    if (!w)
        return NULL;
    replace(c, &w->staged, NULL);
    View *now = view_of(c, c->bytes - (w->committed ? w->committed->bytes : 0), reading, indexes, count);
    const Reading *events = NULL;
    if (w->committed) {
        if (views_are_equal(w->committed, now)) {
            w->committed->wall = now->wall;
            view_free(now);
            return NULL;
        }
        Comparison comparison = {.changes = c, .family = family, .reading = reading};
        rows_begin(&c->events, c->columns, c->reading.column_count, c->reading.label_count);
        compare_views(&comparison, w->committed, now);
        events = events_of(&comparison, w->committed);
        buf_done(&comparison.scratch);
    }
    replace(c, &w->staged, now);
    c->is_new = true;
    return events;
}

void changes_commit(Changes *c)
{
    void *value;
    for (size_t at = 0; map_next(c->watched, &at, NULL, &value);) {
        Watched *w = value;
        if (!w->staged)
            continue;
        View *staged = TAKE_PTR(w->staged);
        c->bytes -= staged->bytes;
        replace(c, &w->committed, staged);
    }
}

void changes_rollback(Changes *c)
{
    void *value;
    for (size_t at = 0; map_next(c->watched, &at, NULL, &value);)
        replace(c, &((Watched *)value)->staged, NULL);
}

bool changes_are_new(const Changes *c)
{
    return c->is_new;
}

void changes_saved(Changes *c)
{
    c->is_new = false;
}

uint64_t changes_unwatched(const Changes *c)
{
    uint64_t count = 0;
    void *value;
    for (size_t at = 0; map_next(c->watched, &at, NULL, &value);) {
        const Watched *w = value;
        count += w->committed ? w->committed->unwatched : 0;
    }
    return count;
}

/* --- Bytes -------------------------------------------------------------------------------------------------------- */

static void save_view(const View *v, Buf *out)
{
    buf_append_u64le(out, (uint64_t)v->wall);
    buf_append_u8(out, v->is_whole);
    generation_put_number(out, v->unwatched);
    generation_put_number(out, v->column_count);
    for (size_t i = 0; i < v->column_count; i++)
        generation_put_string(out, v->columns[i]);
    generation_put_number(out, v->row_count);
    for (size_t row = 0; row < v->row_count; row++) {
        generation_put_string(out, v->rows[row].key);
        for (size_t i = 0; i < v->column_count; i++) {
            Slice value = v->rows[row].values[i];
            buf_append_u8(out, value.ptr != NULL);
            if (value.ptr)
                generation_put_string(out, value);
        }
    }
}

void changes_save(const Changes *c, Buf *out)
{
    buf_append(out, SLICE_LIT(MAGIC));
    Slice key;
    void *value;
    for (size_t at = 0; map_next(c->watched, &at, &key, &value);) {
        const Watched *w = value;
        const View *v = w->staged ? w->staged : w->committed;
        if (!v)
            continue;
        generation_put_string(out, key);
        save_view(v, out);
    }
}

static bool load_byte(Slice *bytes, uint8_t max, uint8_t *ret)
{
    if (bytes->len == 0 || (uint8_t)bytes->ptr[0] > max)
        return false;
    *ret = (uint8_t)bytes->ptr[0];
    *bytes = slice_skip(*bytes, 1);
    return true;
}

static bool load_text(View *v, Slice *bytes, Slice *ret)
{
    Slice text;
    if (!generation_get_string(bytes, &text))
        return false;
    *ret = arena_dup(v->arena, text);
    return true;
}

static bool load_row(View *v, ViewRow *row, Slice *bytes)
{
    if (!load_text(v, bytes, &row->key))
        return false;
    row->values = arena_new_array(v->arena, Slice, v->column_count + 1);
    for (size_t i = 0; i < v->column_count; i++) {
        uint8_t is_there;
        if (!load_byte(bytes, 1, &is_there) || (is_there && !load_text(v, bytes, &row->values[i])))
            return false;
    }
    return true;
}

static bool load_head(View *v, Slice *bytes)
{
    uint64_t unwatched, column_count;
    uint8_t is_whole;
    if (bytes->len < 8)
        return false;
    for (int i = 7; i >= 0; i--)
        v->wall = (Usec)((uint64_t)v->wall << 8 | (uint8_t)bytes->ptr[i]);
    *bytes = slice_skip(*bytes, 8);
    if (!load_byte(bytes, 1, &is_whole) || !generation_get_number(bytes, &unwatched) ||
        !generation_get_number(bytes, &column_count) || column_count > COLUMNS_MAX)
        return false;
    v->is_whole = is_whole;
    v->unwatched = (size_t)unwatched;
    v->column_count = (size_t)column_count;
    v->columns = arena_new_array(v->arena, Slice, v->column_count + 1);
    for (size_t i = 0; i < v->column_count; i++) {
        if (!load_text(v, bytes, &v->columns[i]))
            return false;
    }
    return true;
}

static bool load_view(View *v, Slice *bytes)
{
    uint64_t row_count;
    /* A row takes at least the length of its key and a byte for each value: memory stays in proportion to the file. */
    if (!load_head(v, bytes) || !generation_get_number(bytes, &row_count) ||
        row_count > bytes->len / (1 + v->column_count))
        return false;
    v->rows = arena_new_array(v->arena, ViewRow, (size_t)row_count + 1);
    for (; v->row_count < row_count; v->row_count++) {
        if (!load_row(v, &v->rows[v->row_count], bytes))
            return false;
        if (v->row_count > 0 && slice_compare(v->rows[v->row_count - 1].key, v->rows[v->row_count].key) > 0)
            return false;
    }
    v->bytes = arena_used_bytes(v->arena);
    return true;
}

int changes_load(Changes *c, Slice bytes, Err *reterr)
{
    map_clear(c->watched);
    c->bytes = 0;
    bool good = slice_starts_with(bytes, SLICE_LIT(MAGIC));
    bytes = slice_skip(bytes, sizeof(MAGIC) - 1);
    while (good && bytes.len > 0) {
        Slice key;
        good = generation_get_string(&bytes, &key) && !map_has(c->watched, key) && map_len(c->watched) < VIEWS_MAX;
        if (!good)
            break;
        Watched *w = mem_alloc(sizeof(*w));
        map_put(c->watched, key, w);
        w->committed = view_new();
        good = load_view(w->committed, &bytes);
        c->bytes += w->committed->bytes;
    }
    if (good)
        return 0;
    map_clear(c->watched);
    c->bytes = 0;
    return err_set(reterr, ERR_CORRUPT, "what is remembered of the server is damaged");
}
