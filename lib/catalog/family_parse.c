/* SPDX-License-Identifier: PostgreSQL */
/*
 * A family file: TOML to Family, with every check that needs no server. What passes here gives one read-only statement
 * on any server and a table in the store; the first fault is told with file, line and column. Pure, any thread.
 */
#include <limits.h>

#include "lib/base/buf.h"
#include "lib/catalog/catalog_private.h"
#include "lib/catalog/family_keys.h"
#include "lib/catalog/family_metrics.h"

enum {
    UNIT_MAX = 40,
    INTERVAL_MAX_S = 86400,
    LIMIT_MAX = 100000,
    QUERIES_MAX = 16,
    HELP_MAX = 400,
    CHANGE_KIND_MAX = 40
};

static const FamilyKey family_keys[] = {
    {"before", KEY_TEXT},
    {"change", KEY_TEXT},
    {"column", KEY_TABLES},
    {"enabled", KEY_BOOL},
    {"epoch", KEY_LIST},
    {"from", KEY_LIST},
    {"gate", KEY_TEXT},
    {"help", KEY_TEXT},
    {"interval", KEY_INTEGER},
    {"keyframe", KEY_TEXT},
    {"limit", KEY_INTEGER},
    {"mode", KEY_TEXT},
    {"name", KEY_TEXT},
    {"needs", KEY_TEXT},
    {"needs_setting", KEY_TEXT},
    {"order", KEY_TEXT},
    {"prometheus", KEY_TEXT},
    {"prometheus_limit", KEY_INTEGER},
    {"prometheus_order", KEY_TEXT},
    {"query", KEY_TABLES},
    {"requires", KEY_LIST},
    {"roll_up", KEY_TEXT},
    {"row_id", KEY_TEXT},
    {"row_state", KEY_LIST},
    {"scope", KEY_TEXT},
    {"top", KEY_INTEGER},
    {"top_by", KEY_TEXT},
    {"when", KEY_TEXT},
    {"where", KEY_TEXT},
};
static const FamilyKey query_keys[] = {{"since", KEY_INTEGER}, {"sql", KEY_TEXT}};
static const FamilyKey column_keys[] = {
    {"items", KEY_BOOL},     {"cast", KEY_TEXT},     {"change", KEY_TEXT},     {"combine", KEY_TEXT},
    {"from", KEY_LIST},      {"help", KEY_TEXT},     {"kind", KEY_TEXT},       {"name", KEY_TEXT},
    {"otherwise", KEY_TEXT}, {"requires", KEY_LIST}, {"prometheus", KEY_LIST}, {"roll_up", KEY_TEXT},
    {"setting", KEY_TEXT},   {"sql", KEY_TEXT},      {"type", KEY_TEXT},       {"unit", KEY_TEXT},
};

/* --- columns ----------------------------------------------------------------------------------------------------- */

static bool change_is_valid(const char *kind)
{
    return strlen(kind) <= CHANGE_KIND_MAX && family_keys_made_of(kind, FAMILY_KEYS_WORD " ");
}

/* What rows that are added up and changes mean for each kind of column. */
static int check_column_sums(const FamilyParser *p, const TomlTable *table, const Family *f, const FamilyColumn *c)
{
    if (c->roll_up && (c->kind != COLUMN_LABEL || f->scope == FAMILY_SCOPE_HOST))
        return family_keys_fail(p, toml_table_get(table, "roll_up"), "column %s: roll_up is for labels that SQL reads",
                                c->name);
    if (c->combine != COMBINE_NONE && c->kind != COLUMN_GAUGE)
        return family_keys_fail(p, toml_table_get(table, "combine"), "column %s: combine is for gauges", c->name);
    if (c->change[0] && (c->kind == COLUMN_LABEL || c->kind == COLUMN_COUNTER))
        return family_keys_fail(p, toml_table_get(table, "change"), "column %s: change is for infos and gauges",
                                c->name);
    if (c->items && (c->kind != COLUMN_INFO || !c->change[0]))
        return family_keys_fail(p, toml_table_get(table, "items"), "column %s: items is for infos with change",
                                c->name);
    if (c->change[0] && !change_is_valid(c->change))
        return family_keys_fail(p, toml_table_get(table, "change"), "column %s: change = \"%s\" is not a plain name",
                                c->name, c->change);
    return family_keys_check_sql(p, table, "roll_up", f);
}

