#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The push format in memory, its limits, its one encoder and its one decoder. docs/wire.md describes the JSON.
 * Everything of a decoded PushBatch lives in the caller's arena; the text is not needed any more.
 * Pure, any thread.
 *
 * Values. label and info cells are strings or null. counter cells are increases since the previous reading (>= 0), null
 * when not known (first reading of an epoch, the server cannot tell). gauge cells are numbers or null. Integers beyond
 * +-2^53 travel as JSON integers and are kept exact (int64).
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

typedef enum CellType { CELL_NULL, CELL_INT, CELL_FLOAT, CELL_TEXT } CellType;

typedef struct Cell {
    CellType type;
    union {
        int64_t integer;
        double number; /* finite */
        Slice text;
    };
} Cell;

typedef struct PushFrame {
    Slice family;
    Slice server;        /* name of one of .servers */
    Slice database;      /* of a database-scoped family; absent otherwise. Part of the series' labels as "datname" is
                            a column of its own, this is not read by the store */
    Usec time;           /* wall, end of the interval */
    int64_t interval_ms; /* since the previous reading; 0 = first reading: counters are null */
    bool keyframe;       /* every row of the family is here */
    bool gap;            /* a new epoch began: what happened between the last reading and this one is not known */
    Slice *columns;
    size_t column_count;
    Cell *cells; /* row-major, row_count * column_count */
    size_t row_count;
} PushFrame;

typedef struct PushServer {
    Slice name;
    Slice system_identifier; /* decimal uint64 as text; absent while never connected */
    int64_t version_num;     /* 0 while not known */
    bool in_recovery;
    bool reachable;        /* the last attempt to read it succeeded */
    Slice error;           /* why not, for people; absent when reachable */
    Usec postmaster_start; /* wall; 0 while not known */
    int64_t interval_ms;   /* how often its readings come */
} PushServer;

/* What a family is that is not built in: of each one that frames speak of. Words (scope, mode, kind, type) as in the
 * family's file; they are the receiver's to check, as is whether it has a family of that name already. */
typedef struct PushColumn {
    Slice name;
    Slice kind;
    Slice type;
    Slice unit; /* absent: none */
    Slice help; /* absent: none */
} PushColumn;

typedef struct PushFamily {
    Slice name;
    Slice help; /* absent: none */
    Slice scope;
    Slice mode;         /* absent: "rows" */
    int64_t interval_s; /* 0: the collector's */
    PushColumn *columns;
    size_t column_count;
} PushFamily;

typedef struct PushMetric { /* the simple form for people and scripts */
    Slice name;
    double value;
    Usec time; /* 0: when received */
    Slice *label_names;
    Slice *label_values;
    size_t label_count;
} PushMetric;

typedef struct PushBatch {
    Slice collector_id;
    Slice spool;      /* the spool's id: with sequence, the exactly-once key; absent only when frames is empty
                         or the sender does not care (then nothing is deduplicated) */
    int64_t sequence; /* 1, 2, 3 ... within the spool; 0 when spool is absent */
    Usec sent_at;
    Slice agent_version;
    PushServer *servers;
    size_t server_count;
    PushFamily *families;
    size_t family_count;
    PushFrame *frames;
    size_t frame_count;
    PushMetric *metrics;
    size_t metric_count;
    size_t memory_bytes; /* of a decoded one: what it takes of the arena */
} PushBatch;

/* What is refused, with the limit in the message. */
enum {
    WIRE_BODY_MAX = 8 << 20,  /* compressed bytes */
    WIRE_TEXT_MAX = 64 << 20, /* bytes after decompression */
    WIRE_DEPTH_MAX = 8,
    WIRE_SERVERS_MAX = 512,
    WIRE_FAMILIES_MAX = 256,
    WIRE_FRAMES_MAX = 4096,
    WIRE_COLUMNS_MAX = 128,
    WIRE_ROWS_MAX = 200000,    /* of all frames of a batch together */
    WIRE_VALUES_MAX = 4000000, /* JSON values of a batch: bounds the memory of reading it */
    WIRE_METRICS_MAX = 10000,
    WIRE_LABELS_MAX = 32,
    WIRE_NAME_MAX = 128,         /* bytes of names of servers, families, columns, labels */
    WIRE_LABEL_VALUE_MAX = 1024, /* bytes */
    WIRE_INFO_VALUE_MAX = 65536, /* bytes: settings, statement texts; the decoder's limit for every cell */
    WIRE_HELP_MAX = 400,         /* bytes of a family's or a column's help */
    WIRE_ERROR_MAX = 4096,       /* bytes of a server's error */
};

/* Appends the JSON text. The batch is trusted: it was made by our own code within the limits. */
void push_encode(const PushBatch *batch, Buf *out);

/* Checks everything the format says (types, counts, lengths, UTF-8, times between 2000 and 2200, member names) except
 * what needs the catalog (which columns there are, of which kind). ERR_SYNTAX / ERR_BODY_INVALID / ERR_TOO_LARGE name
 * the place: "frames[2].rows[17][3]: ...". ERR_TOO_LARGE too when the arena's limit is reached. */
int push_decode(Slice text, Arena *arena, PushBatch *ret, Err *reterr) MUST_CHECK;

typedef struct PushReject {
    Slice family;
    Slice reason;
    int64_t rows;
} PushReject;

typedef struct PushAnswer {
    int64_t accepted_rows;
    int64_t accepted_values;
    bool duplicate;
    PushReject *rejected;
    size_t rejected_count;
    int64_t config_version;
} PushAnswer;

void push_answer_encode(const PushAnswer *answer, Buf *out);
int push_answer_decode(Slice text, Arena *arena, PushAnswer *ret, Err *reterr) MUST_CHECK;
