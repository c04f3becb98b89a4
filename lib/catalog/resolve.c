/* SPDX-License-Identifier: PostgreSQL */
/*
 * Builds the one statement of a family for one server:
 *
 *   select coalesce((label)::text, '') as "label", ..., (value)::int8 as "value", ... [, (epoch)::text as "epoch"]
 *          [, (roll_up)::text as "rolled_1", ... for each label]
 *   from SOURCE [where ...] [order by ...] [limit n]
 *
 * where SOURCE is the first of the family's relations that the server has, or the hand-written query for its version.
 * Only what the facts say is there is named, so that the statement never fails for a missing column. With a row_id
 * rows that are known as they are are left out (row_state.h). Pure, any thread.
 */
#include "lib/catalog/resolve.h"

#include <assert.h>

#include "lib/base/buf.h"
#include "lib/catalog/row_state.h"

enum { SOURCES_MAX = 8 };

/* A relation or function named in a FROM text. */
typedef struct Source {
    Slice name; /* without schema */
    bool is_function;
} Source;

typedef struct Resolver {
    const Family *family;
    const PgFacts *facts;
    Arena *arena;
    Source sources[SOURCES_MAX];
    size_t source_count;
    Slice schema; /* of the extension, quoted; absent without one */
    const char *reason;
} Resolver;

/* --- FROM texts -------------------------------------------------------------------------------------------------- */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '{' || c == '}';
}

static Slice next_word(Slice *rest)
{
    while (rest->len > 0 && !is_word_char(rest->ptr[0]))
        *rest = slice_skip(*rest, 1);
    size_t n = 0;
    while (n < rest->len && is_word_char(rest->ptr[n]))
        n++;
    Slice word = slice_from(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    return word;
}

/* Skips "(...)" at the front of @rest, if that is what stands there. */
static bool skip_subselect(Slice *rest)
{
    Slice after = slice_trim(*rest);
    if (after.len == 0 || after.ptr[0] != '(')
        return false;
    size_t depth = 0, i = 0;
    do {
        depth += after.ptr[i] == '(';
        depth -= after.ptr[i] == ')';
        i++;
    } while (depth > 0 && i < after.len);
    *rest = slice_skip(after, i);
    return true;
}

/* Finds what stands first, after "join" and after "join lateral": "a", "{schema}.f(false) s", "a join b using (x)". A
 * subselect is not looked into. */
static void find_sources(Resolver *r, const char *from)
{
    r->source_count = 0;
    bool wanted = true;
    for (Slice rest = slice_cstr(from);;) {
        if (wanted && skip_subselect(&rest))
            wanted = false;
        Slice word = next_word(&rest);
        if (word.len == 0)
            return;
        if (slice_eq_cstr(word, "join")) {
            wanted = true;
        } else if (wanted && !slice_eq_cstr(word, "lateral") && r->source_count < SOURCES_MAX) {
            for (ptrdiff_t dot; (dot = slice_find(word, SLICE_LIT("."))) >= 0;)
                word = slice_skip(word, (size_t)dot + 1);
            Slice after = slice_trim(rest);
            r->sources[r->source_count++] = (Source){
                .name = word,
                .is_function = after.len > 0 && after.ptr[0] == '(' && !slice_starts_with(rest, SLICE_LIT(" ")),
            };
            wanted = false;
        }
    }
}

static bool source_exists(const Resolver *r, const Source *s)
{
    return s->is_function ? pg_facts_has_function(r->facts, s->name) : pg_facts_has_relation(r->facts, s->name);
}

/* The first source that is missing; NULL when all are there. */
static const Source *missing_source(const Resolver *r)
{
    for (size_t i = 0; i < r->source_count; i++) {
        if (!source_exists(r, &r->sources[i]))
            return &r->sources[i];
    }
    return NULL;
}

/* A function's columns are known when a view of the same name shows them (pg_stat_statements); else they are trusted.
 */
static bool source_has_column(const Resolver *r, const Source *s, Slice column)
{
    if (s->is_function && !pg_facts_has_relation(r->facts, s->name))
        return true;
    return pg_facts_has_column(r->facts, s->name, column);
}

/* @column may be qualified with an alias. */
static bool has_column(const Resolver *r, const char *column)
{
    const char *dot = strrchr(column, '.');
    Slice name = slice_cstr(dot ? dot + 1 : column);
    for (size_t i = 0; i < r->source_count; i++) {
        if (source_has_column(r, &r->sources[i], name))
            return true;
    }
    return false;
}

/* What an expression needs: a column, or "function()". */
static bool has_needed(const Resolver *r, const char *needed)
{
    Slice name = slice_cstr(needed);
    if (!slice_ends_with(name, SLICE_LIT("()")))
        return has_column(r, needed);
    name.len -= 2;
    return pg_facts_has_function(r->facts, name);
}

/* --- what the server must have ----------------------------------------------------------------------------------- */

static int absent(Resolver *r, const char *format, ...) PRINTF_LIKE(2, 3);
static int absent(Resolver *r, const char *format, ...)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    r->reason = arena_dup(r->arena, buf_slice(&text)).ptr;
    return RESOLVE_ABSENT;
}

