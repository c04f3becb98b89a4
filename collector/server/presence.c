/* SPDX-License-Identifier: PostgreSQL */
/* See presence.h. A statement of conditions that is refused is not run again: it would be a line in the server's log at
 * each tick. */
#include "collector/server/presence.h"

#include <assert.h>

#include "collector/reading/series.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#define READ_ANYWAY_INTERVAL (15 * 60 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT    (5 * USEC_PER_SEC)

struct Presence {
    Buf sql;
    const Family *families[CATALOG_FAMILIES_MAX]; /* in the order of the conditions */
    bool absent[CATALOG_FAMILIES_MAX];            /* its condition is false in this tick */
    size_t count;
    bool refused;
    Map *empty; /* "family\0database" -> Usec (heap): read then (monotonic), and without rows */
};

Presence *presence_new(void)
{
    Presence *p = mem_alloc(sizeof(*p));
    p->empty = map_new(free);
    return p;
}

Presence *presence_free(Presence *p)
{
    if (!p)
        return NULL;
    buf_done(&p->sql);
    map_free(p->empty);
    free(p);
    return NULL;
}

void presence_add(Presence *p, const ResolvedFamily *family)
{
    if (!family->when)
        return;
    assert(p->count < CATALOG_FAMILIES_MAX); /* one for each family of a catalog */
    buf_printf(&p->sql, "%s (%s)", p->count ? "," : "select", family->when);
    p->families[p->count++] = family->family;
}

static void on_conditions_begin(void *arg)
{
    Presence *p = arg;
    memset(p->absent, 0, sizeof(p->absent));
}

static int on_conditions(void *arg, const PGresult *result, int row)
{
    Presence *p = arg;
    for (size_t i = 0; i < p->count && i < (size_t)PQnfields(result); i++)
        p->absent[i] = !PQgetisnull(result, row, (int)i) && PQgetvalue(result, row, (int)i)[0] == 'f';
    return 0;
}

static void on_conditions_end(void *arg, const PgStepEnd *end)
{
    Presence *p = arg;
    bool is_refusal = strncmp(end->err->sqlstate, "42", 2) == 0 || strncmp(end->err->sqlstate, "0A", 2) == 0;
    if (end->result == 0 || !is_refusal)
        return;
    p->refused = true;
    log_warn("conditions of families were refused, all are read at each of their intervals", log_error_field(end->err));
}

bool presence_step(Presence *p, PgStep *ret)
{
    if (p->count == 0 || p->refused)
        return false;
    *ret = (PgStep){
        .query = {.sql = buf_cstr(&p->sql), .timeout = STATEMENT_TIMEOUT, .prepared_name = "presence"},
        .one_piece = true,
        .arg = p,
        .on_begin = on_conditions_begin,
        .on_row = on_conditions,
        .on_end = on_conditions_end,
    };
    return true;
}

static bool is_absent(const Presence *p, const Family *family)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->families[i] == family)
            return p->absent[i];
    }
    return false;
}

void presence_note(Presence *p, const Family *family, const char *database, bool failed, size_t rows, Usec now)
{
    if (!family->when[0])
        return;
    _cleanup_buf_ Buf key = BUF_INIT;
    series_append_key(&key, family->name, database);
    if (failed || rows > 0) {
        free(map_take(p->empty, buf_slice(&key)));
        return;
    }
    Usec *read_at = mem_alloc(sizeof(*read_at));
    *read_at = now;
    map_put(p->empty, buf_slice(&key), read_at);
}

bool presence_is_empty(const Presence *p, const Family *family, const char *database, Usec now)
{
    if (!is_absent(p, family))
        return false;
    _cleanup_buf_ Buf key = BUF_INIT;
    series_append_key(&key, family->name, database);
    const Usec *read_at = map_get(p->empty, buf_slice(&key));
    return read_at && now < *read_at + READ_ANYWAY_INTERVAL;
}
