/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/producer.h"

#include <pthread.h>

#include "tests/support/unit.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turns, frees, unwanted;

static bool yes(const ProducerOptions *options)
{
    return options->server->port == 1;
}

static bool no(const ProducerOptions *options)
{
    (void)options;
    unwanted++;
    return false;
}

static void *new_part(const ProducerOptions *options)
{
    assert_non_null(options->stop);
    return &turns;
}

/* Due at once for three turns, then never. */
static Usec turn(void *self, Usec now)
{
    pthread_mutex_lock(&lock);
    int n = ++*(int *)self;
    pthread_cond_signal(&turned);
    pthread_mutex_unlock(&lock);
    return n < 3 ? now : now + 3600 * USEC_PER_SEC;
}

static void *free_part(void *self)
{
    (void)self;
    frees++;
    return NULL;
}

static const ProducerKind WANTED = {"yes", yes, new_part, turn, free_part};
static const ProducerKind UNWANTED = {"no", no, new_part, turn, free_part};

static void turns_are_taken_when_due_and_stopping_ends_a_long_wait(void **state)
{
    (void)state;
    const ProducerKind *const kinds[] = {&UNWANTED, &WANTED};
    ServerSettings server = {.name = "main", .port = 1};
    ProducerOptions options = {.server = &server};
    Producers *p = producers_start(&options, kinds, ARRAY_LENGTH(kinds));
    pthread_mutex_lock(&lock);
    while (turns < 3)
        pthread_cond_wait(&turned, &lock);
    pthread_mutex_unlock(&lock);
    assert_null(producers_stop(p)); /* the next turn would be in an hour */
    assert_int_equal(turns, 3);
    assert_int_equal(frees, 1);
    assert_int_equal(unwanted, 1);
    assert_null(producers_stop(NULL));
}

/* --- Who does not come back from a turn ------------------------------------------------------------------------- */

#define HOUR  (3600 * USEC_PER_SEC)
#define STALL (600 * USEC_PER_SEC)

typedef enum Phase { PHASE_BEGUN, PHASE_HANGS, PHASE_LATE, PHASE_SLEEPS } Phase;

static Phase phase;
static Phase allowed;
static ProducerOptions given;

static void *new_hanging(const ProducerOptions *options)
{
    given = *options;
    return &phase;
}

static void enter(Phase to)
{
    pthread_mutex_lock(&lock);
    phase = to;
    pthread_cond_broadcast(&turned);
    while (allowed <= to)
        pthread_cond_wait(&turned, &lock);
    pthread_mutex_unlock(&lock);
}

/* Hangs, then says that it will be busy for an hour and hangs again, then has nothing to do for an hour. */
static Usec hang(void *self, Usec now)
{
    (void)self;
    enter(PHASE_HANGS);
    producer_come_forward(&given, now + HOUR);
    enter(PHASE_LATE);
    return now + HOUR;
}

static const ProducerKind HANGING = {"hanging", yes, new_hanging, hang, free_part};

/* Lets it go on to @to, and waits until it is there. */
static void let_on(Phase to)
{
    pthread_mutex_lock(&lock);
    allowed = to;
    pthread_cond_broadcast(&turned);
    while (phase != to)
        pthread_cond_wait(&turned, &lock);
    pthread_mutex_unlock(&lock);
}

static void who_hangs_in_a_turn_is_found(void **state)
{
    (void)state;
    const ProducerKind *const kinds[] = {&HANGING};
    ServerSettings server = {.name = "main", .port = 1};
    ProducerOptions options = {.server = &server};
    const Usec begin = clock_monotonic();
    Producers *p = producers_start(&options, kinds, ARRAY_LENGTH(kinds));
    assert_null(producers_find_stuck(p, begin + STALL, STALL)); /* mostly before its thread runs */
    let_on(PHASE_HANGS);
    const Usec hung = clock_monotonic();
    assert_null(producers_find_stuck(p, begin + STALL, STALL));
    assert_string_equal(producers_find_stuck(p, hung + STALL + 1, STALL), "hanging");

    let_on(PHASE_LATE);
    assert_null(producers_find_stuck(p, begin + HOUR + STALL, STALL));
    assert_string_equal(producers_find_stuck(p, hung + HOUR + STALL + 1, STALL), "hanging");

    pthread_mutex_lock(&lock);
    allowed = PHASE_SLEEPS;
    pthread_cond_broadcast(&turned);
    pthread_mutex_unlock(&lock);
    assert_null(producers_find_stuck(p, begin + HOUR + STALL, STALL)); /* back, or busy: both until then */
    assert_null(producers_find_stuck(NULL, begin + HOUR, 0));
    assert_null(producers_stop(p));
}

/* One that sleeps for a long time is not stuck; its turn is due by then. */
static void who_sleeps_is_not_stuck(void **state)
{
    (void)state;
    const ProducerKind *const kinds[] = {&WANTED};
    ServerSettings server = {.name = "main", .port = 1};
    ProducerOptions options = {.server = &server};
    turns = 2; /* its only turn is the third */
    Producers *p = producers_start(&options, kinds, ARRAY_LENGTH(kinds));
    const Usec deadline = clock_monotonic() + 60 * USEC_PER_SEC;
    while (producers_find_stuck(p, clock_monotonic() + HOUR / 2, STALL) && clock_monotonic() < deadline)
        (void)sched_yield(); /* until it sleeps */
    assert_null(producers_find_stuck(p, clock_monotonic() + HOUR / 2, STALL));
    assert_null(producers_stop(p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_are_taken_when_due_and_stopping_ends_a_long_wait),
        cmocka_unit_test(who_hangs_in_a_turn_is_found),
        cmocka_unit_test(who_sleeps_is_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
