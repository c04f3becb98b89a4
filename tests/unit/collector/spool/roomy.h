#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A spool with room enough in the test's scratch directory, and where in its files a record stands. */
#include "collector/spool/spool_format.h"
#include "tests/support/scratch_fixture.h"
#include "tests/support/spool_files.h"

enum { ROOMY = 1 << 20 };

static inline UNUSED Spool *open_roomy(void)
{
    return must_open(scratch.path, ROOMY, 1000);
}

/* Offset of the record of @sequence when the segment begins with batch @first. */
static inline UNUSED size_t record_offset(uint64_t first, uint64_t sequence)
{
    size_t offset = SPOOL_SEGMENT_HEADER_SIZE;
    for (uint64_t i = first; i < sequence; i++) {
        Buf text = batch_text(i);
        offset += text.len + SPOOL_RECORD_OVERHEAD;
        buf_done(&text);
    }
    return offset;
}

static inline UNUSED void flip_in_segment(uint64_t first, size_t offset)
{
    Buf path = segment_path(scratch.path, first);
    scratch_flip(buf_cstr(&path), offset, 0x10);
    buf_done(&path);
}
