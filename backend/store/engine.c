/* SPDX-License-Identifier: PostgreSQL */
/* The list of engines. Any thread. */
#include "backend/store/engine.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"

static const StorageEngine *const ENGINES[] = {
    &engine_native,
};

const StorageEngine *engine_choose(PgConn *c)
{
    for (size_t i = 0; i + 1 < ARRAY_LENGTH(ENGINES); i++)
        if (ENGINES[i]->fits(c))
            return ENGINES[i];
    return ENGINES[ARRAY_LENGTH(ENGINES) - 1]; /* fits always */
}

void engine_format_day(int64_t day, char ret[ENGINE_DAY_SIZE])
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(day * 86400 * USEC_PER_SEC, iso);
    memcpy(ret, iso, strlen("2026-11-21"));
    ret[strlen("2026-11-21")] = '\0';
}
