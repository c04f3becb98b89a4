/* SPDX-License-Identifier: PostgreSQL */
/* See family_costs.h. */
#include "collector/reading/family_costs.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/memory.h"

struct FamilyCosts {
    pthread_mutex_t lock;
    FamilyCost items[FAMILY_COSTS_MAX];
    size_t count;
};

FamilyCosts *family_costs_new(void)
{
    FamilyCosts *c = mem_alloc(sizeof(*c));
    (void)pthread_mutex_init(&c->lock, NULL); /* cannot fail with default attributes */
    return c;
}

FamilyCosts *family_costs_free(FamilyCosts *c)
{
    if (!c)
        return NULL;
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

static FamilyCost *find_or_make(FamilyCosts *c, const char *family)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->items[i].family, family) == 0)
            return &c->items[i];
    }
    if (c->count == FAMILY_COSTS_MAX)
        return NULL;
    c->items[c->count] = (FamilyCost){.family = family};
    return &c->items[c->count++];
}

void family_costs_add(FamilyCosts *c, const FamilyCost *cost)
{
    pthread_mutex_lock(&c->lock);
    FamilyCost *sum = find_or_make(c, cost->family);
    if (sum) {
        sum->runs += cost->runs;
        sum->errors += cost->errors;
        sum->rows += cost->rows;
        sum->bytes += cost->bytes;
        sum->sql += cost->sql;
    }
    pthread_mutex_unlock(&c->lock);
}

bool family_costs_at(FamilyCosts *c, size_t index, FamilyCost *ret)
{
    pthread_mutex_lock(&c->lock);
    bool found = index < c->count;
    if (found)
        *ret = c->items[index];
    pthread_mutex_unlock(&c->lock);
    return found;
}