static const char *server_name(const Resolver *r)
{
    return arena_printf(r->arena, "PostgreSQL %d", r->facts->version_num / 10000);
}

static int check_extension(Resolver *r)
{
    const Family *f = r->family;
    if (f->needs[0]) {
        const PgExtension *e = pg_facts_extension(r->facts, slice_cstr(f->needs));
        if (!e)
            return absent(r,
                          "extension %s is not installed in database \"%s\"; as a superuser there: create extension %s",
                          f->needs, r->facts->database, f->needs);
        _cleanup_buf_ Buf schema = BUF_INIT;
        pg_quote_identifier(&schema, slice_cstr(e->schema));
        r->schema = arena_dup(r->arena, buf_slice(&schema));
    }
    if (f->needs_setting[0] && !map_has(r->facts->settings, slice_cstr(f->needs_setting))) {
        const char *library = f->needs[0] ? f->needs : f->name;
        return absent(r, "the library %s is not loaded; add it to shared_preload_libraries and restart the server",
                      library);
    }
    return RESOLVE_OK;
}

/* All that this family misses is there for others: the statements that let this role use it, too. */
static int denied(Resolver *r, const char *name, const char *grants)
{
    return absent(r, "this role may not use %s; as a superuser in database \"%s\": %s", name, r->facts->database,
                  grants);
}

static bool has_required(const Resolver *r, Slice name)
{
    bool is_function = slice_ends_with(name, SLICE_LIT("()"));
    if (is_function)
        name.len -= 2;
    const Source source = {.name = name, .is_function = is_function};
    return source_exists(r, &source);
}

static int check_required(Resolver *r)
{
    _cleanup_buf_ Buf grants = BUF_INIT;
    const char *first = NULL;
    for (const char *const *name = r->family->required; name && *name; name++) {
        if (has_required(r, slice_cstr(*name)))
            continue;
        const char *grant = pg_facts_grant(r->facts, slice_cstr(*name));
        if (!grant)
            return absent(r, "%s has no %s for this role", server_name(r), *name);
        buf_printf(&grants, "%s%s", first ? "; " : "", grant);
        first = first ? first : *name;
    }
    return first ? denied(r, first, buf_cstr(&grants)) : RESOLVE_OK;
}

static int check_server(Resolver *r)
{
    const Family *f = r->family;
    if (f->gate == FAMILY_GATE_PRIMARY && r->facts->in_recovery)
        return absent(r, "only a primary has it, and this server is a standby");
    if (f->gate == FAMILY_GATE_STANDBY && !r->facts->in_recovery)
        return absent(r, "only a standby has it, and this server is a primary");
    int result = check_required(r);
    return result == RESOLVE_OK ? check_extension(r) : result;
}

