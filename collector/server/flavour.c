/* SPDX-License-Identifier: PostgreSQL */
/* See flavour.h. A row a flavour; FLAVOUR_AUTO stands for what is not known yet. */
#include "collector/server/flavour.h"

#include <assert.h>

static const struct {
    const char *before, *after; /* the name of a setting goes in between */
} SET_ON[] = {
    [FLAVOUR_AUTO] = {"alter system set ", " = on; select pg_reload_conf()"},
    [FLAVOUR_POSTGRES] = {"alter system set ", " = on; select pg_reload_conf()"},
    [FLAVOUR_AWS] = {"set ", " = 1 in the parameter group of the instance or cluster"},
    [FLAVOUR_GCP] = {"gcloud sql instances patch INSTANCE --database-flags=",
                     "=on (with all flags that are set already)"},
    [FLAVOUR_AZURE] = {"az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name ",
                       " --value on"},
};
static_assert(ARRAY_LENGTH(SET_ON) == _FLAVOUR_MAX, "a row for each flavour");

/* In the order of Flavour. The names that begin with rds., cloudsql. and azure. are settings of these services only. */
static const char LOOK_SQL[] = "select case"
                               " when exists (select from pg_catalog.pg_roles where rolname = 'rds_superuser')"
                               "  or pg_catalog.current_setting('rds.extensions', true) is not null"
                               "  or exists (select from pg_catalog.pg_settings where name like 'rds.%') then 2"
                               " when exists (select from pg_catalog.pg_roles where rolname = 'cloudsqlsuperuser')"
                               "  or pg_catalog.current_setting('cloudsql.logical_decoding', true) is not null"
                               "  or exists (select from pg_catalog.pg_settings where name like 'cloudsql.%') then 3"
                               " when exists (select from pg_catalog.pg_roles where rolname = 'azure_pg_admin')"
                               "  or pg_catalog.current_setting('azure.extensions', true) is not null"
                               "  or exists (select from pg_catalog.pg_settings where name like 'azure.%') then 4"
                               " else 1 end";

int flavour_look(PgConn *conn, Usec timeout, Flavour *ret, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    const PgQuery query = {.sql = LOOK_SQL, .shape = PG_SHAPE_ONE, .timeout = timeout};
    const int r = pg_conn_query(conn, &query, &row, reterr);
    if (r < 0)
        return err_trace(r);
    int64_t number;
    const bool known =
        slice_to_int64(slice_cstr(PQgetvalue(row, 0, 0)), &number) && number > 0 && number < _FLAVOUR_MAX;
    *ret = known ? (Flavour)number : FLAVOUR_POSTGRES;
    return 0;
}

void flavour_append_set_on(Flavour flavour, const char *name, Buf *out)
{
    buf_printf(out, "%s%s%s", SET_ON[flavour].before, name, SET_ON[flavour].after);
}
