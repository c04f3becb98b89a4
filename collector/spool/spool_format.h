#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The spool's bytes (docs/spool.md, section 2): headers of segments, records and the head, and a scanner that finds the
 * records of a segment whatever happened to it. Pure, any thread.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/wire/compress.h"

enum {
    SPOOL_VERSION = 1,
    SPOOL_SEGMENT_HEADER_SIZE = 64,
    SPOOL_RECORD_HEADER_SIZE = 32,
    SPOOL_RECORD_TRAILER_SIZE = 8,
    SPOOL_RECORD_OVERHEAD = SPOOL_RECORD_HEADER_SIZE + SPOOL_RECORD_TRAILER_SIZE,
    SPOOL_PAYLOAD_MAX = 64 << 20,
    SPOOL_HEAD_SLOT_SIZE = 128,
    SPOOL_HEAD_SLOT_STRIDE = 4096,
    SPOOL_HEAD_SIZE = 2 * SPOOL_HEAD_SLOT_STRIDE,
};

typedef struct SpoolUuid {
    uint8_t bytes[16];
} SpoolUuid;

/* Nobody gets that far by appending: a larger number is damage, however good its checksum. */
#define SPOOL_SEQUENCE_MAX ((uint64_t)1 << 62)

enum { SPOOL_UUID_TEXT_SIZE = 37 };
SpoolUuid spool_uuid_new(void);
void spool_uuid_format(SpoolUuid id, char ret[SPOOL_UUID_TEXT_SIZE]);
static inline bool spool_uuid_eq(SpoolUuid a, SpoolUuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* Results of the decoders: the bytes are good, damaged, or of a version that is not ours (and intact). */
typedef enum SpoolDecoded { SPOOL_DECODED, SPOOL_DECODE_DAMAGED, SPOOL_DECODE_VERSION } SpoolDecoded;

typedef struct SpoolSegmentHeader {
    SpoolUuid id;
    uint64_t first_sequence;
    uint64_t dropped;
    Usec made;
} SpoolSegmentHeader;

void spool_segment_header_encode(const SpoolSegmentHeader *header, Buf *out);
SpoolDecoded spool_segment_header_decode(Slice bytes, SpoolSegmentHeader *ret, uint32_t *ret_version);

typedef struct SpoolHead {
    uint64_t generation;
    uint64_t acknowledged;
    uint64_t dropped;
    uint64_t newest_first; /* first sequence of the newest segment */
    uint64_t emptied;      /* S17: last sequence when it was emptied; 0: never */
    SpoolUuid id;          /* of the newest segment */
} SpoolHead;

void spool_head_encode(const SpoolHead *head, Buf *out);
SpoolDecoded spool_head_decode(Slice bytes, SpoolHead *ret, uint32_t *ret_version);

typedef struct SpoolRecord {
    uint64_t sequence;
    Usec time;
    uint64_t offset; /* of its header in the segment */
    uint32_t length; /* of the payload */
    WireEncoding encoding;
} SpoolRecord;

/* Appends the whole record; .offset is not used, .length must be the payload's. */
void spool_record_encode(SpoolUuid id, const SpoolRecord *record, Slice payload, Buf *out);
/* Header at the start of @bytes: true when it is good. */
bool spool_record_header_decode(SpoolUuid id, Slice bytes, SpoolRecord *ret);
/* Whether @bytes are one whole, undamaged record (S11); *ret_payload points into it. */
bool spool_record_decode(SpoolUuid id, Slice bytes, SpoolRecord *ret, Slice *ret_payload);

/* What the scanner meets (S9, S10). */
typedef enum SpoolFound {
    SPOOL_FOUND_END,       /* the segment ends behind a record */
    SPOOL_FOUND_RECORD,    /* a whole record */
    SPOOL_FOUND_DAMAGED,   /* a good header, a bad payload: the sequence is used up */
    SPOOL_FOUND_LOST,      /* bytes without a good header, and a good one behind them */
    SPOOL_FOUND_TORN,      /* the end: a record that was never completely written */
    SPOOL_FOUND_LOST_TAIL, /* the end: bytes without a good header that were completely written once */
} SpoolFound;

typedef struct SpoolScan {
    Slice bytes; /* the whole segment, its header included */
    SpoolUuid id;
    size_t offset;          /* start with SPOOL_SEGMENT_HEADER_SIZE; stays in front of TORN and LOST_TAIL */
    uint64_t last_sequence; /* start with the segment's first sequence minus one; last good header */
} SpoolScan;

/* Goes one step on. RECORD, DAMAGED, and TORN with a good header fill @ret; otherwise its sequence is 0. Ends: each
 * step but the last consumes bytes. */
SpoolFound spool_scan_next(SpoolScan *scan, SpoolRecord *ret);