static int check_column_kind(const FamilyParser *p, const TomlTable *table, const FamilyColumn *c)
{
    const TomlValue *name = toml_table_get(table, "name");
    bool is_text = c->kind == COLUMN_LABEL || c->kind == COLUMN_INFO;
    if (is_text != (c->type == COLUMN_TEXT))
        return family_keys_fail(p, toml_table_get(table, "type"), "column %s: a %s is %s", c->name,
                                column_kind_to_string(c->kind), is_text ? "text" : "int8 or float8");
    if (c->cast[0] && is_text)
        return family_keys_fail(p, toml_table_get(table, "cast"), "column %s: cast is for counters and gauges",
                                c->name);
    if (c->kind != COLUMN_LABEL && c->help[0] == '\0')
        return family_keys_fail(p, name, "column %s has no help", c->name);
    if (c->kind == COLUMN_LABEL && c->setting[0])
        return family_keys_fail(p, toml_table_get(table, "setting"), "column %s: a label cannot be unknown", c->name);
    return 0;
}

static int check_column_source(const FamilyParser *p, const TomlTable *table, const Family *f, const FamilyColumn *c)
{
    static const char *const source_keys[] = {"from", "sql", "requires", "otherwise"};
    static const char *const host_keys[] = {"cast", "setting"};
    bool host = f->scope == FAMILY_SCOPE_HOST;
    for (size_t i = host; !f->from && i < ARRAY_LENGTH(source_keys); i++) { /* host families may name their sources */
        const TomlValue *v = toml_table_get(table, source_keys[i]);
        if (v)
            return family_keys_fail(p, v, "column %s: %s is for families with a from", c->name, source_keys[i]);
    }
    for (size_t i = 0; host && i < ARRAY_LENGTH(host_keys); i++) {
        const TomlValue *v = toml_table_get(table, host_keys[i]);
        if (v)
            return family_keys_fail(p, v, "column %s: %s is not for host families", c->name, host_keys[i]);
    }
    if (c->sql && toml_table_get(table, "from"))
        return family_keys_fail(p, toml_table_get(table, "sql"), "column %s: give from or sql, not both", c->name);
    if (c->required && !c->sql)
        return family_keys_fail(p, toml_table_get(table, "requires"), "column %s: requires goes with sql", c->name);
    int r = family_keys_check_words(p, table, "from", c->alternatives, FAMILY_KEYS_WORD ".");
    if (r == 0)
        r = family_keys_check_words(p, table, "requires", c->required, FAMILY_KEYS_WORD ".()");
    if (r == 0)
        r = family_keys_check_sql(p, table, "sql", f);
    if (r == 0)
        r = family_keys_check_sql(p, table, "otherwise", f);
    return r < 0 ? r : check_column_sums(p, table, f, c);
}

