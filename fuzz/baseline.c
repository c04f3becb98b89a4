/* SPDX-License-Identifier: PostgreSQL */
/*
 * The file of previous readings (docs/spool.md, section 6). The input is taken as the bytes of a file, as what the
 * records of a file say (the whole up to the first byte 0xff, changes behind it), and as the place of a bit that is
 * turned. Held to: damaged bytes are refused, a record that is taken is the one that was written, what was loaded saves
 * to what loads again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/increase/delta.h"
#include "collector/spool/baseline_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char SPOOL_ID[] = "00000000-0000-4000-8000-000000000000";

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void take_as_file(Slice bytes)
{
    for (;;) {
        const Slice before = bytes;
        uint64_t sequence;
        Slice content;
        if (!baseline_record_take(&bytes, BASELINE_WHOLE, SPOOL_ID, &sequence, &content) &&
            !baseline_record_take(&bytes, BASELINE_CHANGE, SPOOL_ID, &sequence, &content))
            return;
        expect(bytes.len < before.len && content.len < before.len);
    }
}

static void turn_a_bit(Slice content)
{
    _cleanup_buf_ Buf file = BUF_INIT;
    uint64_t sequence;
    Slice taken, bytes;
    baseline_record_encode(BASELINE_WHOLE, SPOOL_ID, 7, content, &file);
    bytes = buf_slice(&file);
    expect(baseline_record_take(&bytes, BASELINE_WHOLE, SPOOL_ID, &sequence, &taken) && sequence == 7 &&
           slice_eq(taken, content) && bytes.len == 0);
    uint16_t place = 0;
    memcpy(&place, content.ptr, content.len < sizeof(place) ? content.len : sizeof(place));
    file.ptr[place / 8 % file.len] ^= (char)(1 << place % 8);
    bytes = buf_slice(&file);
    expect(!baseline_record_take(&bytes, BASELINE_WHOLE, SPOOL_ID, &sequence, &taken));
}

static void load_parts(Slice bytes)
{
    _cleanup_(delta_freep) Delta *d = delta_new();
    Slice change = bytes;
    const Slice whole = slice_split(&change, '\xff');
    Err err = ERR_INIT;
    if (whole.len > 0 && delta_load(d, whole, &err) < 0) {
        expect(err.code == ERR_CORRUPT);
        return;
    }
    if (change.ptr && delta_load_staged(d, change, &err) < 0) {
        expect(err.code == ERR_CORRUPT);
        return;
    }
    _cleanup_buf_ Buf saved = BUF_INIT;
    delta_save(d, &saved);
    expect(delta_load(d, buf_slice(&saved), &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Slice bytes = slice_from(data, size);
    take_as_file(bytes);
    turn_a_bit(bytes);
    load_parts(bytes);
    return 0;
}
