#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The spool's state, shared by spool.c (operations) and spool_recover.c (opening what an earlier process left).
 * Protected by .lock once spool_open() has returned.
 */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>

#include "collector/spool/spool.h"
#include "collector/spool/spool_files.h"
#include "collector/spool/spool_format.h"
#include "lib/base/log.h"
#include "lib/base/vec.h"

typedef struct SpoolSegment {
    uint64_t first; /* sequence; also names the file */
    uint64_t file_bytes;
    uint64_t waiting; /* batches */
    SpoolUuid id;
} SpoolSegment;

DEFINE_VEC(SpoolSegmentVec, spool_segment_vec, SpoolSegment)
DEFINE_VEC(SpoolEntryVec, spool_entry_vec, SpoolRecord)

struct Spool {
    pthread_mutex_t lock;
    char *directory;
    uint64_t max_bytes;
    uint64_t max_batches;
    uint64_t segment_bytes; /* a segment is closed when it would pass one of these */
    uint64_t segment_batches;

    SpoolUuid id;
    char id_text[SPOOL_UUID_TEXT_SIZE];
    uint64_t last_sequence;
    uint64_t damaged;
    Complain full;

    int head_fd;    /* holds the lock of the directory */
    SpoolHead head; /* as last written, or as it will be written next */

    SpoolSegmentVec segments; /* never empty once open (S1) */
    uint64_t file_bytes;      /* of all segments */
    int newest_fd;
    uint64_t newest_end; /* behind the last good record */
    uint64_t newest_records;
    bool cut_needed;    /* S4: bytes behind newest_end are to be cut off */
    bool rotate_needed; /* S4, S5: nothing may be appended to the newest segment any more */

    SpoolEntryVec entries; /* of waiting batches, from entries_front on */
    size_t entries_front;
    uint64_t waiting_bytes;

    int read_fd; /* of the segment that read_first names; -1: none */
    uint64_t read_first;
};

static inline uint64_t spool_record_size(const SpoolRecord *record)
{
    return (uint64_t)record->length + SPOOL_RECORD_OVERHEAD;
}

static inline SpoolSegment *spool_newest(Spool *s)
{
    assert(s->segments.len > 0);
    return &s->segments.items[s->segments.len - 1];
}

/* A batch that waits; in order of sequence. */
void spool_push_entry(Spool *s, SpoolSegment *segment, const SpoolRecord *record);
/* Begins the segment of the next sequence (S1, S3), with s->id. */
int spool_rotate(Spool *s, Err *reterr);
/* S14. A file that cannot be removed is tried again at the next occasion. */
void spool_remove_acknowledged(Spool *s);

/* Fills @s, whose directory is there and locked, from its files; @head_known: s->head was read. */
int spool_recover(Spool *s, bool head_known, Err *reterr) MUST_CHECK;
