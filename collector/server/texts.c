/* SPDX-License-Identifier: PostgreSQL */
/*
 * See texts.h. Known ids are kept in two generations: when the young one is full it becomes the old one and the old one
 * is forgotten. An id found in the old generation moves to the young one, so what is in use stays: as long as all that
 * is in use fits into the young one, with what is new meanwhile. So a generation has twice what the server can hold.
 */
#include "collector/server/texts.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"

static const char MAGIC[] = "pgat1\n";
static const char PRESENT[] = "";

enum { ID_MAX = 64, GENERATION_MIN = 10000, GENERATION_MAX = TEXTS_KNOWN_MAX / 2 };

struct Texts {
    Map *young;
    Map *old;
    Map *wanted; /* not yet asked for */
    Map *staged; /* asked for, in a batch that is not kept yet */
    uint64_t room;
    size_t generation; /* ids in each of the two at most */
    bool missed;
};

static void set_add(Map *set, Slice id)
{
    map_put(set, id, (void *)(uintptr_t)PRESENT);
}

Texts *texts_new(void)
{
    Texts *t = mem_alloc(sizeof(*t));
    t->young = map_new(NULL);
    t->old = map_new(NULL);
    t->wanted = map_new(NULL);
    t->staged = map_new(NULL);
    t->room = UINT64_MAX;
    t->generation = GENERATION_MIN;
    return t;
}

Texts *texts_free(Texts *t)
{
    if (!t)
        return NULL;
    map_free(t->young);
    map_free(t->old);
    map_free(t->wanted);
    map_free(t->staged);
    free(t);
    return NULL;
}

static void remember(Texts *t, Slice id)
{
    if (map_len(t->young) >= t->generation) {
        Map *emptied = t->old;
        map_clear(emptied);
        t->old = t->young;
        t->young = emptied;
    }
    set_add(t->young, id);
}

static bool is_known(Texts *t, Slice id)
{
    if (map_has(t->young, id))
        return true;
    if (!map_has(t->old, id))
        return false;
    remember(t, id);
    return true;
}

/* Ids go into an array literal: what would need quoting is no id. */
static bool is_plain(Slice id)
{
    if (id.len == 0 || id.len > ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
        if (!plain)
            return false;
    }
    return true;
}

void texts_see(Texts *t, Slice id)
{
    if (!is_plain(id) || is_known(t, id) || map_has(t->staged, id) || map_has(t->wanted, id))
        return;
    if (map_len(t->wanted) < TEXTS_WANTED_MAX)
        set_add(t->wanted, id);
    else
        t->missed = true;
}

bool texts_are_missed(const Texts *t)
{
    return t->missed;
}

void texts_begin_all(Texts *t)
{
    t->missed = false;
}

size_t texts_wanted(const Texts *t)
{
    return map_len(t->wanted);
}

void texts_set_room(Texts *t, uint64_t bytes)
{
    t->room = bytes;
}

uint64_t texts_room(uint64_t used, uint64_t max)
{
    return used < max / 2 ? max / 2 - used : 0;
}

void texts_set_held(Texts *t, int64_t count)
{
    const int64_t wanted = count > GENERATION_MAX / 2 ? GENERATION_MAX : 2 * count;
    t->generation = wanted > GENERATION_MIN ? (size_t)wanted : GENERATION_MIN;
}

void texts_forget(Texts *t)
{
    map_clear(t->young);
    map_clear(t->old);
    t->missed = true;
}

const char *texts_take(Texts *t, Arena *arena)
{
    const uint64_t fitting = t->room / TEXTS_LENGTH_MAX;
    const size_t max = map_len(t->wanted) < fitting ? map_len(t->wanted) : (size_t)fitting;
    if (max == 0)
        return NULL;
    _cleanup_buf_ Buf literal = BUF_INIT;
    Slice *ids = arena_new_array(arena, Slice, max), id;
    size_t count = 0;
    void *value;
    for (size_t at = 0; count < max && map_next(t->wanted, &at, &id, &value);)
        ids[count++] = arena_dup(arena, id);
    for (size_t i = 0; i < count; i++) {
        buf_append_char(&literal, i ? ',' : '{');
        buf_append(&literal, ids[i]);
        (void)map_take(t->wanted, ids[i]); /* the value is a constant */
        set_add(t->staged, ids[i]);
    }
    buf_append_char(&literal, '}');
    return arena_dup(arena, buf_slice(&literal)).ptr;
}

void texts_commit(Texts *t)
{
    Slice id;
    void *value;
    for (size_t at = 0; map_next(t->staged, &at, &id, &value);)
        remember(t, id);
    map_clear(t->staged);
}

bool texts_are_staged(const Texts *t)
{
    return map_len(t->staged) > 0;
}

void texts_rollback(Texts *t)
{
    Slice id;
    void *value;
    for (size_t at = 0; map_next(t->staged, &at, &id, &value);)
        set_add(t->wanted, id);
    map_clear(t->staged);
}

static void save_set(const Map *set, Buf *out)
{
    Slice id;
    void *value;
    for (size_t at = 0; map_next(set, &at, &id, &value);) {
        buf_append(out, id);
        buf_append_char(out, '\n');
    }
}

void texts_save(const Texts *t, Buf *out)
{
    buf_append_cstr(out, MAGIC);
    save_set(t->old, out);
    save_set(t->young, out);
}

int texts_load(Texts *t, Slice bytes, Err *reterr)
{
    map_clear(t->young);
    map_clear(t->old);
    if (!slice_starts_with(bytes, SLICE_LIT(MAGIC)))
        return err_set(reterr, ERR_CORRUPT, "the list of texts that were sent is damaged");
    bytes = slice_skip(bytes, sizeof(MAGIC) - 1);
    /* All into the old generation: how many there may be in the young one is not known before the server was asked. */
    for (size_t count = 0; bytes.ptr && bytes.len > 0 && count < TEXTS_KNOWN_MAX; count++) {
        Slice id = slice_split(&bytes, '\n');
        if (!is_plain(id)) {
            map_clear(t->young);
            map_clear(t->old);
            return err_set(reterr, ERR_CORRUPT, "the list of texts that were sent is damaged");
        }
        set_add(t->old, id);
    }
    return 0;
}
