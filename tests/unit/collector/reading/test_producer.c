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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_are_taken_when_due_and_stopping_ends_a_long_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
