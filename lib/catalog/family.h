#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Metric families: read from TOML (catalog/NAME.toml, metrics.d/NAME.toml), checked, and resolved against what one
 * server has. The one source for the collector's SQL, the store's tables, docs/metrics.md, Prometheus names and the
 * API's list. A Catalog is immutable after loading and may be shared by threads; it is freed when the last user is
 * done.
 *
 * Keys of a family file (docs/families.md explains them to users):
 *   name, help, scope ("instance" | "database" | "host"), interval (seconds; 0 = the collector's), enabled,
 *   prometheus (prefix), prometheus_limit, prometheus_order (rows that become metrics: so many, by that column),
 *   gate ("primary" | "standby"), mode ("rows" | "texts" | "events"), keyframe ("changed" | "always" | "daily"),
 *   from = "x" | ["x", "y"]    relation, function call, or relations joined; the first that exists is read
 *   where, order, limit,
 *   needs (extension), needs_setting (one that exists while its library is loaded),
 *   requires = ["relation", "function()"]
 *   epoch = "x" | ["x", "y"]   source columns that tell when a row's counters began (stats_reset, stats_since): the
 * first that exists is read beside the columns, as text, and never leaves the collector
 *   row_id = "expression", row_state = ["column", "column"]   an int8 that tells the rows apart, and columns of
 *                       which one is another whenever anything in the row is: only rows that changed are asked for
 *   when = "condition"  while it is false the family has no rows; asked together with those of other families
 *   before = "do ..."   run before the statement, in the same read-only transaction; what it sets, the statement reads
 *   top = 500, top_by = "column"   of the rows that changed so many are sent, those with the largest increase of the
 *                       column; the others are added up in one row of labels "(other)"
 *   change = "index"    rows that come and go are events of this kind (family change_event)
 *   roll_up = "partitions" | "always"   when rows are added up under the labels that roll_up of the columns gives
 *   [[query]] since = 140000, sql = "..."      instead of from: hand-written; the last one whose since <= the server's;
 *                                              each gives every column, NULL where that version has none
 *   [[column]] name, kind (label | counter | gauge | info), type (int8 | float8 | text; default by kind), unit, help,
 *              from = "x" | ["x", "y"]         alternatives, the first that exists is read; default: name
 *              sql = "expression", requires = ["col"]   instead of from; for servers that have every required column
 *              otherwise = "expression"        for the others; without it the column is left out there
 *              cast = "epoch" | "epoch_ms" | "ms" | "lsn" | "bool"   how the value becomes a number
 *              setting = "track_io_timing"     NULL unless that setting is on
 *              prometheus = "name" | ["x", "y"] its metrics, with labels and form (family_metrics.h); "-": none
 *              change = "setting"              a new value is an event of this kind
 *              items = true                    with change: lines "name TAB definition", compared one by one
 *              roll_up = "expression"          labels: the value in the row that this is added up in; NULL: its own
 *              combine = "sum" | "max" | "min" gauges: their value in such a row; else it is NULL there
 *
 * In SQL texts {schema} stands for the schema of the extension that the family needs. A family whose label a server
 * cannot give (no source, no otherwise) is absent there: rows would lose their identity. host families are read by the
 * collector's own code (from /proc, from its sampler, from programs beside the server); their file declares the
 * columns.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/map.h"
#include "lib/base/slice.h"
#include "lib/conf/toml.h"

typedef enum FamilyScope {
    FAMILY_SCOPE_INSTANCE,
    FAMILY_SCOPE_DATABASE,
    FAMILY_SCOPE_HOST,
    _FAMILY_SCOPE_MAX
} FamilyScope;
typedef enum FamilyGate { FAMILY_GATE_ANY, FAMILY_GATE_PRIMARY, FAMILY_GATE_STANDBY, _FAMILY_GATE_MAX } FamilyGate;
/* texts: rows are fetched only for label values never sent before (statement texts). */
/* events: host families whose rows are what happened in an interval (samples taken, changes seen): never compared with
 * an earlier reading, each sent exactly once. */
typedef enum FamilyMode { FAMILY_MODE_ROWS, FAMILY_MODE_TEXTS, FAMILY_MODE_EVENTS, _FAMILY_MODE_MAX } FamilyMode;
typedef enum ColumnKind { COLUMN_LABEL, COLUMN_COUNTER, COLUMN_GAUGE, COLUMN_INFO, _COLUMN_KIND_MAX } ColumnKind;
typedef enum ColumnType { COLUMN_INT8, COLUMN_FLOAT8, COLUMN_TEXT, _COLUMN_TYPE_MAX } ColumnType;

typedef enum ColumnCombine { COMBINE_NONE, COMBINE_SUM, COMBINE_MAX, COMBINE_MIN, _COLUMN_COMBINE_MAX } ColumnCombine;
typedef enum FamilyRollUp { ROLL_UP_PARTITIONS, ROLL_UP_ALWAYS, _FAMILY_ROLL_UP_MAX } FamilyRollUp;
/* changed: every 15 minutes all rows are sent; daily: once a day. */
typedef enum FamilyKeyframe {
    FAMILY_KEYFRAME_CHANGED,
    FAMILY_KEYFRAME_ALWAYS,
    FAMILY_KEYFRAME_DAILY,
    _FAMILY_KEYFRAME_MAX
} FamilyKeyframe;

typedef struct FamilyColumn {
    const char *name;
    ColumnKind kind;
    ColumnType type;
    ColumnCombine combine;
    bool items;       /* with change: the value is a list whose items are compared */
    const char *unit; /* "" when it has none */
    const char *help;
    const char *const *alternatives; /* NULL-terminated source columns; NULL when sql is set */
    const char *sql;                 /* NULL with alternatives */
    const char *const *required;     /* NULL-terminated; for sql */
    const char *otherwise;           /* NULL: none */
    const char *cast;                /* "" or as above */
    const char *setting;             /* "" or as above */
    const char *change;              /* kind of event; "" none */
    const char *roll_up;             /* NULL: none */
    const char *const *prometheus;   /* NULL-terminated, see family_metrics.h; NULL: what follows from the rest */
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
    bool own;             /* a user's, not built in: batches carry its definition (docs/wire.md) */
    int interval_seconds; /* 0: the collector's */
    bool enabled;
    FamilyKeyframe keyframe; /* always: small lists whose presence is the news */
    const char *before;      /* "" */
    const char *when;        /* a condition without which it has no rows; "" */
    int top;                 /* 0: all that changed are sent */
    const char *top_by;      /* a counter; "": the first one */
    const char *change;      /* kind of event; "" none */
    FamilyRollUp roll_up;
    const char *const *from;      /* NULL-terminated alternatives; NULL with queries and for hosts */
    const char *needs;            /* extension or "" */
    const char *needs_setting;    /* setting or "" */
    const char *const *required;  /* NULL-terminated relations and functions, the latter with "()" */
    const char *where;            /* "" */
    const char *order;            /* "" */
    int limit;                    /* 0: none */
    const char *prometheus;       /* name prefix; "" = name; "-": no metrics there */
    int prometheus_limit;         /* rows that become metrics; 0: all */
    const char *prometheus_order; /* column: those with the largest values; "" without a limit */
    const char *const *epoch;     /* NULL-terminated alternatives; NULL: rows have no epoch of their own */
    const char *row_id;           /* "": all rows are read each time */
    const char *const *row_state; /* NULL-terminated names of columns; with row_id */
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

/* With @count families to begin with (NULL: none), which must outlive it. A name given twice is ERR_CONFLICT. */
int catalog_new(Catalog **ret, const Family *families, size_t count, Err *reterr) MUST_CHECK;
/* Adds one family file. A name already there is ERR_CONFLICT; errors name file, line and column. */
int catalog_add(Catalog *c, const char *file_name, Slice text, Err *reterr) MUST_CHECK;
/* The same for users' families, which are read with SQL and in mode "rows": built-in code knows the others. */
int catalog_add_own(Catalog *c, const char *file_name, Slice text, Err *reterr) MUST_CHECK;
/* One of [[family]] in a document. @label names it in errors; nothing of @table is kept. */
int catalog_add_own_table(Catalog *c, const char *label, const TomlTable *table, Err *reterr) MUST_CHECK;
Catalog *catalog_free(Catalog *c);
DEFINE_CLEANUP(Catalog *, catalog_free)
size_t catalog_count(const Catalog *c);
const Family *catalog_at(const Catalog *c, size_t index);            /* sorted by name */
const Family *catalog_find(const Catalog *c, Slice name);            /* NULL when absent */
const FamilyColumn *family_find_column(const Family *f, Slice name); /* NULL when absent */

/* Of all that a family says about what is read, for "did it change?"; never 0. */
uint64_t family_fingerprint(const Family *f);
/* Of all that it says about its Prometheus metrics, which do not change what was counted; never 0. */
uint64_t family_metrics_fingerprint(const Family *f);

const char *column_kind_to_string(ColumnKind kind);
const char *column_type_to_string(ColumnType type);
/* Valid family and column names: [a-z][a-z0-9_]*, length, no reserved word of SQL ("user" would read as the role's name
 * in every hand-written query), not a column that the store adds (time, server_id, series_id, interval_ms). */
bool family_name_is_valid(Slice name);
bool column_name_is_valid(Slice name);

/* The families that are built into both programs (catalog/NAME.toml, listed in lib/catalog/CMakeLists.txt): read and
 * checked when the programs were built, constant data since. */
int catalog_new_builtin(Catalog **ret, Err *reterr) MUST_CHECK;
