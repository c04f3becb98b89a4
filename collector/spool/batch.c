/* SPDX-License-Identifier: PostgreSQL */
/* See batch.h. */
#include "collector/spool/batch.h"

#include "collector/version.h"

enum { NUMBER_BYTES = 10 }; /* of an average value and its comma */

void batch_init(Batch *b, Delta *delta, const char *server)
{
    *b = (Batch){.arena = arena_new(0), .delta = delta, .server = server};
}

void batch_done(Batch *b)
{
    b->arena = arena_free(b->arena);
    push_frame_vec_done(&b->frames);
}

void batch_clear(Batch *b)
{
    arena_clear(b->arena);
    push_frame_vec_clear(&b->frames);
    b->row_count = 0;
    b->bytes = 0;
    b->has_news = false;
}

static size_t cells_bytes(const Cell *cells, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += cells[i].type == CELL_TEXT ? cells[i].text.len + 3 : NUMBER_BYTES;
    return bytes;
}

bool batch_has_room(const Batch *b, const Reading *reading)
{
    if (b->frames.len == 0)
        return true;
    size_t bytes = cells_bytes(reading->cells, reading->row_count * reading->column_count);
    return b->frames.len < BATCH_FRAMES_MAX && b->row_count + reading->row_count <= BATCH_ROWS_MAX &&
           b->bytes + bytes <= BATCH_BYTES_MAX;
}

/* Nothing is compared: what happened is told once, whole. */
static void frame_events(const Batch *b, const Reading *reading, PushFrame *ret)
{
    *ret = (PushFrame){
        .family = arena_dup(b->arena, slice_cstr(reading->family)),
        .time = reading->wall,
        .interval_ms = reading->events_since / USEC_PER_MSEC,
        .keyframe = true,
        .column_count = reading->column_count,
        .columns = arena_new_array(b->arena, Slice, reading->column_count + 1),
        .row_count = reading->row_count,
    };
    for (size_t i = 0; i < reading->column_count; i++)
        ret->columns[i] = slice_cstr(reading->columns[i]->name);
    size_t count = reading->row_count * reading->column_count;
    ret->cells = arena_new_array(b->arena, Cell, count + 1);
    for (size_t i = 0; i < count; i++) {
        ret->cells[i] = reading->cells[i];
        if (ret->cells[i].type == CELL_TEXT)
            ret->cells[i].text = arena_dup(b->arena, reading->cells[i].text);
    }
}

void batch_add(Batch *b, const Reading *reading)
{
    PushFrame frame;
    bool news = reading->row_count > 0;
    if (reading->events_since > 0)
        frame_events(b, reading, &frame);
    else
        news = delta_apply(b->delta, b->arena, reading, &frame);
    b->has_news |= news;
    frame.server = slice_cstr(b->server);
    push_frame_vec_push(&b->frames, frame);
    b->row_count += frame.row_count;
    b->bytes += cells_bytes(frame.cells, frame.row_count * frame.column_count);
}

/* Slices point into the family. */
static PushFamily describe_family(Arena *arena, const Family *f)
{
    PushFamily family = {
        .name = slice_cstr(f->name),
        .help = slice_cstr(f->help),
        .scope = slice_cstr(f->scope == FAMILY_SCOPE_DATABASE ? "database" : "instance"),
        .interval_s = f->interval_seconds,
        .columns = arena_new_array(arena, PushColumn, f->column_count),
        .column_count = f->column_count,
    };
    for (size_t i = 0; i < f->column_count; i++) {
        const FamilyColumn *c = &f->columns[i];
        family.columns[i] = (PushColumn){
            .name = slice_cstr(c->name),
            .kind = slice_cstr(column_kind_to_string(c->kind)),
            .type = slice_cstr(column_type_to_string(c->type)),
            .unit = c->unit[0] ? slice_cstr(c->unit) : SLICE_NULL,
            .help = c->help[0] ? slice_cstr(c->help) : SLICE_NULL,
        };
    }
    return family;
}

/* Each family that is not built in once: several frames may speak of it. */
static void describe_families(const Batch *b, const Catalog *catalog, PushBatch *ret)
{
    for (size_t i = 0; i < b->frames.len && ret->family_count < WIRE_FAMILIES_MAX; i++) {
        const Family *f = catalog_find(catalog, b->frames.items[i].family);
        bool known = !f || !f->own;
        for (size_t k = 0; k < ret->family_count && !known; k++)
            known = slice_eq_cstr(ret->families[k].name, f->name);
        if (!known && !ret->families)
            ret->families = arena_new_array(b->arena, PushFamily, WIRE_FAMILIES_MAX);
        if (!known)
            ret->families[ret->family_count++] = describe_family(b->arena, f);
    }
}

void batch_encode(const Batch *b, const BatchHead *head, Buf *out)
{
    PushServer server = *head->server;
    PushBatch batch = {
        .collector_id = slice_cstr(head->collector_id),
        .spool = slice_cstr(head->spool),
        .sequence = (int64_t)head->sequence,
        .sent_at = head->sent_at,
        .agent_version = slice_cstr(COLLECTOR_VERSION),
        .servers = &server,
        .server_count = 1,
        .frames = b->frames.items,
        .frame_count = b->frames.len,
    };
    if (head->catalog)
        describe_families(b, head->catalog, &batch);
    push_encode(&batch, out);
}
