/* SPDX-License-Identifier: PostgreSQL */
#include "collector/server/texts.h"

#include <stdio.h>

#include "tests/support/unit.h"

static Texts *texts;
static Arena *arena;

static int setup(void **state)
{
    (void)state;
    texts = texts_new();
    arena = arena_new(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    texts = texts_free(texts);
    arena = arena_free(arena);
    return 0;
}

static void see_number(int64_t id)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)id);
    texts_see(texts, slice_from(text, (size_t)len));
}

static void an_id_is_asked_for_once(void **state)
{
    (void)state;
    assert_null(texts_take(texts, arena));
    see_number(-5);
    see_number(7);
    see_number(-5);
    assert_int_equal(texts_wanted(texts), 2);
    assert_string_equal(texts_take(texts, arena), "{-5,7}");
    see_number(7); /* staged */
    assert_null(texts_take(texts, arena));
    texts_commit(texts);
    see_number(7); /* known */
    assert_int_equal(texts_wanted(texts), 0);
}

static void an_id_of_a_lost_batch_is_asked_for_again(void **state)
{
    (void)state;
    see_number(1);
    assert_string_equal(texts_take(texts, arena), "{1}");
    texts_rollback(texts);
    assert_string_equal(texts_take(texts, arena), "{1}");
}

static size_t count_ids(const char *literal)
{
    size_t count = literal ? 1 : 0;
    for (const char *p = literal; p && *p; p++)
        count += *p == ',';
    return count;
}

static void all_are_asked_for_at_once(void **state)
{
    (void)state;
    for (int64_t i = 0; i < TEXTS_WANTED_MAX + 10; i++)
        see_number(i);
    assert_int_equal(texts_wanted(texts), TEXTS_WANTED_MAX);
    assert_int_equal(count_ids(texts_take(texts, arena)), TEXTS_WANTED_MAX);
    assert_int_equal(texts_wanted(texts), 0);
}

static void of_no_more_is_asked_than_there_is_room_for(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 5; i++)
        see_number(i);
    texts_set_room(texts, 2 * TEXTS_LENGTH_MAX + 1);
    assert_int_equal(count_ids(texts_take(texts, arena)), 2);
    assert_int_equal(texts_wanted(texts), 3);
    texts_set_room(texts, TEXTS_LENGTH_MAX - 1);
    assert_null(texts_take(texts, arena));
    texts_set_room(texts, UINT64_MAX);
    assert_int_equal(count_ids(texts_take(texts, arena)), 3);
}

static void texts_fill_no_more_than_half(void **state)
{
    (void)state;
    assert_int_equal(texts_room(0, 100), 50);
    assert_int_equal(texts_room(49, 100), 1);
    assert_int_equal(texts_room(50, 100), 0);
    assert_int_equal(texts_room(UINT64_MAX, 100), 0);
}

static void what_may_be_lost_is_asked_for_again(void **state)
{
    (void)state;
    see_number(1);
    assert_string_equal(texts_take(texts, arena), "{1}");
    texts_commit(texts);
    texts_forget(texts);
    assert_int_equal(texts_wanted(texts), 0); /* not before it stands in a reading */
    assert_true(texts_are_missed(texts));
    texts_begin_all(texts);
    assert_false(texts_are_missed(texts));
    see_number(1);
    assert_string_equal(texts_take(texts, arena), "{1}");
}

static void ids_that_cannot_wait_are_missed(void **state)
{
    (void)state;
    for (int64_t i = 0; i < TEXTS_WANTED_MAX; i++)
        see_number(i);
    see_number(0);
    assert_false(texts_are_missed(texts));
    see_number(TEXTS_WANTED_MAX);
    assert_true(texts_are_missed(texts));
    texts_begin_all(texts);
    assert_false(texts_are_missed(texts));
    assert_int_equal(texts_wanted(texts), TEXTS_WANTED_MAX);
}