/* The FROM text; NULL with r->reason set. */
static const char *choose_from(Resolver *r)
{
    for (const char *const *from = r->family->from; *from; from++) {
        find_sources(r, *from);
        if (!missing_source(r))
            return *from;
    }
    const Source *missing = missing_source(r);
    const char *called = arena_printf(r->arena, "%.*s%s", SLICE_ARG(missing->name), missing->is_function ? "()" : "");
    const char *grant = pg_facts_grant(r->facts, slice_cstr(called));
    if (grant) {
        (void)denied(r, called, grant);
        return NULL;
    }
    const PgExtension *e = pg_facts_extension(r->facts, slice_cstr(r->family->needs));
    const char *kind = missing->is_function ? "function" : "relation";
    if (e && e->default_version && strcmp(e->version, e->default_version) != 0)
        (void)absent(r, "extension %s %s has no %s %.*s; version %s may: alter extension %s update", r->family->needs,
                     e->version, kind, SLICE_ARG(missing->name), e->default_version, r->family->needs);
    else
        (void)absent(r, "%s has no %s %.*s for this role", server_name(r), kind, SLICE_ARG(missing->name));
    return NULL;
}

static const char *choose_query(Resolver *r)
{
    const Family *f = r->family;
    const char *sql = NULL;
    for (size_t i = 0; i < f->query_count; i++) {
        if (f->queries[i].since <= r->facts->version_num)
            sql = f->queries[i].sql;
    }
    if (!sql)
        (void)absent(r, "it needs PostgreSQL %d or newer", f->queries[0].since / 10000);
    return sql;
}

/* --- the statement ----------------------------------------------------------------------------------------------- */

/* Appends @sql with {schema} replaced. */
static void append_sql(const Resolver *r, Buf *out, const char *sql)
{
    static const Slice mark = {.ptr = "{schema}", .len = 8};
    Slice rest = slice_cstr(sql);
    for (ptrdiff_t at; (at = slice_find(rest, mark)) >= 0;) {
        buf_append(out, slice_from(rest.ptr, (size_t)at));
        buf_append(out, r->schema);
        rest = slice_skip(rest, (size_t)at + mark.len);
    }
    buf_append(out, rest);
}

static void append_name(Buf *out, const char *column)
{
    if (strchr(column, '.')) /* qualified: checked to be plain words when the family was read */
        buf_append_cstr(out, column);
    else
        pg_quote_identifier(out, slice_cstr(column));
}

/* Appends where the value comes from; false when this server cannot give it. */
static bool append_source(const Resolver *r, Buf *out, const FamilyColumn *c)
{
    if (!r->family->from) {
        append_name(out, c->name);
        return true;
    }
    bool found = c->sql != NULL;
    for (const char *const *need = c->required; found && need && *need; need++)
        found = has_needed(r, *need);
    if (found) {
        append_sql(r, out, c->sql);
        return true;
    }
    for (const char *const *name = c->alternatives; name && *name; name++) {
        if (has_column(r, *name)) {
            append_name(out, *name);
            return true;
        }
    }
    if (c->otherwise)
        append_sql(r, out, c->otherwise);
    return c->otherwise != NULL;
}

static const char *cast_before(const char *cast)
{
    if (strcmp(cast, "epoch") == 0 || strcmp(cast, "epoch_ms") == 0 || strcmp(cast, "ms") == 0)
        return "date_part('epoch', "; /* extract() is numeric from 14 on, and slow to cast */
    return "";
}

static const char *cast_after(const char *cast)
{
    if (strcmp(cast, "epoch") == 0)
        return ")";
    if (strcmp(cast, "epoch_ms") == 0 || strcmp(cast, "ms") == 0)
        return ") * 1000";
    if (strcmp(cast, "lsn") == 0)
        return " - '0/0'::pg_lsn";
    return strcmp(cast, "bool") == 0 ? "::int" : "";
}