static int parse_column(const FamilyParser *p, const TomlTable *table, const Family *f, FamilyColumn *ret)
{
    static const char *const kinds[] = {"", "label", "counter", "gauge", "info", NULL};
    static const char *const types[] = {"", "int8", "float8", "text", NULL};
    static const char *const combines[] = {"", "sum", "max", "min", NULL};
    static const char *const casts[] = {"", "epoch", "epoch_ms", "ms", "lsn", "bool", NULL};
    static const ColumnType default_types[_COLUMN_KIND_MAX] = {COLUMN_TEXT, COLUMN_INT8, COLUMN_FLOAT8, COLUMN_TEXT};
    int r = family_keys_check(p, table, column_keys, ARRAY_LENGTH(column_keys));
    if (r < 0)
        return r;
    const TomlValue *name = toml_table_get(table, "name");
    const TomlEntry *first = toml_table_first(table);
    if (!name)
        return family_keys_fail(p, first ? &first->value : NULL, "a column has no name");
    *ret = (FamilyColumn){
        .name = family_keys_text(p, table, "name"),
        .unit = family_keys_text(p, table, "unit"),
        .help = family_keys_text(p, table, "help"),
        .setting = family_keys_text(p, table, "setting"),
        .required = family_keys_list(p, table, "requires"),
        .alternatives = family_keys_list(p, table, "from"),
        .prometheus = family_keys_list(p, table, "prometheus"),
        .sql = toml_table_get(table, "sql") ? family_keys_text(p, table, "sql") : NULL,
        .otherwise = toml_table_get(table, "otherwise") ? family_keys_text(p, table, "otherwise") : NULL,
        .change = family_keys_text(p, table, "change"),
        .roll_up = toml_table_get(table, "roll_up") ? family_keys_text(p, table, "roll_up") : NULL,
    };
    if (!column_name_is_valid(slice_cstr(ret->name)))
        return family_keys_fail(p, name,
                                "column name \"%s\" is not valid: lower-case letters, digits, _, at most %d, and no "
                                "reserved word",
                                ret->name, COLUMN_NAME_MAX);
    int kind = family_keys_choice(p, table, "kind", kinds), type = family_keys_choice(p, table, "type", types);
    int cast = family_keys_choice(p, table, "cast", casts), combine = family_keys_choice(p, table, "combine", combines);
    if (kind < 0 || type < 0 || cast < 0 || combine < 0)
        return -err_code_errno(ERR_CONFIG);
    if (kind == 0)
        return family_keys_fail(p, name, "column %s has no kind", ret->name);
    ret->kind = (ColumnKind)(kind - 1);
    ret->type = type ? (ColumnType)(type - 1) : default_types[ret->kind];
    ret->cast = casts[cast];
    (void)toml_table_get_bool(table, "items", &ret->items); /* stays false when absent */
    ret->combine = (ColumnCombine)combine;
    if (strlen(ret->help) > HELP_MAX)
        return family_keys_fail(p, toml_table_get(table, "help"), "column %s: help is longer than %d", ret->name,
                                HELP_MAX);
    if (strlen(ret->unit) > UNIT_MAX || strpbrk(ret->unit, "\t\r\n"))
        return family_keys_fail(p, toml_table_get(table, "unit"), "column %s: unit is at most %d bytes on one line",
                                ret->name, UNIT_MAX);
    if (ret->setting[0] && !family_keys_made_of(ret->setting, FAMILY_KEYS_WORD "."))
        return family_keys_fail(p, toml_table_get(table, "setting"), "setting \"%s\" is not a plain name",
                                ret->setting);
    r = check_column_kind(p, table, ret);
    if (r == 0)
        r = check_column_source(p, table, f, ret);
    if (r < 0)
        return r;
    if (!ret->alternatives && !ret->sql) {
        const char **own = arena_new_array(p->arena, const char *, 2);
        own[0] = ret->name;
        ret->alternatives = own;
    }
    return 0;
}

static int parse_columns(const FamilyParser *p, const TomlTable *root, Family *f)
{
    const TomlArray *list = toml_table_get_array(root, "column");
    if (!list)
        return family_keys_fail(p, NULL, "the family has no columns");
    if (list->count > FAMILY_COLUMNS_MAX)
        return family_keys_fail(p, toml_table_get(root, "column"), "more than %d columns", FAMILY_COLUMNS_MAX);
    FamilyColumn *read = arena_new_array(p->arena, FamilyColumn, list->count);
    FamilyColumn *columns = arena_new_array(p->arena, FamilyColumn, list->count);
    for (size_t i = 0; i < list->count; i++) {
        int r = parse_column(p, list->items[i].as.table, f, &read[i]);
        if (r < 0)
            return r;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(read[k].name, read[i].name) == 0)
                return family_keys_fail(p, toml_table_get(list->items[i].as.table, "name"), "column %s is given twice",
                                        read[i].name);
        }
    }
    for (int labels = 1; labels >= 0; labels--) {
        for (size_t i = 0; i < list->count; i++) {
            if ((read[i].kind == COLUMN_LABEL) == (labels == 1))
                columns[f->column_count++] = read[i];
        }
        if (labels)
            f->label_count = f->column_count;
    }
    f->columns = columns;
    if (f->label_count == f->column_count)
        return family_keys_fail(p, toml_table_get(root, "column"), "the family has labels only");
    return 0;
}

/* --- the family -------------------------------------------------------------------------------------------------- */

static int parse_queries(const FamilyParser *p, const TomlTable *root, Family *f)
{
    const TomlArray *list = toml_table_get_array(root, "query");
    if (!list)
        return 0;
    if (list->count > QUERIES_MAX)
        return family_keys_fail(p, toml_table_get(root, "query"), "more than %d queries", QUERIES_MAX);
    FamilyQuery *queries = arena_new_array(p->arena, FamilyQuery, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const TomlTable *table = list->items[i].as.table;
        int r = family_keys_check(p, table, query_keys, ARRAY_LENGTH(query_keys));
        if (r == 0)
            r = family_keys_integer(p, table, "since", INT_MAX, &queries[i].since);
        if (r == 0)
            r = family_keys_check_sql(p, table, "sql", f);
        if (r < 0)
            return r;
        const TomlValue *first = toml_table_first(table) ? &toml_table_first(table)->value : &list->items[i];
        if (!toml_table_get(table, "sql"))
            return family_keys_fail(p, first, "a query has no sql");
        if (i > 0 && queries[i].since <= queries[i - 1].since)
            return family_keys_fail(p, first, "queries stand in the order of since, and %d does not come after %d",
                                    queries[i].since, queries[i - 1].since);
        queries[i].sql = family_keys_text(p, table, "sql");
    }
    f->queries = queries;
    f->query_count = list->count;
    return 0;
}

