#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What a server has: read once after each connect, so that families ask only for what exists (columns are found by
 * looking, not by version). Immutable after pg_facts_read(); borrowed by the resolver. One thread.
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/map.h"
#include "lib/pg/conn.h"

typedef struct PgFacts {
    int version_num; /* 150020 */
    bool in_recovery;
    bool is_superuser;
    bool has_pg_monitor; /* member of pg_monitor, or superuser */
    uint64_t system_identifier;
    uint32_t timeline;
    Usec postmaster_start; /* wall */
    const char *database;  /* connected to */
    Map *columns;          /* set: "relation" and "relation.column" of pg_catalog and of extensions, readable */
    Map *functions;        /* set: "name" and "name/nargs" of pg_catalog's pg_* and of extensions, executable */
    Map *denied;           /* "relation" or "function()" that is there but not for this role -> the GRANT that
                              mends it, const char * */
    Map *extensions;       /* name -> const PgExtension * */
    Map *settings;         /* the few settings that decide what can be known: name -> const char * */
} PgFacts;

typedef struct PgExtension {
    const char *version;
    const char *schema;
    const char *default_version; /* what the server could upgrade it to */
} PgExtension;

/* Reads into @arena. Few round trips; no locks; works on primary and standby, 12 and newer. */
int pg_facts_read(PgConn *c, Arena *arena, PgFacts *ret, Err *reterr) MUST_CHECK;
void pg_facts_done(PgFacts *f); /* frees the maps */

bool pg_facts_has_relation(const PgFacts *f, Slice relation);
bool pg_facts_has_column(const PgFacts *f, Slice relation, Slice column);
bool pg_facts_has_function(const PgFacts *f, Slice name); /* any number of arguments */
/* The statement that would let this role use @name ("relation" or "function()"); NULL: it is not there, or allowed. */
const char *pg_facts_grant(const PgFacts *f, Slice name);
const PgExtension *pg_facts_extension(const PgFacts *f, Slice name);
/* "on" settings: true; off, unknown or absent: false. */
bool pg_facts_setting_on(const PgFacts *f, const char *name);
