#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Batch: the frames of one tick of one server until they are encoded. Bounded well below the wire's limits: when a
 * reading has no room, the batch is flushed and begun anew. The target's thread.
 */
#include "collector/increase/delta.h"
#include "lib/base/vec.h"

enum {
    BATCH_ROWS_MAX = WIRE_ROWS_MAX - 1000, /* the rest is for what is told of a reading beside it */
    BATCH_BYTES_MAX = WIRE_BODY_MAX,       /* estimate of the JSON text, of which no more remains compressed */
    BATCH_FRAMES_MAX = 1024,
};

DEFINE_VEC(PushFrameVec, push_frame_vec, PushFrame)

typedef struct Batch {
    Arena *arena;
    Delta *delta;       /* borrowed */
    const char *server; /* borrowed */
    PushFrameVec frames;
    size_t row_count;
    size_t bytes;
    bool has_news; /* a frame tells something that an earlier batch did not */
} Batch;

void batch_init(Batch *b, Delta *delta, const char *server);
void batch_done(Batch *b);
void batch_clear(Batch *b);
/* False: flush first. An empty batch has room for any one reading. */
bool batch_has_room(const Batch *b, const Reading *reading);
/* Takes the increases of @reading in; the delta has it staged. */
void batch_add(Batch *b, const Reading *reading);

typedef struct BatchHead {
    const char *collector_id;
    const char *spool; /* NULL: none */
    uint64_t sequence;
    Usec sent_at;
    const PushServer *server;
    const Catalog *catalog; /* families of users that frames speak of are described; NULL: none */
} BatchHead;

/* Appends the JSON text. */
void batch_encode(const Batch *b, const BatchHead *head, Buf *out);
