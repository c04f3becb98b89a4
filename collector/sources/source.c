/* SPDX-License-Identifier: PostgreSQL */
/* See source.h. */
#include "collector/sources/source.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/memory.h"

#define KEYFRAME_INTERVAL (15 * 60 * USEC_PER_SEC)
#define RETRY_BASE        USEC_PER_SEC
#define RETRY_CAP         (60 * USEC_PER_SEC)

const ProducerKind *const SOURCE_PRODUCERS[] = {&pgbouncer_producer, &patroni_producer, &backup_producer, NULL};

typedef struct SourceFamily {
    const Family *family; /* NULL: off */
    const FamilyColumn **columns;
    Rows rows;
    Usec interval;
    Usec next; /* monotonic */
    Usec keyframe_at;
    bool due;
} SourceFamily;

struct SourceFamilies {
    Inbox *inbox;
    Arena *arena; /* of the columns */
    SourceFamily items[SOURCE_FAMILIES_MAX];
    size_t count;
    bool was_complete; /* the last turn */
    char born[24];     /* counters read by an earlier process are not compared with ours */
};

static void init_family(SourceFamilies *f, SourceFamily *item, const Settings *settings, const char *name)
{
    const Family *family = catalog_find(settings->catalog, slice_cstr(name));
    Usec interval;
    rows_init(&item->rows);
    if (!family || family->scope != FAMILY_SCOPE_HOST || !settings_family(settings, family, &interval))
        return;
    item->family = family;
    item->interval = interval ? interval : settings->interval;
    item->columns = arena_alloc_array(f->arena, sizeof(*item->columns), family->column_count);
    for (size_t i = 0; i < family->column_count; i++)
        item->columns[i] = &family->columns[i];
}

SourceFamilies *source_families_new(const ProducerOptions *options, const char *const *names)
{
    SourceFamilies *f = mem_alloc(sizeof(*f));
    f->inbox = options->inbox;
    f->arena = arena_new(0);
    (void)snprintf(f->born, sizeof(f->born), "%" PRId64, clock_wall());
    for (; names[f->count]; f->count++) {
        assert(f->count < SOURCE_FAMILIES_MAX);
        init_family(f, &f->items[f->count], options->settings, names[f->count]);
    }
    return f;
}

SourceFamilies *source_families_free(SourceFamilies *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < f->count; i++)
        rows_done(&f->items[i].rows);
    arena_free(f->arena);
    free(f);
    return NULL;
}

/* The next one keeps the rhythm, unless turns were missed. */
static void take_turn(SourceFamily *item, Usec now)
{
    item->next += item->interval;
    if (item->next <= now)
        item->next = now + item->interval;
}

void source_families_begin(SourceFamilies *f, Usec now, bool all)
{
    for (size_t i = 0; i < f->count; i++) {
        SourceFamily *item = &f->items[i];
        item->due = item->family && (all || now >= item->next);
        if (!item->due)
            continue;
        take_turn(item, now);
        rows_begin(&item->rows, item->columns, item->family->column_count, item->family->label_count);
    }
}

Rows *source_families_rows(SourceFamilies *f, size_t index)
{
    assert(index < f->count);
    return f->items[index].due ? &f->items[index].rows : NULL;
}

Rows *source_families_add(SourceFamilies *f, size_t index, const char *source, const char *epoch)
{
    Rows *rows = source_families_rows(f, index);
    if (!rows || !rows_add(rows))
        return NULL;
    rows_set_text(rows, rows->columns[0]->name, slice_cstr(source));
    slice_vec_push(&rows->epochs, rows_copy_text(rows, slice_cstr(epoch), WIRE_LABEL_VALUE_MAX));
    return rows;
}

static void put_reading(const SourceFamilies *f, SourceFamily *item, Usec now, bool complete)
{
    Reading reading = rows_reading(&item->rows);
    reading.family = item->family->name;
    reading.epoch = f->born;
    reading.wall = clock_wall();
    reading.monotonic = now;
    reading.keyframe = item->family->keyframe == FAMILY_KEYFRAME_ALWAYS || now >= item->keyframe_at;
    reading.partial |= !complete || !f->was_complete;
    if (reading.keyframe)
        item->keyframe_at = now + KEYFRAME_INTERVAL;
    inbox_put(f->inbox, &reading);
    item->due = false;
}

void source_families_end(SourceFamilies *f, Usec now, bool complete)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].due)
            put_reading(f, &f->items[i], now, complete);
    }
    f->was_complete = complete;
}

Usec source_families_next(const SourceFamilies *f)
{
    Usec next = USEC_NEVER;
    for (size_t i = 0; i < f->count; i++) {
        if (f->items[i].family && f->items[i].next < next)
            next = f->items[i].next;
    }
    return next;
}

/* --- One source --------------------------------------------------------------------------------------------------- */

void source_status_init(SourceStatus *s, SourceKind kind, const SourceHead *head)
{
    *s = (SourceStatus){.kind = source_kind_to_string(kind),
                        .head = head,
                        .backoff = {.base = RETRY_BASE, .cap = RETRY_CAP},
                        .error = ERR_INIT};
}

bool source_status_is_due(const SourceStatus *s, Usec now)
{
    return now >= s->retry_at;
}

void source_status_note(SourceStatus *s, const Err *err, Usec now)
{
    if (!err) {
        s->error = ERR_INIT;
        s->retry_at = 0;
        backoff_reset(&s->backoff);
        if (complain_recovered(&s->complain, now))
            log_info("source is read again", log_str("kind", s->kind), log_str("name", s->head->name),
                     log_str("server", s->head->server));
        return;
    }
    s->error = *err;
    s->retry_at = now + backoff_next(&s->backoff);
    if (complain_due(&s->complain, now))
        log_warn("source cannot be read", log_str("kind", s->kind), log_str("name", s->head->name),
                 log_str("server", s->head->server), log_error_field(err));
}

void source_status_fill(const SourceStatus *s, Rows *rows)
{
    rows_set_int(rows, "up", s->error.code == ERR_NONE);
    if (s->error.code == ERR_NONE)
        return;
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_append_cstr(&text, s->error.detail);
    if (s->error.hint[0])
        buf_printf(&text, " (%s)", s->error.hint);
    rows_set_text(rows, "error", buf_slice(&text));
}

bool source_is_of(const ProducerOptions *options, const SourceHead *head)
{
    return strcmp(head->server, options->server->name) == 0;
}

bool source_kind_is_wanted(const ProducerOptions *options, SourceKind kind)
{
    const SourceHead *head;
    for (size_t i = 0; (head = settings_source_at(options->settings, kind, i)); i++) {
        if (source_is_of(options, head))
            return true;
    }
    return false;
}