static void what_is_no_plain_id_is_left_alone(void **state)
{
    (void)state;
    static const char *const IDS[] = {
        "", "a,b", "{", "a b", "'", "\"x\"", "\\", "01234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < ARRAY_LENGTH(IDS); i++)
        texts_see(texts, slice_cstr(IDS[i]));
    assert_int_equal(texts_wanted(texts), 0);
}

static void learn(int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        see_number(i);
    while (texts_take(texts, arena))
        texts_commit(texts);
}

static void the_oldest_ids_are_forgotten_those_in_use_are_not(void **state)
{
    (void)state;
    enum { STEP = 1000, ROUNDS = 100 }; /* many times what is remembered of a server that does not say more */
    for (int64_t round = 1; round <= ROUNDS; round++) {
        see_number(0); /* in use all the time */
        assert_int_equal(texts_wanted(texts), round == 1);
        learn(round * STEP, (round + 1) * STEP);
    }
    see_number(STEP); /* long ago */
    assert_int_equal(texts_wanted(texts), 1);
}

/* Reads @held statements again and again, of which a few have come new each time; how many texts are asked for behind
 * the first reading. */
static size_t count_asked(int64_t held, int64_t new_each)
{
    enum { READINGS = 30 };
    size_t asked = 0;
    for (int64_t reading = 0; reading < READINGS; reading++) {
        for (int64_t i = 0; i < held; i++)
            see_number(reading * new_each + i);
        if (reading > 0)
            asked += texts_wanted(texts);
        while (texts_take(texts, arena)) {
            texts_commit(texts);
            for (int64_t i = 0; reading == 0 && i < held; i++)
                see_number(i); /* no more wait than are wanted at most */
        }
    }
    return asked / (READINGS - 1);
}

static void what_the_server_can_hold_is_remembered(void **state)
{
    (void)state;
    assert_int_equal(count_asked(5000, 100), 100);
    texts_set_held(texts, 20000);
    assert_int_equal(count_asked(20000, 100), 100);
    texts_set_held(texts, 50000);
    assert_int_equal(count_asked(50000, 100), 100);
}

static void however_many_the_server_can_hold_there_is_a_bound(void **state)
{
    (void)state;
    enum { STEP = 5000 };
    texts_set_held(texts, INT64_MAX);
    for (int64_t at = 0; at < TEXTS_KNOWN_MAX + STEP; at += STEP)
        learn(at, at + STEP);
    see_number(1);
    assert_int_equal(texts_wanted(texts), 1);
    see_number(TEXTS_KNOWN_MAX / 2 + STEP);
    assert_int_equal(texts_wanted(texts), 1);
}

static void what_was_loaded_is_known_before_the_server_was_asked(void **state)
{
    (void)state;
    enum { HELD = 30000, STEP = 5000 };
    texts_set_held(texts, HELD);
    for (int64_t at = 0; at < HELD; at += STEP)
        learn(at, at + STEP);
    _cleanup_buf_ Buf bytes = BUF_INIT;
    texts_save(texts, &bytes);
    texts_free(texts);
    texts = texts_new();
    assert_int_equal(texts_load(texts, buf_slice(&bytes), NULL), 0);
    texts_set_held(texts, HELD);
    for (int64_t i = 0; i < HELD; i++)
        see_number(i);
    assert_int_equal(texts_wanted(texts), 0);
}

static void known_ids_survive_a_restart(void **state)
{
    (void)state;
    learn(0, 250);
    _cleanup_buf_ Buf bytes = BUF_INIT;
    texts_save(texts, &bytes);
    _cleanup_(texts_freep) Texts *fresh = texts_new();
    assert_int_equal(texts_load(fresh, buf_slice(&bytes), NULL), 0);
    texts_see(fresh, SLICE_LIT("249"));
    texts_see(fresh, SLICE_LIT("250"));
    assert_string_equal(texts_take(fresh, arena), "{250}");

    Err err = ERR_INIT;
    int r = texts_load(fresh, SLICE_LIT("pgat1\n1\n2 or 1=1\n"), &err);
    assert_true(r < 0);
    assert_err(&err, ERR_CORRUPT, "damaged");
    r = texts_load(fresh, SLICE_LIT("x"), &err);
    assert_true(r < 0);
    assert_err(&err, ERR_CORRUPT, "damaged");
}

int main(void)
{
#define TEXTS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEXTS_TEST(an_id_is_asked_for_once),
        TEXTS_TEST(an_id_of_a_lost_batch_is_asked_for_again),
        TEXTS_TEST(all_are_asked_for_at_once),
        TEXTS_TEST(of_no_more_is_asked_than_there_is_room_for),
        TEXTS_TEST(texts_fill_no_more_than_half),
        TEXTS_TEST(what_may_be_lost_is_asked_for_again),
        TEXTS_TEST(ids_that_cannot_wait_are_missed),
        TEXTS_TEST(what_is_no_plain_id_is_left_alone),
        TEXTS_TEST(the_oldest_ids_are_forgotten_those_in_use_are_not),
        TEXTS_TEST(what_the_server_can_hold_is_remembered),
        TEXTS_TEST(however_many_the_server_can_hold_there_is_a_bound),
        TEXTS_TEST(what_was_loaded_is_known_before_the_server_was_asked),
        TEXTS_TEST(known_ids_survive_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
