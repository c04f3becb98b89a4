/* SPDX-License-Identifier: PostgreSQL */
/* See blocked_tree.h. Edges are sorted by blocker, so that the waiters of a process stand together. */
#include "collector/sampling/blocked_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN_MAX = 64 };

typedef struct Forest {
    BlockedEdge *edges; /* by blocker, then waiter */
    size_t edge_count;
    int *waiters; /* sorted, each once */
    size_t waiter_count;
    bool *reached; /* by any tree, for each waiter */
    bool *seen;    /* by the tree that is being walked */
    size_t *queue; /* of waiters */
} Forest;

static int by_blocker(const void *a, const void *b)
{
    const BlockedEdge *x = a, *y = b;
    if (x->blocker != y->blocker)
        return x->blocker < y->blocker ? -1 : 1;
    return x->waiter < y->waiter ? -1 : x->waiter > y->waiter;
}

static int by_number(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static int by_waiting(const void *a, const void *b)
{
    const BlockedTree *x = a, *y = b;
    if (x->waiting != y->waiting)
        return x->waiting > y->waiting ? -1 : 1;
    return x->root < y->root ? -1 : 1;
}

static Forest build(const BlockedEdge *edges, size_t count, Arena *arena)
{
    Forest f = {.edges = arena_new_array(arena, BlockedEdge, count),
                .edge_count = count,
                .waiters = arena_new_array(arena, int, count),
                .reached = arena_new_array(arena, bool, count),
                .seen = arena_new_array(arena, bool, count),
                .queue = arena_new_array(arena, size_t, count)};
    memcpy(f.edges, edges, count * sizeof(*edges));
    qsort(f.edges, count, sizeof(*f.edges), by_blocker);
    for (size_t i = 0; i < count; i++)
        f.waiters[i] = edges[i].waiter;
    qsort(f.waiters, count, sizeof(*f.waiters), by_number);
    for (size_t i = 0; i < count; i++) {
        if (f.waiter_count == 0 || f.waiters[f.waiter_count - 1] != f.waiters[i])
            f.waiters[f.waiter_count++] = f.waiters[i];
    }
    return f;
}

/* Index of a waiter; its count when @pid waits for nobody. */
static size_t find_waiter(const Forest *f, int pid)
{
    const int *found = bsearch(&pid, f->waiters, f->waiter_count, sizeof(*f->waiters), by_number);
    return found ? (size_t)(found - f->waiters) : f->waiter_count;
}

static size_t first_edge_of(const Forest *f, int blocker)
{
    size_t low = 0, high = f->edge_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->edges[middle].blocker < blocker)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Puts those that wait for @blocker and were not seen yet into the queue. */
static size_t enqueue_waiters_of(Forest *f, int blocker, int root, size_t tail)
{
    for (size_t i = first_edge_of(f, blocker); i < f->edge_count && f->edges[i].blocker == blocker; i++) {
        size_t at = find_waiter(f, f->edges[i].waiter);
        if (f->seen[at] || f->edges[i].waiter == root)
            continue;
        f->seen[at] = f->reached[at] = true;
        f->queue[tail++] = at;
    }
    return tail;
}

/* Level by level, so that each is met on its shortest way. */
static BlockedTree walk(Forest *f, int root)
{
    memset(f->seen, 0, f->waiter_count * sizeof(*f->seen));
    BlockedTree tree = {.root = root, .waiter = f->edges[first_edge_of(f, root)].waiter};
    size_t head = 0, tail = enqueue_waiters_of(f, root, root, 0);
    for (size_t level_end = tail; head < tail; level_end = tail) {
        tree.depth++;
        while (head < level_end)
            tail = enqueue_waiters_of(f, f->waiters[f->queue[head++]], root, tail);
    }
    tree.waiting = tail;
    return tree;
}

static int first_blocker_of(const BlockedEdge *edges, size_t count, int waiter, int otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (edges[i].waiter == waiter)
            return edges[i].blocker;
    }
    return otherwise;
}

/* From a waiter that no root reaches, every way leads into a circle. */
static int lowest_in_circle(const Forest *f, int waiter)
{
    int at = waiter;
    for (size_t i = 0; i < f->waiter_count; i++)
        at = first_blocker_of(f->edges, f->edge_count, at, at);
    int lowest = at, next = at;
    do {
        next = first_blocker_of(f->edges, f->edge_count, next, at);
        lowest = next < lowest ? next : lowest;
    } while (next != at);
    return lowest;
}

size_t blocked_tree_find(const BlockedEdge *edges, size_t count, Arena *arena, BlockedTree **ret)
{
    assert(count <= BLOCKED_EDGES_MAX);
    *ret = NULL;
    if (count == 0)
        return 0;
    Forest f = build(edges, count, arena);
    BlockedTree *trees = arena_new_array(arena, BlockedTree, 2 * count);
    size_t found = 0;
    for (size_t i = 0; i < f.edge_count; i++) {
        int blocker = f.edges[i].blocker;
        bool again = i > 0 && f.edges[i - 1].blocker == blocker;
        if (!again && find_waiter(&f, blocker) == f.waiter_count)
            trees[found++] = walk(&f, blocker);
    }
    for (size_t i = 0; i < f.waiter_count; i++) { /* circles that hang on no root */
        if (f.reached[i])
            continue;
        int root = lowest_in_circle(&f, f.waiters[i]);
        f.reached[find_waiter(&f, root)] = true;
        trees[found++] = walk(&f, root);
    }
    qsort(trees, found, sizeof(*trees), by_waiting);
    *ret = trees;
    return found;
}

int blocked_tree_root_of(const BlockedEdge *edges, size_t count, int waiter)
{
    int at = waiter;
    for (size_t step = 0; step < CHAIN_MAX; step++) {
        int next = first_blocker_of(edges, count, at, at);
        if (next == at)
            break;
        at = next;
    }
    return at;
}
