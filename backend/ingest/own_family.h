#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Families that are not built in, as a push describes them (docs/wire.md, section 4a): checked as far as it needs no
 * store. Pure, any thread.
 */
#include "lib/base/arena.h"
#include "lib/catalog/family.h"
#include "lib/wire/push.h"

typedef struct OwnFamily {
    Slice name;           /* as the push has it */
    const char *fault;    /* why it cannot be stored, for the answer; NULL: nothing is known against it */
    const Family *family; /* NULL with a fault */
    uint64_t fingerprint; /* of what it is */
} OwnFamily;

/* Everything in @ret lives in @arena or in @push. */
void own_family_define(const PushFamily *push, const Catalog *catalog, Arena *arena, OwnFamily *ret);
