#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Families of a source with the built-in catalog, and what comes out of the inbox; texts of fuzz/corpus, which hold
 * what real programs printed. Every test has its own `fixture`; SOURCES_TEST() sets it up.
 */
#include <stdatomic.h>

#include "collector/sources/source.h"
#include "lib/io/file.h"
#include "tests/support/unit.h"

typedef struct Fixture {
    Settings settings;
    ServerSettings server;
    Inbox *inbox;
    ProducerOptions options;
    SourceFamilies *families;
    const Reading *reading;
    Buf text;
} Fixture;

static Fixture fixture;
static const _Atomic bool never_stop = false;

static inline UNUSED int setup(void **state)
{
    (void)state;
    fixture = (Fixture){.settings = {.interval = 60 * USEC_PER_SEC}, .server = {.name = "main"}};
    fixture.settings.enable_replication = fixture.settings.enable_wal_level = true;
    fixture.inbox = inbox_new(0);
    fixture.options = (ProducerOptions){
        .settings = &fixture.settings, .server = &fixture.server, .inbox = fixture.inbox, .stop = &never_stop};
    return catalog_new_builtin(&fixture.settings.catalog, NULL);
}

static inline UNUSED int teardown(void **state)
{
    (void)state;
    source_families_free(fixture.families);
    inbox_free(fixture.inbox);
    catalog_free(fixture.settings.catalog);
    buf_done(&fixture.text);
    return 0;
}

static inline UNUSED void begin(const char *const *names)
{
    fixture.families = source_families_free(fixture.families);
    fixture.families = source_families_new(&fixture.options, names);
    source_families_begin(fixture.families, clock_monotonic(), true);
}

static inline UNUSED void end(bool complete)
{
    source_families_end(fixture.families, clock_monotonic(), complete);
}

/* The next reading of the inbox becomes what cell() looks at. */
static inline UNUSED const Reading *next_reading(void)
{
    if (fixture.reading)
        inbox_take(fixture.inbox);
    fixture.reading = inbox_peek(fixture.inbox);
    return fixture.reading;
}

static inline UNUSED const Cell *cell(size_t row, const char *column)
{
    const Reading *r = fixture.reading;
    assert_true(row < r->row_count);
    for (size_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i]->name, column) == 0)
            return &r->cells[row * r->column_count + i];
    }
    fail_msg("%s has no column %s", r->family, column);
    return NULL;
}

/* The cell as text: "null", an integer, a number with one digit, or the text. */
static inline UNUSED void assert_cell(size_t row, const char *column, const char *expected)
{
    const Cell *c = cell(row, column);
    _cleanup_buf_ Buf text = BUF_INIT;
    if (c->type == CELL_TEXT)
        buf_append(&text, c->text);
    else if (c->type == CELL_INT)
        buf_append_int64(&text, c->integer);
    else if (c->type == CELL_FLOAT)
        buf_printf(&text, "%.1f", c->number);
    else
        buf_append_cstr(&text, "null");
    if (strcmp(buf_cstr(&text), expected) != 0)
        fail_msg("row %zu, %s is %s, not %s", row, column, buf_cstr(&text), expected);
}

/* A text of fuzz/corpus without its first line, which says whose it is. Valid until the next one. */
static inline UNUSED Slice corpus(const char *path)
{
    _cleanup_buf_ Buf full = BUF_INIT;
    Err err = ERR_INIT;
    buf_printf(&full, "fuzz/corpus/%s", path);
    buf_clear(&fixture.text);
    assert_ok(file_read_all(buf_cstr(&full), 1 << 20, &fixture.text, &err), &err);
    return slice_skip(buf_slice(&fixture.text), 2);
}

#define SOURCES_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
