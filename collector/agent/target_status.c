/* SPDX-License-Identifier: PostgreSQL */
/* See target_status.h. The target's thread. */
#include "collector/agent/target_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <yyjson.h>

enum { TEXT_MAX = 600 };

static void put_text(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    while (len > TEXT_MAX || (len == TEXT_MAX && ((unsigned char)text[len] & 0xc0) == 0x80))
        len = len > TEXT_MAX ? TEXT_MAX : len - 1; /* not in the middle of a character */
    if (text)
        (void)yyjson_mut_obj_add_strncpy(doc, object, key, text, len); /* fails without memory only: left out */
}

/* "15.20"; versions before 10 are not read. */
static void put_version(yyjson_mut_doc *doc, yyjson_mut_val *server, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%" PRId64 ".%" PRId64, number / 10000, number % 10000); /* fits */
    if (number > 0)
        put_text(doc, server, "version", text);
}

typedef struct Lists {
    yyjson_mut_val *failing, *missing;
    uint64_t read, failing_count, missing_count;
} Lists;

static void add_line(yyjson_mut_doc *doc, yyjson_mut_val *list, const char *family, const char *reason,
                     const char *hint)
{
    if (yyjson_mut_arr_size(list) >= TARGET_STATUS_LINES_MAX)
        return;
    yyjson_mut_val *line = yyjson_mut_arr_add_obj(doc, list);
    put_text(doc, line, "family", family);
    put_text(doc, line, "reason", reason);
    put_text(doc, line, "hint", hint && hint[0] ? hint : NULL);
}

static void add_family(yyjson_mut_doc *doc, Lists *lists, const FamilyState *f)
{
    if (!f->available && f->reason) {
        lists->missing_count++;
        add_line(doc, lists->missing, f->family->name, f->reason, NULL);
    } else if (f->last_error) {
        lists->failing_count++;
        add_line(doc, lists->failing, f->family->name, f->last_error->detail, f->last_error->hint);
    } else if (f->runs > 0) {
        lists->read++;
    }
}

/* Those with the highest share of all SQL time, the dearest first. */
static void put_dearest(yyjson_mut_doc *doc, yyjson_mut_val *cost, const Session *session)
{
    const FamilyState *dearest[TARGET_STATUS_DEAREST] = {NULL};
    const FamilyState *f;
    for (size_t i = 0; (f = session_family_at(session, i)); i++) {
        if (f->cost == 0)
            continue;
        for (size_t k = 0; k < TARGET_STATUS_DEAREST; k++) {
            if (dearest[k] && dearest[k]->cost >= f->cost)
                continue;
            const FamilyState *pushed = dearest[k];
            dearest[k] = f;
            f = pushed;
            if (!f)
                break;
        }
    }
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, cost, "dearest");
    for (size_t k = 0; k < TARGET_STATUS_DEAREST && dearest[k]; k++) {
        yyjson_mut_val *line = yyjson_mut_arr_add_obj(doc, list);
        put_text(doc, line, "family", dearest[k]->family->name);
        (void)yyjson_mut_obj_add_real(doc, line, "ms_per_run",
                                      (double)dearest[k]->cost / (double)dearest[k]->runs / (double)USEC_PER_MSEC);
    }
}

static void put_cost(yyjson_mut_doc *doc, yyjson_mut_val *server, const TargetStatusInput *in)
{
    uint64_t rows = 0, bytes = 0;
    Usec sql = 0;
    const FamilyState *f;
    for (size_t i = 0; (f = session_family_at(in->session, i)); i++) {
        rows += f->rows;
        bytes += f->bytes;
        sql += f->cost;
    }
    const double readings = in->readings > 0 ? (double)in->readings : 1;
    yyjson_mut_val *cost = yyjson_mut_obj_add_obj(doc, server, "cost");
    (void)yyjson_mut_obj_add_real(doc, cost, "sql_ms_per_reading", (double)sql / (double)USEC_PER_MSEC / readings);
    (void)yyjson_mut_obj_add_real(doc, cost, "rows_per_reading", (double)rows / readings);
    (void)yyjson_mut_obj_add_real(doc, cost, "bytes_per_reading", (double)bytes / readings);
    put_dearest(doc, cost, in->session);
}

static void put_families(yyjson_mut_doc *doc, yyjson_mut_val *server, const TargetStatusInput *in)
{
    yyjson_mut_val *families = yyjson_mut_obj_add_obj(doc, server, "families");
    Lists lists = {.failing = yyjson_mut_arr(doc), .missing = yyjson_mut_arr(doc)};
    const FamilyState *f;
    for (size_t i = 0; (f = session_family_at(in->session, i)); i++)
        add_family(doc, &lists, f);
    (void)yyjson_mut_obj_add_uint(doc, families, "read", lists.read);
    (void)yyjson_mut_obj_add_uint(doc, families, "failing", lists.failing_count);
    (void)yyjson_mut_obj_add_uint(doc, families, "missing", lists.missing_count);
    (void)yyjson_mut_obj_add_val(doc, server, "failing", lists.failing);
    (void)yyjson_mut_obj_add_val(doc, server, "missing", lists.missing);
    yyjson_mut_val *advice = yyjson_mut_obj_add_arr(doc, server, "advice");
    const char *text;
    for (size_t i = 0; i < TARGET_STATUS_LINES_MAX && (text = session_advice_at(in->session, i)); i++)
        (void)yyjson_mut_arr_add_strcpy(doc, advice, text);
}

static void put_server(yyjson_mut_doc *doc, yyjson_mut_val *server, const TargetStatusInput *in)
{
    PushServer known = {.reachable = in->unreachable->code == ERR_NONE};
    Arena *arena = arena_new(0);
    session_describe(in->session, arena, &known);
    put_text(doc, server, "name", in->name);
    (void)yyjson_mut_obj_add_bool(doc, server, "reachable", known.reachable && in->since > 0);
    (void)yyjson_mut_obj_add_int(doc, server, "since", in->since);
    put_text(doc, server, "error", known.reachable ? NULL : in->unreachable->detail);
    put_text(doc, server, "hint", known.reachable || !in->unreachable->hint[0] ? NULL : in->unreachable->hint);
    put_version(doc, server, known.version_num);
    (void)yyjson_mut_obj_add_bool(doc, server, "in_recovery", known.in_recovery);
    (void)yyjson_mut_obj_add_int(doc, server, "interval_ms", in->interval / USEC_PER_MSEC);
    (void)yyjson_mut_obj_add_int(doc, server, "last_reading", in->last_reading);
    arena_free(arena);
}

void target_status_write(const TargetStatusInput *in, Buf *out)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *server = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, server);
    put_server(doc, server, in);
    put_families(doc, server, in);
    put_cost(doc, server, in);
    size_t len = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &len);
    buf_clear(out);
    if (text)
        buf_append(out, slice_from(text, len));
    free(text);
    yyjson_mut_doc_free(doc);
}
