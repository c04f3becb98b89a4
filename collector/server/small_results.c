/* SPDX-License-Identifier: PostgreSQL */
/* See small_results.h. */
#include "collector/server/small_results.h"

#include "collector/reading/series.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

struct SmallResults {
    Map *known; /* "family\0database", and a "+" for changes alone; without values */
};

SmallResults *small_results_new(void)
{
    SmallResults *s = mem_alloc(sizeof(*s));
    s->known = map_new(NULL);
    return s;
}

SmallResults *small_results_free(SmallResults *s)
{
    if (!s)
        return NULL;
    map_free(s->known);
    free(s);
    return NULL;
}

static void append_key(Buf *key, const char *family, const char *database, bool changes)
{
    series_append_key(key, family, database);
    if (changes)
        buf_append_char(key, '+');
}

void small_results_note(SmallResults *s, const char *family, const char *database, bool changes, size_t cells)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    append_key(&key, family, database, changes);
    if (cells <= SMALL_RESULT_CELLS)
        map_put(s->known, buf_slice(&key), s);
    else
        (void)map_take(s->known, buf_slice(&key)); /* no matter whether it was there */
}

bool small_results_expect(const SmallResults *s, const char *family, const char *database, bool changes)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    append_key(&key, family, database, changes);
    return map_has(s->known, buf_slice(&key));
}
