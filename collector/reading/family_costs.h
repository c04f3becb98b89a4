#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Family costs: what the families cost that are not read by the target's session but by producers beside it, so that
 * family collector_family tells them with the others. The object locks itself; any thread.
 */
#include "lib/base/cleanup.h"
#include "lib/base/clock.h"

typedef struct FamilyCosts FamilyCosts;

enum { FAMILY_COSTS_MAX = 32 }; /* families; more are not counted */

typedef struct FamilyCost {
    const char *family; /* the catalog's; borrowed */
    uint64_t runs, errors, rows, bytes;
    Usec sql;
} FamilyCost;

FamilyCosts *family_costs_new(void);
FamilyCosts *family_costs_free(FamilyCosts *c); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(FamilyCosts *, family_costs_free)

/* Adds to what @cost->family has cost so far. */
void family_costs_add(FamilyCosts *c, const FamilyCost *cost);
/* Copies the one at @index; false behind the last one. They are never taken out. */
bool family_costs_at(FamilyCosts *c, size_t index, FamilyCost *ret);