static int check_name(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    const TomlValue *name = toml_table_get(root, "name");
    if (!name)
        return family_keys_fail(p, NULL, "the family has no name");
    if (!family_name_is_valid(slice_cstr(f->name)))
        return family_keys_fail(p, name,
                                "name \"%s\" is not valid: lower-case letters, digits, _, at most %d, and no reserved "
                                "word",
                                f->name, FAMILY_NAME_MAX);
    if (!p->named_by_file)
        return 0;
    const char *base = strrchr(p->file_name, '/');
    Slice file = slice_cstr(base ? base + 1 : p->file_name);
    if (slice_ends_with(file, SLICE_LIT(".toml")))
        file.len -= 5;
    if (!slice_eq_cstr(file, f->name))
        return family_keys_fail(p, name, "name \"%s\" is not the file's", f->name);
    return 0;
}

static int check_source(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    static const char *const sql_keys[] = {"from",  "query", "needs",  "needs_setting", "requires", "where", "order",
                                           "limit", "gate",  "before", "roll_up",       "when",     "row_id"};
    if (f->scope == FAMILY_SCOPE_HOST) {
        for (size_t i = 0; i < ARRAY_LENGTH(sql_keys); i++) {
            const TomlValue *v = toml_table_get(root, sql_keys[i]);
            if (v)
                return family_keys_fail(p, v, "%s is not for host families", sql_keys[i]);
        }
        return 0;
    }
    if (!f->from && f->query_count == 0)
        return family_keys_fail(p, NULL, "the family has neither from nor [[query]]");
    if (f->from && f->query_count > 0)
        return family_keys_fail(p, toml_table_get(root, "query"), "give from or [[query]], not both");
    if (f->where[0] && !f->from)
        return family_keys_fail(p, toml_table_get(root, "where"), "where goes with from; put it into the query");
    if (f->epoch && !f->from)
        return family_keys_fail(p, toml_table_get(root, "epoch"), "epoch goes with from");
    for (const char *const *from = f->from; from && *from; from++) {
        if (**from == '\0' || strpbrk(*from, ";'") || strstr(*from, "--"))
            return family_keys_fail(p, toml_table_get(root, "from"), "from = \"%s\" names no relation or function",
                                    *from);
        if (strstr(*from, "{schema}") && f->needs[0] == '\0')
            return family_keys_fail(p, toml_table_get(root, "from"),
                                    "from uses {schema}, but the family needs no extension");
    }
    return 0;
}

/* One block and nothing behind it: what stands in it ends with semicolons, so they cannot be counted. */
static int check_before(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    static const Slice begin = {.ptr = "do $$", .len = 5}, end = {.ptr = "$$", .len = 2};
    const TomlValue *v = toml_table_get(root, "before");
    if (!v)
        return 0;
    Slice block = slice_cstr(f->before);
    bool is_block = slice_starts_with(block, begin) && block.len > begin.len + end.len;
    Slice body = slice_skip(block, begin.len);
    if (!is_block || slice_find(body, end) != (ptrdiff_t)(body.len - end.len))
        return family_keys_fail(p, v, "before is one block: do $$ ... $$");
    return 0;
}

static int check_top(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    size_t counters = 0;
    bool found = f->top_by[0] == '\0';
    for (size_t i = 0; i < f->column_count; i++) {
        bool is_counter = f->columns[i].kind == COLUMN_COUNTER;
        counters += is_counter;
        found |= is_counter && strcmp(f->columns[i].name, f->top_by) == 0;
    }
    if (f->top > 0 && counters == 0)
        return family_keys_fail(p, toml_table_get(root, "top"), "top is for families with counters; see limit");
    if (!found)
        return family_keys_fail(p, toml_table_get(root, "top_by"), "top_by = \"%s\" is no counter of the family",
                                f->top_by);
    if (f->change[0] && (!change_is_valid(f->change) || f->mode != FAMILY_MODE_ROWS))
        return family_keys_fail(p, toml_table_get(root, "change"), "change is a plain name, for families of mode rows");
    return 0;
}

