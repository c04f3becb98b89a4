/* SPDX-License-Identifier: PostgreSQL */
/*
 * Test program: connects to a server as the collector does, resolves every built-in family against it, runs each one in
 * a read-only transaction, and prints what came of it as JSON: {"version_num", "in_recovery", ..., "families":
 * [{"name", "absent" | "error" | {"columns", "rows", "ms", "sql", "when"}}]}. Exit 0 unless the server itself could not
 * be read.
 *
 *   family_probe CONNINFO [settings...]
 */
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/catalog/resolve.h"
#include "lib/pg/conn.h"
#include "lib/pg/facts.h"

typedef struct Probe {
    PgConn *conn;
    const PgFacts *facts;
    Arena *arena;
    Buf *out;
} Probe;

static void put_string(Buf *out, const char *name, const char *value)
{
    buf_append_json_string(out, slice_cstr(name));
    buf_append_cstr(out, ": ");
    if (value)
        buf_append_json_string(out, slice_cstr(value));
    else
        buf_append_cstr(out, "null");
}

/* Everything as text or null: the test checks what is a number. */
static void put_rows(Buf *out, const PGresult *rows)
{
    buf_append_cstr(out, ", \"rows\": [");
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_append_cstr(out, i ? ", [" : "[");
        for (int k = 0; k < PQnfields(rows); k++) {
            buf_append_cstr(out, k ? ", " : "");
            if (PQgetisnull(rows, i, k))
                buf_append_cstr(out, "null");
            else
                buf_append_json_string(out, slice_cstr(PQgetvalue(rows, i, k)));
        }
        buf_append_char(out, ']');
    }
    buf_append_char(out, ']');
}

static void put_columns(Buf *out, const ResolvedFamily *r)
{
    buf_append_cstr(out, ", \"columns\": [");
    for (size_t i = 0; i < r->column_count; i++) {
        const FamilyColumn *c = r->columns[i];
        buf_append_cstr(out, i ? ", {" : "{");
        put_string(out, "name", c->name);
        buf_append_cstr(out, ", ");
        put_string(out, "kind", column_kind_to_string(c->kind));
        buf_append_cstr(out, ", ");
        put_string(out, "type", column_type_to_string(c->type));
        buf_append_char(out, '}');
    }
    buf_printf(out, "], \"labels\": %zu, \"has_epoch\": %s", r->label_count, r->has_epoch ? "true" : "false");
}

static int run_family(const Probe *p, const ResolvedFamily *r, PGresult **ret, Err *reterr)
{
    int result = pg_conn_command(p->conn, "begin transaction read only", 0, reterr);
    if (result >= 0 && r->family->before[0])
        result = pg_conn_command(p->conn, r->family->before, 0, reterr);
    if (result < 0)
        return result;
    /* The ids of texts; of states none is known. */
    static const char *const ids[] = {"{0,1,-1}"}, *const known[] = {"{}", "{}"};
    const bool texts = r->family->mode == FAMILY_MODE_TEXTS;
    PgQuery query = {.sql = r->sql,
                     .shape = PG_SHAPE_ROWS,
                     .params = texts ? ids : known,
                     .param_count = texts          ? 1
                                    : r->has_state ? ARRAY_LENGTH(known)
                                                   : 0};
    result = pg_conn_query(p->conn, &query, ret, reterr);
    int ended = pg_conn_command(p->conn, result < 0 ? "rollback" : "commit", 0, result < 0 ? NULL : reterr);
    return result < 0 ? result : ended;
}

/* Whether the family's condition holds; null without one. */
static int put_condition(const Probe *p, const ResolvedFamily *r, Err *reterr)
{
    const char *holds = "null";
    if (r->when) {
        _cleanup_buf_ Buf sql = BUF_INIT;
        _cleanup_pgresult_ PGresult *row = NULL;
        buf_printf(&sql, "select (%s)", r->when);
        PgQuery query = {.sql = buf_cstr(&sql), .shape = PG_SHAPE_ONE};
        int result = pg_conn_query(p->conn, &query, &row, reterr);
        if (result < 0)
            return result;
        holds = PQgetvalue(row, 0, 0)[0] == 't' ? "true" : "false";
    }
    buf_printf(p->out, ", \"when\": %s", holds);
    return 0;
}

static void probe_family(const Probe *p, const Family *family)
{
    Err err = ERR_INIT;
    ResolvedFamily resolved;
    const char *reason = NULL;
    buf_append_char(p->out, '{');
    put_string(p->out, "name", family->name);
    int r = family_resolve(family, p->facts, p->arena, &resolved, &reason, &err);
    if (r == RESOLVE_ABSENT) {
        buf_append_cstr(p->out, ", ");
        put_string(p->out, "absent", reason);
    } else if (r == RESOLVE_OK && !resolved.sql) {
        buf_append_cstr(p->out, ", \"host\": true");
    } else {
        _cleanup_pgresult_ PGresult *rows = NULL;
        Usec started = clock_monotonic();
        if (r == RESOLVE_OK)
            r = run_family(p, &resolved, &rows, &err);
        if (r >= 0)
            r = put_condition(p, &resolved, &err);
        buf_append_cstr(p->out, ", ");
        put_string(p->out, "sql", resolved.sql);
        buf_printf(p->out, ", \"ms\": %.3f, \"error\": ", (double)(clock_monotonic() - started) / 1000);
        if (r < 0) {
            buf_append_json_string(p->out, slice_cstr(err.detail));
        } else {
            buf_append_cstr(p->out, "null");
            put_columns(p->out, &resolved);
            put_rows(p->out, rows);
        }
    }
    buf_append_char(p->out, '}');
}

static int probe(const PgConnOptions *options, Buf *out, Err *reterr)
{
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    int r = catalog_new_builtin(&catalog, reterr);
    if (r < 0)
        return r;
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    r = pg_conn_open(&conn, options, reterr);
    if (r < 0)
        return r;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PgFacts facts;
    Usec started = clock_monotonic();
    r = pg_facts_read(conn, arena, &facts, reterr);
    if (r < 0)
        return r;

    buf_printf(out,
               "{\"version_num\": %d, \"in_recovery\": %s, \"has_pg_monitor\": %s, \"is_superuser\": %s, "
               "\"system_identifier\": \"%llu\", \"timeline\": %u, \"facts_ms\": %.3f, \"families\": [",
               facts.version_num, facts.in_recovery ? "true" : "false", facts.has_pg_monitor ? "true" : "false",
               facts.is_superuser ? "true" : "false", (unsigned long long)facts.system_identifier, facts.timeline,
               (double)(clock_monotonic() - started) / 1000);
    Probe p = {.conn = conn, .facts = &facts, .arena = arena, .out = out};
    for (size_t i = 0; i < catalog_count(catalog); i++) {
        buf_append_cstr(out, i ? ",\n" : "\n");
        probe_family(&p, catalog_at(catalog, i));
    }
    buf_append_cstr(out, "]}\n");
    pg_facts_done(&facts);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: family_probe CONNINFO [name=value...]\n");
        return 2;
    }
    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;
    PgConnOptions options = {.conninfo = argv[1], .settings = (const char *const *)(argv + 2)};
    if (probe(&options, &out, &err) < 0) {
        (void)fprintf(stderr, "family_probe: %s\n", err.detail);
        return 1;
    }
    (void)fwrite(out.ptr, 1, out.len, stdout); /* a short write shows as broken JSON */
    return 0;
}
