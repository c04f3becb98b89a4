/* SPDX-License-Identifier: PostgreSQL */
/* Randomness: shape and bounds, and back-off that neither overflows nor exceeds its cap. */
#include "tests/support/unit.h"

#include "lib/base/random.h"

static void fills_every_byte(void **state)
{
    (void)state;
    unsigned char seen[64] = {0};
    for (int round = 0; round < 64; round++) { /* a byte stays zero with a chance of 2^-512 */
        unsigned char bytes[64];
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
            seen[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof(seen); i++)
        assert_int_not_equal(seen[i], 0);
    random_bytes(NULL, 0);
}

static void stays_below_its_bound(void **state)
{
    (void)state;
    unsigned counts[6] = {0};
    for (int i = 0; i < 6000; i++)
        counts[random_below(6)]++;
    for (size_t i = 0; i < 6; i++)
        assert_in_range(counts[i], 800, 1200); /* 7 standard deviations */
    assert_int_equal(random_below(1), 0);

    /* A plain remainder would make the lowest third of these as likely as the rest together. */
    const uint64_t bound = UINT64_MAX / 4 * 3;
    unsigned low = 0;
    for (int i = 0; i < 3000; i++) {
        uint64_t number = random_below(bound);
        assert_true(number < bound);
        low += number < bound / 3;
    }
    assert_in_range(low, 800, 1200); /* 7 standard deviations */
}

static void makes_version_4_uuids(void **state)
{
    (void)state;
    char uuid[RANDOM_UUID_SIZE], other[RANDOM_UUID_SIZE];
    random_uuid(uuid);
    random_uuid(other);
    assert_string_not_equal(uuid, other);
    assert_int_equal(strlen(uuid), 36);
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_true(dash ? uuid[i] == '-' : strchr("0123456789abcdef", uuid[i]) != NULL);
    }
    assert_int_equal(uuid[14], '4');
    assert_non_null(strchr("89ab", uuid[19]));
}

static void backs_off_up_to_a_doubling_bound(void **state)
{
    (void)state;
    static const Usec bounds[] = {100, 200, 400, 800, 1000, 1000};
    Usec longest[ARRAY_LENGTH(bounds)] = {0};
    for (int round = 0; round < 500; round++) {
        Backoff b = {.base = 100, .cap = 1000};
        for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++) {
            Usec wait = backoff_next(&b);
            assert_in_range(wait, bounds[i] / 2, bounds[i]);
            longest[i] = wait > longest[i] ? wait : longest[i];
        }
        assert_int_equal(b.attempt, ARRAY_LENGTH(bounds));
        backoff_reset(&b);
        assert_int_equal(b.attempt, 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++)
        assert_true(longest[i] > bounds[i] * 3 / 4); /* jitter reaches up, too */
}

static void backs_off_without_overflow(void **state)
{
    (void)state;
    Backoff endless = {.base = 1, .cap = INT64_MAX, .attempt = UINT32_MAX};
    assert_true(backoff_next(&endless) >= 0);
    assert_int_equal(endless.attempt, UINT32_MAX);
    Backoff above = {.base = 50, .cap = 10};
    assert_in_range(backoff_next(&above), 5, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_every_byte),           cmocka_unit_test(stays_below_its_bound),
        cmocka_unit_test(makes_version_4_uuids),      cmocka_unit_test(backs_off_up_to_a_doubling_bound),
        cmocka_unit_test(backs_off_without_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