/* What was not read must be what it was: a list of which a part is looked at, or sent whole, does not say that. */
static int check_row_state(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    const TomlValue *v = toml_table_get(root, f->row_id[0] ? "row_id" : "row_state");
    if (!v)
        return 0;
    if (f->row_id[0] == '\0' || !f->row_state)
        return family_keys_fail(p, v, "row_id and row_state go together");
    bool fits = f->mode == FAMILY_MODE_ROWS && f->label_count > 0 && f->limit == 0 &&
                f->keyframe != FAMILY_KEYFRAME_ALWAYS && f->when[0] == '\0' && f->order[0] == '\0' &&
                f->change[0] == '\0';
    if (!fits)
        return family_keys_fail(p, v,
                                "row_id is for families with labels, of mode rows, without limit, order, when, change, "
                                "and keyframe \"always\"");
    for (const char *const *name = f->row_state; *name; name++) {
        if (!family_find_column(f, slice_cstr(*name)))
            return family_keys_fail(p, toml_table_get(root, "row_state"),
                                    "row_state: \"%s\" is no column of the family", *name);
    }
    return 0;
}

/* Rules between keys that only the whole family shows. */
static int check_whole(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    for (size_t i = 0; f->limit > 0 && i < f->column_count; i++) {
        if (f->columns[i].kind == COLUMN_COUNTER)
            return family_keys_fail(p, toml_table_get(root, "limit"),
                                    "limit with a counter (%s): a row that leaves and comes "
                                    "back would count from zero",
                                    f->columns[i].name);
    }
    if (f->mode == FAMILY_MODE_TEXTS && (f->label_count == 0 || f->scope != FAMILY_SCOPE_INSTANCE))
        return family_keys_fail(p, toml_table_get(root, "mode"),
                                "mode \"texts\" is for instance families with a label");
    if (f->mode == FAMILY_MODE_EVENTS && f->scope != FAMILY_SCOPE_HOST)
        return family_keys_fail(p, toml_table_get(root, "mode"), "mode \"events\" is for host families");
    if (f->when[0] && f->mode != FAMILY_MODE_ROWS)
        return family_keys_fail(p, toml_table_get(root, "when"), "when is for families of mode rows");
    if (f->needs[0] && !family_keys_made_of(f->needs, FAMILY_KEYS_WORD "-"))
        return family_keys_fail(p, toml_table_get(root, "needs"), "needs = \"%s\" is not a plain name", f->needs);
    if (f->needs_setting[0] && !family_keys_made_of(f->needs_setting, FAMILY_KEYS_WORD "."))
        return family_keys_fail(p, toml_table_get(root, "needs_setting"), "needs_setting is not a plain name");
    if (f->prometheus[0] && strcmp(f->prometheus, "-") != 0 && !family_keys_made_of(f->prometheus, FAMILY_KEYS_WORD))
        return family_keys_fail(p, toml_table_get(root, "prometheus"), "prometheus = \"%s\" is not a plain name",
                                f->prometheus);
    if (f->help[0] == '\0' || strlen(f->help) > HELP_MAX)
        return family_keys_fail(p, toml_table_get(root, "help"), "help must be there, and at most %d bytes", HELP_MAX);
    int r = check_top(p, root, f);
    if (r == 0)
        r = check_row_state(p, root, f);
    if (r == 0)
        r = family_keys_check_words(p, root, "epoch", f->epoch, FAMILY_KEYS_WORD ".");
    return r < 0 ? r : family_keys_check_words(p, root, "requires", f->required, FAMILY_KEYS_WORD "()");
}

/* Names are made where they are needed; here only their faults are told. */
static int check_metrics(const FamilyParser *p, const TomlTable *root, const Family *f)
{
    const FamilyColumn *order = family_find_column(f, slice_cstr(f->prometheus_order));
    if ((f->prometheus_limit > 0) != (f->prometheus_order[0] != '\0'))
        return family_keys_fail(p,
                                toml_table_get(root, f->prometheus_limit > 0 ? "prometheus_limit" : "prometheus_order"),
                                "prometheus_limit and prometheus_order go together");
    if (f->prometheus_order[0] && (!order || order->type == COLUMN_TEXT))
        return family_keys_fail(p, toml_table_get(root, "prometheus_order"),
                                "prometheus_order is no number of the family");
    _cleanup_(arena_freep) Arena *scratch = arena_new(0);
    FamilyMetrics metrics;
    int r = family_metrics_make(scratch, f, &metrics, p->reterr);
    if (r < 0)
        err_prefix(p->reterr, "%s", p->file_name);
    return r;
}

