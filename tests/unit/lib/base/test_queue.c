/* SPDX-License-Identifier: PostgreSQL */
/* Queue: order, bound, closing, deadlines, and nothing lost or doubled between threads. */
#include "tests/support/unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/queue.h"

static int items[100000];

static void gives_back_in_order_and_wraps(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(3);
    int in = 0, out = 0;
    for (int round = 0; round < 10; round++) {
        while (queue_try_push(q, &items[in]))
            in++;
        assert_int_equal(queue_len(q), 3);
        assert_ptr_equal(queue_pop(q, 0), &items[out++]);
        assert_ptr_equal(queue_pop(q, USEC_NEVER), &items[out++]);
    }
    assert_ptr_equal(queue_pop(q, 0), &items[out++]);
    assert_int_equal(queue_len(q), 0);
}

static void pops_many_without_waiting(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(10);
    void *many[10];
    assert_int_equal(queue_pop_many(q, many, 10), 0);
    for (int i = 0; i < 5; i++)
        assert_true(queue_try_push(q, &items[i]));
    assert_int_equal(queue_pop_many(q, many, 3), 3);
    assert_ptr_equal(many[2], &items[2]);
    assert_int_equal(queue_pop_many(q, many, 10), 2);
    assert_ptr_equal(many[0], &items[3]);
}

static void gives_up_at_the_deadline(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(1);
    Usec begin = clock_monotonic();
    assert_null(queue_pop(q, begin + 20 * USEC_PER_MSEC));
    assert_true(clock_monotonic() >= begin + 20 * USEC_PER_MSEC);
    assert_null(queue_pop(q, 0));
}

static void closed_gives_what_is_left_and_takes_nothing(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(2);
    assert_true(queue_try_push(q, &items[0]));
    queue_close(q);
    assert_false(queue_try_push(q, &items[1]));
    assert_ptr_equal(queue_pop(q, USEC_NEVER), &items[0]);
    assert_null(queue_pop(q, USEC_NEVER));
    assert_null(queue_free(NULL));
}

static void *wait_for_item(void *q)
{
    return queue_pop(q, USEC_NEVER);
}

static void wakes_every_waiter_when_closed(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(2);
    pthread_t waiters[4];
    for (size_t i = 0; i < ARRAY_LENGTH(waiters); i++)
        assert_int_equal(pthread_create(&waiters[i], NULL, wait_for_item, q), 0);
    queue_close(q);
    for (size_t i = 0; i < ARRAY_LENGTH(waiters); i++) {
        void *item;
        assert_int_equal(pthread_join(waiters[i], &item), 0);
        assert_null(item);
    }
}

enum { PRODUCERS = 3, CONSUMERS = 3, PER_PRODUCER = 20000 };

typedef struct Work {
    Queue *queue;
    int first;
} Work;

static _Atomic int seen[PRODUCERS * PER_PRODUCER];

static void *produce(void *arg)
{
    const Work *w = arg;
    for (int i = w->first; i < w->first + PER_PRODUCER; i++)
        while (!queue_try_push(w->queue, &items[i]))
            (void)sched_yield();
    return NULL;
}

/* One of two ways to take, so that both are exercised against each other. */
static void *consume(void *arg)
{
    Queue *q = arg;
    void *many[16];
    for (;;) {
        many[0] = queue_pop(q, USEC_NEVER);
        if (!many[0])
            return NULL;
        size_t n = 1 + queue_pop_many(q, many + 1, ARRAY_LENGTH(many) - 1);
        for (size_t i = 0; i < n; i++)
            atomic_fetch_add(&seen[(int *)many[i] - items], 1);
    }
}

static void passes_each_item_exactly_once(void **state)
{
    (void)state;
    _cleanup_(queue_freep) Queue *q = queue_new(64);
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];
    Work work[PRODUCERS];
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, q), 0);
    for (int i = 0; i < PRODUCERS; i++) {
        work[i] = (Work){.queue = q, .first = i * PER_PRODUCER};
        assert_int_equal(pthread_create(&producers[i], NULL, produce, &work[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i], NULL), 0);
    queue_close(q);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_join(consumers[i], NULL), 0);
    for (int i = 0; i < PRODUCERS * PER_PRODUCER; i++)
        assert_int_equal(atomic_load(&seen[i]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_in_order_and_wraps),  cmocka_unit_test(pops_many_without_waiting),
        cmocka_unit_test(gives_up_at_the_deadline),       cmocka_unit_test(closed_gives_what_is_left_and_takes_nothing),
        cmocka_unit_test(wakes_every_waiter_when_closed), cmocka_unit_test(passes_each_item_exactly_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
