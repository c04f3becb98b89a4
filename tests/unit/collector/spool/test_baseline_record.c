/* SPDX-License-Identifier: PostgreSQL */
/* Records of a baseline: what was put is taken, and nothing that is damaged, foreign or of another kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/spool/baseline_record.h"

static const char id[] = "00112233-4455-4677-8899-aabbccddeeff";
static const char other_id[] = "10112233-4455-4677-8899-aabbccddeeff";

static bool take(Slice *bytes, BaselineKind kind, const char *spool_id, uint64_t sequence, const char *content)
{
    uint64_t found;
    Slice bytes_found;
    if (!baseline_record_take(bytes, kind, spool_id, &found, &bytes_found))
        return false;
    assert_int_equal(found, sequence);
    assert_true(slice_eq_cstr(bytes_found, content));
    return true;
}

static void records_are_taken_one_behind_the_other(void **state)
{
    (void)state;
    _cleanup_buf_ Buf file = BUF_INIT;
    baseline_record_encode(BASELINE_WHOLE, id, 0x1122334455667788, SLICE_LIT("one"), &file);
    baseline_record_encode(BASELINE_CHANGE, id, 2, SLICE_LIT(""), &file);
    assert_int_equal(file.len, 2 * BASELINE_RECORD_HEADER_SIZE + 3);
    Slice rest = buf_slice(&file);
    assert_true(take(&rest, BASELINE_WHOLE, id, 0x1122334455667788, "one"));
    assert_true(take(&rest, BASELINE_CHANGE, id, 2, ""));
    assert_int_equal(rest.len, 0);
    assert_false(take(&rest, BASELINE_CHANGE, id, 0, ""));
}

static void another_kind_or_spool_is_none_and_takes_nothing(void **state)
{
    (void)state;
    _cleanup_buf_ Buf file = BUF_INIT;
    baseline_record_encode(BASELINE_CHANGE, id, 7, SLICE_LIT("seven"), &file);
    Slice rest = buf_slice(&file);
    assert_false(take(&rest, BASELINE_WHOLE, id, 7, ""));
    assert_false(take(&rest, BASELINE_CHANGE, other_id, 7, ""));
    assert_true(take(&rest, BASELINE_CHANGE, id, 7, "seven"));
}

static void every_cut_and_every_flipped_byte_is_seen(void **state)
{
    (void)state;
    _cleanup_buf_ Buf file = BUF_INIT;
    baseline_record_encode(BASELINE_WHOLE, id, 7, SLICE_LIT("seven"), &file);
    for (size_t i = 0; i < file.len; i++) {
        Slice cut = slice_from(file.ptr, i);
        assert_false(take(&cut, BASELINE_WHOLE, id, 7, ""));
        file.ptr[i] ^= 1;
        Slice whole = buf_slice(&file);
        assert_false(take(&whole, BASELINE_WHOLE, id, 7, ""));
        file.ptr[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_taken_one_behind_the_other),
        cmocka_unit_test(another_kind_or_spool_is_none_and_takes_nothing),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
