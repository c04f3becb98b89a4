#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Metric families: read from TOML (catalog/NAME.toml, metrics.d/NAME.toml), checked, and resolved against what one
 * server has. The one source for the collector's SQL, the store's tables, docs/metrics.md, Prometheus names and the
 * API's list. A Catalog is immutable after loading and may be shared by threads; it is freed when the last user is
 * done.
 *
 * Keys of a family file (docs/families.md explains them to users):
 *   name, help, scope ("instance" | "database" | "host"), interval (seconds; 0 = the collector's), enabled, prometheus,
 *   gate ("primary" | "standby"), mode ("rows" | "texts"), keyframe ("changed" | "always"),
 *   from = "x" | ["x", "y"]    relation, function call, or relations joined; the first that exists is read
 *   where, order, limit,
 *   needs (extension), needs_setting (one that exists while its library is loaded),
 *   requires = ["relation", "function()"]
 *   epoch = "x" | ["x", "y"]   source columns that tell when a row's counters began (stats_reset, stats_since): the
 * first that exists is read beside the columns, as text, and never leaves the collector
 *   [[query]] since = 140000, sql = "..."      instead of from: hand-written; the last one whose since <= the server's;
 *                                              each gives every column, NULL where that version has none
 *   [[column]] name, kind (label | counter | gauge | info), type (int8 | float8 | text; default by kind), unit, help,
 *              from = "x" | ["x", "y"]         alternatives, the first that exists is read; default: name
 *              sql = "expression", requires = ["col"]   instead of from; for servers that have every required column
 *              otherwise = "expression"        for the others; without it the column is left out there
 *              cast = "epoch" | "epoch_ms" | "ms" | "lsn" | "bool"   how the value becomes a number
 *              setting = "track_io_timing"     NULL unless that setting is on
 * In SQL texts {schema} stands for the schema of the extension that the family needs.
 * A family whose label a server cannot give (no source, no otherwise) is absent there: rows would lose their identity.
 * host families are read from /proc by the collector's code; their file declares the columns.
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/embedded.h"
#include "lib/base/err.h"
#include "lib/base/map.h"
#include "lib/base/slice.h"

typedef enum FamilyScope {
    FAMILY_SCOPE_INSTANCE,
    FAMILY_SCOPE_DATABASE,
    FAMILY_SCOPE_HOST,
    _FAMILY_SCOPE_MAX
} FamilyScope;
typedef enum FamilyGate { FAMILY_GATE_ANY, FAMILY_GATE_PRIMARY, FAMILY_GATE_STANDBY, _FAMILY_GATE_MAX } FamilyGate;
/* texts: rows are fetched only for label values never sent before (statement texts). */
typedef enum FamilyMode { FAMILY_MODE_ROWS, FAMILY_MODE_TEXTS, _FAMILY_MODE_MAX } FamilyMode;
typedef enum ColumnKind { COLUMN_LABEL, COLUMN_COUNTER, COLUMN_GAUGE, COLUMN_INFO, _COLUMN_KIND_MAX } ColumnKind;
typedef enum ColumnType { COLUMN_INT8, COLUMN_FLOAT8, COLUMN_TEXT, _COLUMN_TYPE_MAX } ColumnType;

typedef struct FamilyColumn {
    const char *name;
    ColumnKind kind;
    ColumnType type;
    const char *unit; /* "" when it has none */
    const char *help;
    const char *const *alternatives; /* NULL-terminated source columns; NULL when sql is set */
    const char *sql;                 /* NULL with alternatives */
    const char *const *required;     /* NULL-terminated; for sql */
    const char *otherwise;           /* NULL: none */
    const char *cast;                /* "" or as above */
    const char *setting;             /* "" or as above */
} FamilyColumn;

typedef struct FamilyQuery {
    int since; /* server version_num */
    const char *sql;
} FamilyQuery;

typedef struct Family {
    const char *name;
    const char *help;
    FamilyScope scope;
    FamilyGate gate;
    FamilyMode mode;
    int interval_seconds; /* 0: the collector's */
    bool enabled;
    bool keyframe_always;        /* send every row every time (small lists whose presence is the news) */
    const char *const *from;     /* NULL-terminated alternatives; NULL with queries and for hosts */
    const char *needs;           /* extension or "" */
    const char *needs_setting;   /* setting or "" */
    const char *const *required; /* NULL-terminated relations and functions, the latter with "()" */
    const char *where;           /* "" */
    const char *order;           /* "" */
    int limit;                   /* 0: none */
    const char *prometheus;      /* name prefix; "" = name */
    const char *const *epoch;    /* NULL-terminated alternatives; NULL: rows have no epoch of their own */
    const FamilyQuery *queries;
    size_t query_count;
    const FamilyColumn *columns; /* labels first, then the others, each in file order */
    size_t column_count;
    size_t label_count;
} Family;

enum {
    CATALOG_FAMILIES_MAX = 256,
    FAMILY_COLUMNS_MAX = 120,
    FAMILY_NAME_MAX = 48, /* bytes; [a-z][a-z0-9_]* */
    COLUMN_NAME_MAX = 60,
};

typedef struct Catalog Catalog;

/* @files: the built-in ones. Errors name file, line and column. */
int catalog_new(Catalog **ret, const EmbeddedFile *files, size_t file_count, Err *reterr) MUST_CHECK;
/* Adds one family file (users' metrics.d). A name already there is ERR_CONFLICT. */
int catalog_add(Catalog *c, const char *file_name, Slice text, Err *reterr) MUST_CHECK;
Catalog *catalog_free(Catalog *c);
DEFINE_CLEANUP(Catalog *, catalog_free)
size_t catalog_count(const Catalog *c);
const Family *catalog_at(const Catalog *c, size_t index);            /* sorted by name */
const Family *catalog_find(const Catalog *c, Slice name);            /* NULL when absent */
const FamilyColumn *family_find_column(const Family *f, Slice name); /* NULL when absent */

const char *column_kind_to_string(ColumnKind kind);
const char *column_type_to_string(ColumnType type);
/* Valid family and column names: [a-z][a-z0-9_]*, length, no reserved word of SQL ("user" would read as the role's name
 * in every hand-written query), not a column that the store adds (time, server_id, series_id, interval_ms). */
bool family_name_is_valid(Slice name);
bool column_name_is_valid(Slice name);

/* The families that are built into both programs (catalog/NAME.toml, listed in lib/catalog/CMakeLists.txt). */
int catalog_new_builtin(Catalog **ret, Err *reterr) MUST_CHECK;
