/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sampling/blocked_tree.h"

#include "tests/support/unit.h"

static Arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena = arena_free(arena);
    return 0;
}

static void assert_tree(const BlockedTree *t, int root, int waiter, size_t waiting, size_t depth)
{
    assert_int_equal(t->root, root);
    assert_int_equal(t->waiter, waiter);
    assert_int_equal(t->waiting, waiting);
    assert_int_equal(t->depth, depth);
}

static void nobody_waits(void **state)
{
    (void)state;
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(NULL, 0, arena, &trees), 0);
    assert_int_equal(blocked_tree_root_of(NULL, 0, 7), 7);
}

static void a_chain_has_one_root_and_its_depth(void **state)
{
    (void)state;
    const BlockedEdge edges[] = {{30, 20}, {20, 10}, {40, 20}};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, ARRAY_LENGTH(edges), arena, &trees), 1);
    assert_tree(&trees[0], 10, 20, 3, 2);
    assert_int_equal(blocked_tree_root_of(edges, ARRAY_LENGTH(edges), 40), 10);
    assert_int_equal(blocked_tree_root_of(edges, ARRAY_LENGTH(edges), 10), 10);
}

/* Each in a queue waits for the holder and for all before it. */
static void a_queue_is_flat(void **state)
{
    (void)state;
    const BlockedEdge edges[] = {{2, 1}, {3, 1}, {3, 2}, {4, 1}, {4, 2}, {4, 3}};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, ARRAY_LENGTH(edges), arena, &trees), 1);
    assert_tree(&trees[0], 1, 2, 3, 1);
}

static void the_largest_tree_comes_first_and_who_waits_for_two_is_in_both(void **state)
{
    (void)state;
    const BlockedEdge edges[] = {{5, 0}, {6, 9}, {7, 9}, {8, 9}, {8, 0}};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, ARRAY_LENGTH(edges), arena, &trees), 2);
    assert_tree(&trees[0], 9, 6, 3, 1);
    assert_tree(&trees[1], 0, 5, 2, 1); /* a prepared transaction */
}

static void a_circle_has_its_lowest_process_as_root(void **state)
{
    (void)state;
    /* 3 waits for 4, 4 for 5, 5 for 3; 1 waits for 2, which waits for the circle */
    const BlockedEdge edges[] = {{3, 4}, {4, 5}, {5, 3}, {1, 2}, {2, 5}, {8, 7}};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, ARRAY_LENGTH(edges), arena, &trees), 2);
    assert_tree(&trees[0], 3, 5, 4, 3);
    assert_tree(&trees[1], 7, 8, 1, 1);
    (void)blocked_tree_root_of(edges, ARRAY_LENGTH(edges), 3); /* ends */
}

static void who_waits_for_itself_is_its_own_root(void **state)
{
    (void)state;
    const BlockedEdge edges[] = {{3, 3}};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, 1, arena, &trees), 1);
    assert_int_equal(trees[0].root, 3);
    assert_int_equal(trees[0].waiting, 0);
    assert_int_equal(blocked_tree_root_of(edges, 1, 3), 3);
}

static void the_bound_is_walked_in_one_go(void **state)
{
    (void)state;
    BlockedEdge *edges = arena_new_array(arena, BlockedEdge, BLOCKED_EDGES_MAX);
    for (int i = 0; i < BLOCKED_EDGES_MAX; i++)
        edges[i] = (BlockedEdge){.waiter = i + 2, .blocker = i + 1};
    BlockedTree *trees;
    assert_int_equal(blocked_tree_find(edges, BLOCKED_EDGES_MAX, arena, &trees), 1);
    assert_tree(&trees[0], 1, 2, BLOCKED_EDGES_MAX, BLOCKED_EDGES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_waits),
        cmocka_unit_test(a_chain_has_one_root_and_its_depth),
        cmocka_unit_test(a_queue_is_flat),
        cmocka_unit_test(the_largest_tree_comes_first_and_who_waits_for_two_is_in_both),
        cmocka_unit_test(a_circle_has_its_lowest_process_as_root),
        cmocka_unit_test(who_waits_for_itself_is_its_own_root),
        cmocka_unit_test(the_bound_is_walked_in_one_go),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