/* false: the server does not have this column, and nothing was appended. */
static bool append_column(const Resolver *r, Buf *out, const FamilyColumn *c)
{
    _cleanup_buf_ Buf source = BUF_INIT;
    if (!append_source(r, &source, c))
        return false;
    if (out->len)
        buf_append_cstr(out, ",\n       ");
    if (c->kind == COLUMN_LABEL)
        buf_append_cstr(out, "coalesce(");
    /* Asked of the server each time: a setting may change while we are connected. As a subselect it is asked once for
     * all rows. */
    if (c->setting[0])
        buf_printf(out, "case when (select current_setting('%s', true) = 'on') then ", c->setting);
    if (c->cast[0])
        buf_printf(out, "(%s(%s)%s)", cast_before(c->cast), buf_cstr(&source), cast_after(c->cast));
    else
        buf_printf(out, "(%s)", buf_cstr(&source));
    buf_printf(out, "::%s", column_type_to_string(c->type));
    if (c->setting[0])
        buf_append_cstr(out, " end");
    if (c->kind == COLUMN_LABEL)
        buf_append_cstr(out, ", '')");
    buf_append_cstr(out, " as ");
    pg_quote_identifier(out, slice_cstr(c->name));
    return true;
}

static void append_epoch(const Resolver *r, Buf *out, ResolvedFamily *ret)
{
    for (const char *const *name = r->family->epoch; name && *name && !ret->has_epoch; name++) {
        if (!has_column(r, *name))
            continue;
        buf_append_cstr(out, ",\n       (");
        append_name(out, *name);
        buf_append_cstr(out, ")::text as \"epoch\"");
        ret->has_epoch = true;
    }
}

static void append_roll_up(const Resolver *r, Buf *out, ResolvedFamily *ret)
{
    const Family *f = r->family;
    for (size_t i = 0; i < f->label_count; i++)
        ret->has_roll_up |= f->columns[i].roll_up != NULL;
    for (size_t i = 0; ret->has_roll_up && i < f->label_count; i++) {
        buf_append_cstr(out, ",\n       (");
        append_sql(r, out, f->columns[i].roll_up ? f->columns[i].roll_up : "null");
        buf_printf(out, ")::text as \"rolled_%zu\"", i + 1);
    }
}

/* Whether a column can be told at all is part of every row's id. */
static void append_settings(const Resolver *r, Buf *out)
{
    const Family *f = r->family;
    for (size_t i = 0; i < f->column_count; i++) {
        const char *setting = f->columns[i].setting;
        bool is_first = setting[0] != '\0';
        for (size_t k = 0; k < i && is_first; k++)
            is_first = strcmp(f->columns[k].setting, setting) != 0;
        if (is_first)
            buf_printf(out, "%sconcat(current_setting('%s', true))", out->len ? " || ' ' || " : "", setting);
    }
}

/* What tells this row from others, as a column of its own; NULL where the row has no id. */
static void append_id(const Resolver *r, Buf *out)
{
    if (r->family->row_id[0] == '\0')
        return;
    _cleanup_buf_ Buf settings = BUF_INIT;
    append_settings(r, &settings);
    buf_printf(out, ",\n       hashint8extended((select hashtextextended(%s, 0)), (",
               settings.len ? buf_cstr(&settings) : "''");
    append_sql(r, out, r->family->row_id);
    buf_append_cstr(out, ")::int8) as \"id\"");
}

