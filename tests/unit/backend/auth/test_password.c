/* SPDX-License-Identifier: PostgreSQL */
#include "backend/auth/password.c" /* for the semaphore */

#include <pthread.h>

#include "tests/support/unit.h"

static Usec soon(void)
{
    return clock_monotonic() + 30 * USEC_PER_SEC;
}

static void a_password_fits_its_hash_and_no_other(void **state UNUSED)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    Err err = ERR_INIT;

    assert_int_equal(password_hash(SLICE_LIT("correct horse"), soon(), hash, &err), 0);
    assert_int_equal(password_hash(SLICE_LIT("correct horse"), soon(), again, &err), 0);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_string_not_equal(hash, again); /* salted */
    assert_int_equal(password_verify(SLICE_LIT("correct horse"), hash, soon(), &err), 0);
    assert_fails(password_verify(SLICE_LIT("correct horsf"), hash, soon(), &err), &err, ERR_CREDENTIALS, "wrong");
    assert_fails(password_verify(SLICE_LIT("correct horse"), NULL, soon(), &err), &err, ERR_CREDENTIALS, "wrong");
    assert_fails(password_verify(SLICE_LIT("x"), "not a hash", soon(), &err), &err, ERR_CREDENTIALS, "wrong");
}

static void lengths_are_bounded(void **state UNUSED)
{
    char hash[PASSWORD_HASH_SIZE], big[PASSWORD_MAX + 2];
    Err err = ERR_INIT;

    memset(big, 'x', sizeof big);
    assert_fails(password_hash(SLICE_LIT("seven77"), soon(), hash, &err), &err, ERR_UNPROCESSABLE, "this one has 7");
    assert_fails(password_hash(slice_from(big, PASSWORD_MAX + 1), soon(), hash, &err), &err, ERR_UNPROCESSABLE, "257");
    assert_int_equal(password_hash(slice_from(big, PASSWORD_MAX), soon(), hash, &err), 0);
}

static void a_turn_that_does_not_come_in_time_is_an_error(void **state UNUSED)
{
    char hash[PASSWORD_HASH_SIZE];
    Err err = ERR_INIT;

    for (int i = 0; i < PASSWORD_CONCURRENT; i++)
        assert_int_equal(turn_take(soon(), &err), 0);
    assert_fails(password_hash(SLICE_LIT("correct horse"), clock_monotonic(), hash, &err), &err, ERR_UNAVAILABLE,
                 "at once");
    assert_fails(password_verify(SLICE_LIT("correct horse"), NULL, clock_monotonic(), &err), &err, ERR_UNAVAILABLE,
                 "at once");
    for (int i = 0; i < PASSWORD_CONCURRENT; i++)
        assert_int_equal(sem_post(&turns), 0);
    assert_int_equal(password_hash(SLICE_LIT("correct horse"), soon(), hash, &err), 0);
}

static void *verify_once(void *hash)
{
    return password_verify(SLICE_LIT("correct horse"), hash, soon(), NULL) == 0 ? hash : NULL;
}

static void many_at_once_all_get_their_turn(void **state UNUSED)
{
    char hash[PASSWORD_HASH_SIZE];
    pthread_t threads[PASSWORD_CONCURRENT * 3];

    assert_int_equal(password_hash(SLICE_LIT("correct horse"), soon(), hash, NULL), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_once, hash), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, hash);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_password_fits_its_hash_and_no_other),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(a_turn_that_does_not_come_in_time_is_an_error),
        cmocka_unit_test(many_at_once_all_get_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
