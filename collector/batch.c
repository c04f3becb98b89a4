/* SPDX-License-Identifier: PostgreSQL */
/* See batch.h. */
#include "collector/batch.h"

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

void batch_add(Batch *b, const Reading *reading)
{
    PushFrame frame;
    delta_apply(b->delta, b->arena, reading, &frame);
    frame.server = slice_cstr(b->server);
    push_frame_vec_push(&b->frames, frame);
    b->row_count += frame.row_count;
    b->bytes += cells_bytes(frame.cells, frame.row_count * frame.column_count);
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
    push_encode(&batch, out);
}