static int resolve_columns(Resolver *r, Buf *out, ResolvedFamily *ret)
{
    const Family *f = r->family;
    const FamilyColumn **columns = arena_new_array(r->arena, const FamilyColumn *, f->column_count);
    for (size_t i = 0; i < f->column_count; i++) {
        const FamilyColumn *c = &f->columns[i];
        if (append_column(r, out, c))
            columns[ret->column_count++] = c;
        else if (c->kind == COLUMN_LABEL)
            return absent(r, "%s cannot tell the label %s", server_name(r), c->name);
    }
    ret->columns = columns;
    ret->label_count = f->label_count;
    if (ret->column_count == ret->label_count)
        return absent(r, "%s has none of its columns", server_name(r));
    append_epoch(r, out, ret);
    append_roll_up(r, out, ret);
    append_id(r, out);
    return RESOLVE_OK;
}

/* Each relation and function behind a FROM of the condition is one that the server has. */
static bool condition_is_known(const Resolver *r, const char *condition)
{
    Slice rest = slice_cstr(condition);
    for (ptrdiff_t at; (at = slice_find(rest, SLICE_LIT(" from "))) >= 0;) {
        rest = slice_skip(rest, (size_t)at + strlen(" from "));
        Slice word = next_word(&rest);
        Source source = {.name = word, .is_function = rest.len > 0 && rest.ptr[0] == '('};
        if (!source_exists(r, &source))
            return false;
    }
    return true;
}

static int resolve_statement(Resolver *r, ResolvedFamily *ret)
{
    const Family *f = r->family;
    const char *source = f->from ? choose_from(r) : choose_query(r);
    if (!source)
        return RESOLVE_ABSENT;
    _cleanup_buf_ Buf columns = BUF_INIT;
    int result = resolve_columns(r, &columns, ret);
    if (result != RESOLVE_OK)
        return result;

    _cleanup_buf_ Buf sql = BUF_INIT;
    buf_printf(&sql, "select %s\n  from ", buf_cstr(&columns));
    if (!f->from)
        buf_append_cstr(&sql, "(\n");
    append_sql(r, &sql, source);
    if (!f->from)
        buf_append_cstr(&sql, "\n) as family");
    if (f->where[0]) {
        buf_append_cstr(&sql, "\n where ");
        append_sql(r, &sql, f->where);
    }
    if (f->order[0]) {
        buf_append_cstr(&sql, "\n order by ");
        append_sql(r, &sql, f->order);
    }
    if (f->limit > 0)
        buf_printf(&sql, "\n limit %d", f->limit);
    if (f->row_id[0])
        row_state_leave_out_known(&sql, ret);
    ret->sql = arena_dup(r->arena, buf_slice(&sql)).ptr;
    if (f->when[0] && condition_is_known(r, f->when)) {
        buf_clear(&sql);
        append_sql(r, &sql, f->when);
        ret->when = arena_dup(r->arena, buf_slice(&sql)).ptr;
    }
    return RESOLVE_OK;
}

static void resolve_host(const Family *f, Arena *arena, ResolvedFamily *ret)
{
    const FamilyColumn **columns = arena_new_array(arena, const FamilyColumn *, f->column_count);
    for (size_t i = 0; i < f->column_count; i++)
        columns[i] = &f->columns[i];
    ret->columns = columns;
    ret->column_count = f->column_count;
    ret->label_count = f->label_count;
}

int family_resolve(const Family *family, const PgFacts *facts, Arena *arena, ResolvedFamily *ret,
                   const char **ret_reason, Err *reterr)
{
    (void)reterr; /* what can fail was checked when the family was read */
    *ret = (ResolvedFamily){.family = family};
    *ret_reason = NULL;
    if (family->scope == FAMILY_SCOPE_HOST) {
        resolve_host(family, arena, ret);
        return RESOLVE_OK;
    }
    Resolver r = {.family = family, .facts = facts, .arena = arena};
    int result = check_server(&r);
    if (result == RESOLVE_OK)
        result = resolve_statement(&r, ret);
    if (result == RESOLVE_ABSENT) {
        *ret = (ResolvedFamily){.family = family};
        *ret_reason = r.reason;
    }
    return result;
}
