/* SPDX-License-Identifier: PostgreSQL */
/*
 * Map: see map.h. Entries stand in a dense array in insertion order; an open-addressing table of indexes points into
 * it. Removing moves the last entry into the gap. Invariants: table_size is a power of two, at least 4/3 of the
 * entries; slots hold an entry's index + 1, or 0.
 */
#include "lib/base/map.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>

#include "lib/base/random.h"

enum { MAP_FIRST = 16 };

typedef struct Entry {
    char *key; /* owned, NUL-terminated behind length */
    size_t key_length;
    uint64_t hash;
    void *value;
} Entry;

struct Map {
    Entry *entries;
    size_t count;
    size_t capacity;
    uint32_t *table;
    size_t table_size;
    MapFreeFn on_free_value;
};

static uint8_t hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void hash_key_init(void)
{
    random_bytes(hash_key, sizeof hash_key);
}

static uint64_t hash_of(Slice key)
{
    uint64_t hash;

    (void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)key.ptr, key.len, hash_key); /* never fails */
    return hash;
}

Map *map_new(MapFreeFn on_free_value)
{
    (void)pthread_once(&hash_key_once, hash_key_init);
    Map *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->on_free_value = on_free_value;
    return m;
}

static void value_free(const Map *m, void *value)
{
    if (m->on_free_value && value)
        m->on_free_value(value);
}

void map_clear(Map *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->entries[i].key);
        value_free(m, m->entries[i].value);
    }
    m->count = 0;
    if (m->table)
        memset(m->table, 0, m->table_size * sizeof *m->table);
}

Map *map_free(Map *m)
{
    if (!m)
        return NULL;
    map_clear(m);
    free(m->entries);
    free(m->table);
    free(m);
    return NULL;
}

size_t map_len(const Map *m)
{
    return m->count;
}

/* The slot of @key, or the empty one where it would go. The table must not be empty. */
static size_t slot_of(const Map *m, Slice key, uint64_t hash)
{
    size_t mask = m->table_size - 1;

    for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
        if (m->table[slot] == 0)
            return slot;
        const Entry *e = &m->entries[m->table[slot] - 1];
        if (e->hash == hash && slice_eq(slice_from(e->key, e->key_length), key))
            return slot;
    }
}

static const Entry *entry_of(const Map *m, Slice key)
{
    if (m->count == 0)
        return NULL;
    uint32_t index = m->table[slot_of(m, key, hash_of(key))];
    return index ? &m->entries[index - 1] : NULL;
}

void *map_get(const Map *m, Slice key)
{
    const Entry *e = entry_of(m, key);
    return e ? e->value : NULL;
}

bool map_has(const Map *m, Slice key)
{
    return entry_of(m, key) != NULL;
}

static void table_rebuild(Map *m, size_t size)
{
    uint32_t *table = calloc(size, sizeof *table);
    if (!table || size > UINT32_MAX)
        abort();
    free(m->table);
    m->table = table;
    m->table_size = size;
    for (size_t i = 0; i < m->count; i++) {
        size_t slot = m->entries[i].hash & (size - 1);
        while (table[slot] != 0)
            slot = (slot + 1) & (size - 1);
        table[slot] = (uint32_t)(i + 1);
    }
}

static void make_room(Map *m)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity ? m->capacity * 2 : MAP_FIRST;
        Entry *entries = reallocarray(m->entries, capacity, sizeof *entries);
        if (!entries)
            abort();
        m->entries = entries;
        m->capacity = capacity;
    }
    if ((m->count + 1) * 4 > m->table_size * 3)
        table_rebuild(m, m->table_size ? m->table_size * 2 : MAP_FIRST * 2);
}

void map_put(Map *m, Slice key, void *value)
{
    make_room(m);
    uint64_t hash = hash_of(key);
    size_t slot = slot_of(m, key, hash);
    if (m->table[slot] != 0) {
        Entry *e = &m->entries[m->table[slot] - 1];
        if (e->value != value)
            value_free(m, e->value);
        e->value = value;
        return;
    }
    char *copy = malloc(key.len + 1);
    if (!copy)
        abort();
    if (key.len > 0)
        memcpy(copy, key.ptr, key.len);
    copy[key.len] = '\0';
    m->entries[m->count] = (Entry){.key = copy, .key_length = key.len, .hash = hash, .value = value};
    m->table[slot] = (uint32_t)++m->count;
}

/* Empties @slot and moves back those behind it that had to step over it. */
static void slot_remove(Map *m, size_t slot)
{
    size_t mask = m->table_size - 1;

    for (size_t next = (slot + 1) & mask; m->table[next] != 0; next = (next + 1) & mask) {
        size_t home = m->entries[m->table[next] - 1].hash & mask;
        if (((next - home) & mask) >= ((next - slot) & mask)) {
            m->table[slot] = m->table[next];
            slot = next;
        }
    }
    m->table[slot] = 0;
}

void *map_take(Map *m, Slice key)
{
    if (m->count == 0)
        return NULL;
    size_t slot = slot_of(m, key, hash_of(key));
    uint32_t index = m->table[slot];
    if (index == 0)
        return NULL;
    slot_remove(m, slot);
    Entry taken = m->entries[index - 1];
    if (index != m->count) {
        Entry *last = &m->entries[m->count - 1];
        m->table[slot_of(m, slice_from(last->key, last->key_length), last->hash)] = index;
        m->entries[index - 1] = *last;
    }
    m->count--;
    free(taken.key);
    return taken.value;
}

bool map_next(const Map *m, size_t *at, Slice *ret_key, void **ret_value)
{
    if (*at >= m->count)
        return false;
    const Entry *e = &m->entries[(*at)++];
    if (ret_key)
        *ret_key = slice_from(e->key, e->key_length);
    if (ret_value)
        *ret_value = e->value;
    return true;
}
