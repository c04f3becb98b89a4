/* SPDX-License-Identifier: PostgreSQL */
/* See inbox.h. A list, oldest first; the first .taken of them are in a batch that is not kept yet. */
#include "collector/reading/inbox.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/memory.h"
#include "lib/base/vec.h"

typedef struct Letter {
    Arena *arena;     /* of its reading */
    Reading *reading; /* in it: the list may move while somebody reads */
    size_t bytes;
    bool was_taken;
} Letter;

DEFINE_VEC(LetterVec, letter_vec, Letter)

struct Inbox {
    pthread_mutex_t lock;
    LetterVec letters;
    size_t taken;
    bool peeked; /* the one behind them is being looked at */
    size_t bytes, bytes_max;
    uint64_t given_up;
};

Inbox *inbox_new(size_t bytes_max)
{
    Inbox *b = mem_alloc(sizeof(*b));
    (void)pthread_mutex_init(&b->lock, NULL); /* cannot fail with default attributes */
    b->bytes_max = bytes_max ? bytes_max : INBOX_BYTES_MAX;
    return b;
}

/* Forgets @count letters from @first on. */
static void remove_letters(Inbox *b, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        b->bytes -= b->letters.items[i].bytes;
        arena_free(b->letters.items[i].arena);
    }
    size_t behind = b->letters.len - first - count;
    if (behind > 0)
        memmove(&b->letters.items[first], &b->letters.items[first + count], behind * sizeof(Letter));
    b->letters.len -= count;
}

Inbox *inbox_free(Inbox *b)
{
    if (!b)
        return NULL;
    remove_letters(b, 0, b->letters.len);
    letter_vec_done(&b->letters);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
    return NULL;
}

static Letter copy_reading(const Reading *reading)
{
    Letter letter = {.arena = arena_new(0)};
    Reading *r = letter.reading = arena_new_object(letter.arena, Reading);
    *r = *reading;
    r->database = arena_strdup(letter.arena, reading->database);
    r->epoch = arena_strdup(letter.arena, reading->epoch);
    const FamilyColumn **columns = arena_new_array(letter.arena, const FamilyColumn *, reading->column_count + 1);
    for (size_t i = 0; i < reading->column_count; i++)
        columns[i] = reading->columns[i];
    r->columns = columns;
    size_t count = reading->row_count * reading->column_count;
    r->cells = arena_new_array(letter.arena, Cell, count + 1);
    for (size_t i = 0; i < count; i++) {
        r->cells[i] = reading->cells[i];
        if (r->cells[i].type == CELL_TEXT)
            r->cells[i].text = arena_dup(letter.arena, reading->cells[i].text);
    }
    if (reading->row_epochs) {
        Slice *epochs = arena_new_array(letter.arena, Slice, reading->row_count + 1);
        for (size_t i = 0; i < reading->row_count; i++)
            epochs[i] = arena_dup(letter.arena, reading->row_epochs[i]);
        r->row_epochs = epochs;
    }
    letter.bytes = arena_used_bytes(letter.arena);
    return letter;
}

void inbox_put(Inbox *b, const Reading *reading)
{
    Letter letter = copy_reading(reading);
    pthread_mutex_lock(&b->lock);
    size_t held = b->taken + b->peeked;
    while (b->letters.len > held && b->bytes + letter.bytes > b->bytes_max) {
        remove_letters(b, held, 1);
        b->given_up++;
    }
    b->bytes += letter.bytes;
    letter_vec_push(&b->letters, letter);
    pthread_mutex_unlock(&b->lock);
}

const Reading *inbox_peek(Inbox *b)
{
    const Reading *reading = NULL;
    pthread_mutex_lock(&b->lock);
    if (b->taken < b->letters.len) {
        reading = b->letters.items[b->taken].reading;
        b->peeked = true;
    }
    pthread_mutex_unlock(&b->lock);
    return reading;
}

bool inbox_was_taken(Inbox *b)
{
    pthread_mutex_lock(&b->lock);
    assert(b->peeked);
    bool was_taken = b->letters.items[b->taken].was_taken;
    pthread_mutex_unlock(&b->lock);
    return was_taken;
}

void inbox_take(Inbox *b)
{
    pthread_mutex_lock(&b->lock);
    assert(b->peeked);
    b->letters.items[b->taken++].was_taken = true;
    b->peeked = false;
    pthread_mutex_unlock(&b->lock);
}

void inbox_commit(Inbox *b)
{
    pthread_mutex_lock(&b->lock);
    remove_letters(b, 0, b->taken);
    b->taken = 0;
    pthread_mutex_unlock(&b->lock);
}

void inbox_rollback(Inbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->taken = 0;
    b->peeked = false;
    pthread_mutex_unlock(&b->lock);
}

uint64_t inbox_given_up(Inbox *b)
{
    pthread_mutex_lock(&b->lock);
    uint64_t given_up = b->given_up;
    pthread_mutex_unlock(&b->lock);
    return given_up;
}