static int parse_family(const FamilyParser *p, const TomlTable *root, Family *f)
{
    static const char *const scopes[] = {"instance", "database", "host", NULL};
    static const char *const gates[] = {"", "primary", "standby", NULL};
    static const char *const modes[] = {"rows", "texts", "events", NULL};
    static const char *const keyframes[] = {"changed", "always", "daily", NULL};
    static const char *const roll_ups[] = {"partitions", "always", NULL};
    int r = family_keys_check(p, root, family_keys, ARRAY_LENGTH(family_keys));
    if (r < 0)
        return r;
    int scope = family_keys_choice(p, root, "scope", scopes), gate = family_keys_choice(p, root, "gate", gates);
    int mode = family_keys_choice(p, root, "mode", modes),
        keyframe = family_keys_choice(p, root, "keyframe", keyframes);
    int roll_up = family_keys_choice(p, root, "roll_up", roll_ups);
    if (scope < 0 || gate < 0 || mode < 0 || keyframe < 0 || roll_up < 0)
        return -err_code_errno(ERR_CONFIG);
    bool enabled = true;
    (void)toml_table_get_bool(root, "enabled", &enabled); /* stays true when absent */
    *f = (Family){
        .name = family_keys_text(p, root, "name"),
        .help = family_keys_text(p, root, "help"),
        .scope = (FamilyScope)scope,
        .gate = (FamilyGate)gate,
        .mode = (FamilyMode)mode,
        .keyframe = (FamilyKeyframe)keyframe,
        .roll_up = (FamilyRollUp)roll_up,
        .before = family_keys_text(p, root, "before"),
        .change = family_keys_text(p, root, "change"),
        .top_by = family_keys_text(p, root, "top_by"),
        .when = family_keys_text(p, root, "when"),
        .enabled = enabled,
        .from = family_keys_list(p, root, "from"),
        .needs = family_keys_text(p, root, "needs"),
        .needs_setting = family_keys_text(p, root, "needs_setting"),
        .required = family_keys_list(p, root, "requires"),
        .where = family_keys_text(p, root, "where"),
        .order = family_keys_text(p, root, "order"),
        .prometheus = family_keys_text(p, root, "prometheus"),
        .prometheus_order = family_keys_text(p, root, "prometheus_order"),
        .epoch = family_keys_list(p, root, "epoch"),
        .row_id = family_keys_text(p, root, "row_id"),
        .row_state = family_keys_list(p, root, "row_state"),
    };
    r = check_name(p, root, f);
    if (r == 0)
        r = family_keys_integer(p, root, "interval", INTERVAL_MAX_S, &f->interval_seconds);
    if (r == 0)
        r = family_keys_integer(p, root, "limit", LIMIT_MAX, &f->limit);
    if (r == 0)
        r = family_keys_integer(p, root, "top", LIMIT_MAX, &f->top);
    if (r == 0)
        r = check_before(p, root, f);
    if (r == 0)
        r = family_keys_integer(p, root, "prometheus_limit", LIMIT_MAX, &f->prometheus_limit);
    if (r == 0)
        r = family_keys_check_sql(p, root, "where", f);
    if (r == 0)
        r = family_keys_check_sql(p, root, "order", f);
    if (r == 0)
        r = family_keys_check_sql(p, root, "when", f);
    if (r == 0)
        r = family_keys_check_sql(p, root, "row_id", f);
    if (r == 0)
        r = parse_queries(p, root, f);
    if (r == 0)
        r = check_source(p, root, f);
    if (r == 0)
        r = parse_columns(p, root, f);
    if (r == 0)
        r = check_whole(p, root, f);
    return r < 0 ? r : check_metrics(p, root, f);
}

int family_parse(Arena *arena, const char *file_name, Slice text, Family *ret, Err *reterr)
{
    FamilyParser p = {.arena = arena, .file_name = file_name, .named_by_file = true, .reterr = reterr};
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    int r = toml_parse(text, NULL, &doc, reterr);
    if (r < 0) {
        err_prefix(reterr, "%s", file_name);
        return err_trace(r);
    }
    return err_trace(parse_family(&p, toml_root(doc), ret));
}

int family_parse_table(Arena *arena, const char *label, const TomlTable *table, Family *ret, Err *reterr)
{
    FamilyParser p = {.arena = arena, .file_name = label, .reterr = reterr};
    return err_trace(parse_family(&p, table, ret));
}
