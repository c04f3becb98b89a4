/* SPDX-License-Identifier: PostgreSQL */
/*
 * Map: entries stand densely in the order of insertion; slots[] is an open-addressed table of entry numbers plus one,
 * probed linearly (0 is free). Removing moves the last entry into the gap and closes the probe chain by shifting back,
 * so there are no tombstones. Invariant: slots_count is 0 or a power of two above 4/3 of len. One thread at a time.
 */
#include "lib/base/map.h"

#include <pthread.h>

#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/base/siphash.h"
#include "lib/base/vec.h"

typedef struct Entry {
    uint64_t hash;
    char *key; /* owned */
    size_t key_len;
    void *value;
} Entry;

DEFINE_VEC(EntryVec, entry_vec, Entry)

struct Map {
    MapFreeFn on_free_value;
    EntryVec entries;
    uint32_t *slots;
    size_t slots_count;
};

enum { SLOTS_FIRST = 16 };

static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;
static SipKey hash_key;

static void make_hash_key(void)
{
    random_bytes(&hash_key, sizeof(hash_key));
}

static uint64_t hash_of(Slice key)
{
    (void)pthread_once(&hash_key_once, make_hash_key); /* cannot fail with a valid once */
    return siphash(&hash_key, key);
}

Map *map_new(MapFreeFn on_free_value)
{
    Map *m = mem_alloc(sizeof(*m));
    m->on_free_value = on_free_value;
    return m;
}

static void free_entry(const Map *m, Entry *e)
{
    free(e->key);
    if (m->on_free_value)
        m->on_free_value(e->value);
}

void map_clear(Map *m)
{
    for (size_t i = 0; i < m->entries.len; i++)
        free_entry(m, &m->entries.items[i]);
    entry_vec_clear(&m->entries);
    if (m->slots_count > 0)
        memset(m->slots, 0, m->slots_count * sizeof(*m->slots));
}

Map *map_free(Map *m)
{
    if (!m)
        return NULL;
    map_clear(m);
    entry_vec_done(&m->entries);
    free(m->slots);
    free(m);
    return NULL;
}

size_t map_len(const Map *m)
{
    return m->entries.len;
}

/* The slot that holds @key, or the free one where it would go. The table has slots and at least one is free. */
static size_t find_slot(const Map *m, Slice key, uint64_t hash)
{
    size_t mask = m->slots_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        if (m->slots[at] == 0)
            return at;
        const Entry *e = &m->entries.items[m->slots[at] - 1];
        if (e->hash == hash && slice_eq(slice_from(e->key, e->key_len), key))
            return at;
    }
}

static Entry *find(const Map *m, Slice key)
{
    if (m->entries.len == 0)
        return NULL;
    uint32_t number = m->slots[find_slot(m, key, hash_of(key))];
    return number ? &m->entries.items[number - 1] : NULL;
}

void *map_get(const Map *m, Slice key)
{
    const Entry *e = find(m, key);
    return e ? e->value : NULL;
}

bool map_has(const Map *m, Slice key)
{
    return find(m, key) != NULL;
}

static void put_number(Map *m, uint64_t hash, size_t number)
{
    size_t mask = m->slots_count - 1;
    size_t at = hash & mask;
    while (m->slots[at] != 0)
        at = (at + 1) & mask;
    m->slots[at] = (uint32_t)number;
}

/* Room for one more entry at a load of at most three quarters. */
static void make_room(Map *m)
{
    if ((m->entries.len + 1) * 4 <= m->slots_count * 3)
        return;
    if (m->entries.len >= UINT32_MAX / 2)
        abort(); /* GCOV_EXCL_LINE: entry numbers are 32 bits; that many would not fit in memory first */
    free(m->slots);
    m->slots_count = m->slots_count ? m->slots_count * 2 : SLOTS_FIRST;
    m->slots = mem_alloc_array(sizeof(*m->slots), m->slots_count);
    for (size_t i = 0; i < m->entries.len; i++)
        put_number(m, m->entries.items[i].hash, i + 1);
}

void map_put(Map *m, Slice key, void *value)
{
    make_room(m);
    uint64_t hash = hash_of(key);
    size_t at = find_slot(m, key, hash);
    if (m->slots[at] != 0) {
        Entry *e = &m->entries.items[m->slots[at] - 1];
        if (m->on_free_value && e->value != value)
            m->on_free_value(e->value);
        e->value = value;
        return;
    }
    (void)entry_vec_push(&m->entries,
                         (Entry){.hash = hash, .key = mem_dup(key.ptr, key.len), .key_len = key.len, .value = value});
    m->slots[at] = (uint32_t)m->entries.len;
}

/* Frees slot @gap and moves back what was pushed past it by probing. */
static void close_gap(Map *m, size_t gap)
{
    size_t mask = m->slots_count - 1;
    for (size_t at = (gap + 1) & mask; m->slots[at] != 0; at = (at + 1) & mask) {
        size_t home = m->entries.items[m->slots[at] - 1].hash & mask;
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* it would stand before its home */
        m->slots[gap] = m->slots[at];
        gap = at;
    }
    m->slots[gap] = 0;
}

void *map_take(Map *m, Slice key)
{
    if (m->entries.len == 0)
        return NULL;
    size_t at = find_slot(m, key, hash_of(key));
    if (m->slots[at] == 0)
        return NULL;
    size_t index = m->slots[at] - 1;
    Entry *e = &m->entries.items[index];
    void *value = e->value;
    close_gap(m, at);
    free(e->key);

    size_t last = --m->entries.len;
    if (index != last) {
        *e = m->entries.items[last];
        size_t mask = m->slots_count - 1;
        size_t slot = e->hash & mask;
        while (m->slots[slot] != last + 1)
            slot = (slot + 1) & mask;
        m->slots[slot] = (uint32_t)(index + 1);
    }
    return value;
}

bool map_next(const Map *m, size_t *at, Slice *ret_key, void **ret_value)
{
    if (*at >= m->entries.len)
        return false;
    const Entry *e = &m->entries.items[(*at)++];
    if (ret_key)
        *ret_key = slice_from(e->key, e->key_len);
    if (ret_value)
        *ret_value = e->value;
    return true;
}
