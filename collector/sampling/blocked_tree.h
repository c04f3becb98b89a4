#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Blocked trees: from "this process waits for that one" to who holds up how many. A root waits for nobody. A process
 * that waits for several belongs to each of their trees. Of a circle (a deadlock that the server has not found yet) the
 * lowest process is taken as root. Pure.
 */
#include "lib/base/arena.h"

enum { BLOCKED_EDGES_MAX = 5000 };

typedef struct BlockedEdge {
    int waiter;
    int blocker; /* 0: a prepared transaction */
} BlockedEdge;

typedef struct BlockedTree {
    int root;
    int waiter;     /* the lowest of those that wait for the root itself */
    size_t waiting; /* processes that go on only when the root does */
    size_t depth;   /* 1: all of them wait for the root itself; each is counted at its shortest way */
} BlockedTree;

/* The trees, those that hold up most first, in @arena. Linear in edges and processes but for sorting. */
size_t blocked_tree_find(const BlockedEdge *edges, size_t count, Arena *arena, BlockedTree **ret);
/* Who holds up @waiter in the end, going by the first blocker of each; @waiter itself when it waits for nobody. */
int blocked_tree_root_of(const BlockedEdge *edges, size_t count, int waiter);
