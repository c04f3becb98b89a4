#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Facts of a server that does not run: written as "relation: column column ..." lines. */
#include "lib/pg/facts.h"

typedef struct ScriptedFacts {
    int version_num;
    bool in_recovery;
    const char *relations;         /* "pg_stat_wal: wal_records wal_bytes; pg_locks: pid" */
    const char *functions;         /* "pg_ls_waldir pg_stat_statements" */
    const char *denied;            /* "v f()": there, but not for this role "me" */
    const char *settings;          /* "pg_stat_statements.max=5000 track_io_timing=on" */
    const char *extension;         /* "pg_stat_statements" in schema "my ext", version 1.8; NULL: none */
    const char *extension_default; /* what the server could upgrade it to */
} ScriptedFacts;

static inline void scripted_put(Map *map, Slice key, const char *value)
{
    map_put(map, key, (void *)(uintptr_t)value);
}

static inline void scripted_relations(Arena *arena, PgFacts *f, Slice text)
{
    while (text.ptr) {
        Slice columns = slice_trim(slice_split(&text, ';'));
        Slice name = slice_trim(slice_split(&columns, ':'));
        if (name.len == 0)
            continue;
        scripted_put(f->columns, name, "1");
        for (columns = slice_trim(columns); columns.ptr && columns.len > 0;) {
            Slice column = slice_split(&columns, ' ');
            const char *key = arena_printf(arena, "%.*s.%.*s", SLICE_ARG(name), SLICE_ARG(column));
            scripted_put(f->columns, slice_cstr(key), "1");
        }
    }
}

static inline PgFacts scripted_facts(Arena *arena, const ScriptedFacts *script)
{
    PgFacts f = {
        .version_num = script->version_num,
        .in_recovery = script->in_recovery,
        .has_pg_monitor = true,
        .database = "app",
        .columns = map_new(NULL),
        .functions = map_new(NULL),
        .denied = map_new(NULL),
        .extensions = map_new(NULL),
        .settings = map_new(NULL),
    };
    scripted_relations(arena, &f, slice_cstr(script->relations));
    for (Slice rest = slice_cstr(script->functions); rest.ptr;)
        scripted_put(f.functions, slice_split(&rest, ' '), "1");
    for (Slice rest = slice_cstr(script->denied); rest.ptr;) {
        Slice name = slice_split(&rest, ' ');
        scripted_put(f.denied, name, arena_printf(arena, "grant %.*s to me", SLICE_ARG(name)));
    }
    for (Slice rest = slice_cstr(script->settings); rest.ptr;) {
        Slice value = slice_split(&rest, ' ');
        Slice name = slice_split(&value, '=');
        scripted_put(f.settings, name, arena_dup(arena, value).ptr);
    }
    if (script->extension) {
        PgExtension *e = arena_new_object(arena, PgExtension);
        *e = (PgExtension){.version = "1.8", .schema = "my ext", .default_version = script->extension_default};
        map_put(f.extensions, slice_cstr(script->extension), e);
    }
    return f;
}
