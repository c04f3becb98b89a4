/* SPDX-License-Identifier: PostgreSQL */
/* See status_print.h. */
#include "collector/command/status_print.h"

#include <inttypes.h>
#include <string.h>

#include "collector/agent/status_socket.h"
#include "collector/settings/settings.h"
#include "lib/json/json.h"

#define ASK_TIMEOUT (10 * USEC_PER_SEC)
#define DAY         (86400 * USEC_PER_SEC)
enum { DEPTH_MAX = 8, SPAN_SIZE = 40 };

/* "3 d 4 h", "12 s": the two largest parts. */
static const char *span(Usec length, char ret[SPAN_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    const int64_t seconds = length > 0 ? length / USEC_PER_SEC : 0;
    size_t i = 0;
    while (i + 1 < ARRAY_LENGTH(units) && seconds < units[i].seconds)
        i++;
    const int64_t rest = i + 1 < ARRAY_LENGTH(units) ? seconds % units[i].seconds / units[i + 1].seconds : 0;
    if (rest > 0)
        (void)snprintf(ret, SPAN_SIZE, "%" PRId64 " %s %" PRId64 " %s", seconds / units[i].seconds, units[i].name, rest,
                       units[i + 1].name); /* fits */
    else
        (void)snprintf(ret, SPAN_SIZE, "%" PRId64 " %s", seconds / units[i].seconds, units[i].name); /* fits */
    return ret;
}

static int64_t integer(yyjson_val *object, const char *key)
{
    return yyjson_get_sint(yyjson_obj_get(object, key));
}

static double number(yyjson_val *object, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(object, key));
}

static const char *text(yyjson_val *object, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(object, key));
    return s ? s : "";
}

static void print_ago(FILE *out, const char *before, int64_t at, Usec now)
{
    char buffer[SPAN_SIZE];
    if (at == 0)
        cli_print(out, "%snever", before);
    else
        cli_print(out, "%s%s ago", before, span(now - at, buffer));
}

static void print_head(FILE *out, yyjson_val *root, Usec now)
{
    char buffer[SPAN_SIZE];
    yyjson_val *process = yyjson_obj_get(root, "process");
    cli_print(out, "pganalytics %s, process %" PRId64 ", running for %s, %.1f MB resident", text(root, "version"),
              integer(process, "pid"), span(now - integer(process, "started"), buffer),
              (double)integer(process, "resident_bytes") / 1e6);
    if (integer(process, "memory_limit") > 0)
        cli_print(out, " of at most %.0f MB", (double)integer(process, "memory_limit") / 1e6);
    cli_print(out, "\n");
    if (text(root, "collector_id")[0])
        cli_print(out, "collector    %s\n", text(root, "collector_id"));
}

static void print_sender(FILE *out, yyjson_val *sender, Usec now)
{
    if (!sender)
        return;
    cli_print(out, "backend      %s", text(sender, "url"));
    print_ago(out, ": last batch taken ", integer(sender, "last_success"), now);
    cli_print(out, ", %" PRId64 " batches, %" PRId64 " failures", integer(sender, "sent_batches"),
              integer(sender, "failures"));
    if (integer(sender, "refused_batches") > 0)
        cli_print(out, ", %" PRId64 " refused for good", integer(sender, "refused_batches"));
    cli_print(out, ", clock %.1f s off\n", (double)integer(sender, "clock_skew_us") / (double)USEC_PER_SEC);
}

static void print_end(FILE *out, const char *what, int64_t ends, Usec now)
{
    if (ends == 0)
        cli_print(out, "%-12s none, or its end is not known\n", what);
    else if (ends <= now)
        cli_print(out, "%-12s has ended\n", what);
    else
        cli_print(out, "%-12s %" PRId64 " days left\n", what, (ends - now) / DAY);
}

static void print_lines(FILE *out, yyjson_val *server, const char *list)
{
    size_t i, n;
    yyjson_val *line;
    yyjson_arr_foreach(yyjson_obj_get(server, list), i, n, line)
    {
        const char *hint = text(line, "hint");
        cli_print(out, "  %-8s   %s: %s%s%s\n", list, text(line, "family"), text(line, "reason"), hint[0] ? ": " : "",
                  hint);
    }
}

static void print_spool(FILE *out, yyjson_val *server, Usec now)
{
    yyjson_val *spool = yyjson_obj_get(server, "spool");
    if (!spool)
        return;
    cli_print(out, "  waiting    %" PRId64 " batches, %" PRId64 " bytes", integer(spool, "batches"),
              integer(spool, "bytes"));
    if (integer(spool, "oldest") > 0)
        print_ago(out, ", the oldest of ", integer(spool, "oldest"), now);
    if (integer(spool, "dropped_batches") > 0)
        cli_print(out, ", %" PRId64 " given up since the buffer was made", integer(spool, "dropped_batches"));
    cli_print(out, "\n");
}

static void print_reach(FILE *out, yyjson_val *server, Usec now)
{
    char buffer[SPAN_SIZE];
    const bool reachable = yyjson_get_bool(yyjson_obj_get(server, "reachable"));
    if (!yyjson_get_bool(yyjson_obj_get(server, "watched"))) {
        cli_print(out, "not watched any more\n");
        return;
    }
    cli_print(out, "%s", reachable ? "reachable" : "NOT REACHABLE");
    if (integer(server, "since") > 0)
        cli_print(out, " for %s", span(now - integer(server, "since"), buffer));
    if (text(server, "version")[0])
        cli_print(out, ", PostgreSQL %s%s", text(server, "version"),
                  yyjson_get_bool(yyjson_obj_get(server, "in_recovery")) ? " (standby)" : "");
    print_ago(out, ", last reading ", integer(server, "last_reading"), now);
    cli_print(out, "\n");
    if (text(server, "error")[0])
        cli_print(out, "  error      %s%s%s\n", text(server, "error"), text(server, "hint")[0] ? ": " : "",
                  text(server, "hint"));
}

static void print_server(FILE *out, yyjson_val *server, Usec now)
{
    cli_print(out, "\nserver %s: ", text(server, "name"));
    print_reach(out, server, now);
    yyjson_val *families = yyjson_obj_get(server, "families"), *cost = yyjson_obj_get(server, "cost");
    if (families)
        cli_print(out, "  families   %" PRId64 " read, %" PRId64 " failing, %" PRId64 " not there\n",
                  integer(families, "read"), integer(families, "failing"), integer(families, "missing"));
    if (cost)
        cli_print(out, "  a reading  %.1f ms of SQL, %.0f rows, %.0f bytes\n", number(cost, "sql_ms_per_reading"),
                  number(cost, "rows_per_reading"), number(cost, "bytes_per_reading"));
    size_t i, n;
    yyjson_val *line;
    yyjson_arr_foreach(yyjson_obj_get(cost, "dearest"), i, n, line)
    {
        cli_print(out, "  %-10s %s: %.2f ms a run\n", i == 0 ? "dearest" : "", text(line, "family"),
                  number(line, "ms_per_run"));
    }
    print_spool(out, server, now);
    print_lines(out, server, "failing");
    print_lines(out, server, "missing");
    yyjson_arr_foreach(yyjson_obj_get(server, "advice"), i, n, line)
    {
        cli_print(out, "  advice     %s\n", yyjson_get_str(line));
    }
}

bool status_print(FILE *out, Slice json)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = STATUS_TEXT_MAX, .depth = DEPTH_MAX};
    Err err = ERR_INIT;
    if (json_parse(json, limits, &doc, &err) < 0) {
        err_prefix(&err, "the collector's answer");
        cli_print_error(&err);
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    const Usec now = integer(root, "time");
    print_head(out, root, now);
    print_sender(out, yyjson_obj_get(root, "sender"), now);
    yyjson_val *credentials = yyjson_obj_get(root, "credentials");
    if (credentials) {
        print_end(out, "certificate", integer(credentials, "certificate_ends"), now);
        print_end(out, "token", integer(credentials, "token_ends"), now);
    }
    size_t i, n;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(root, "servers"), i, n, item)
    {
        print_server(out, item, now);
    }
    yyjson_val *problems = yyjson_obj_get(root, "problems");
    cli_print(out, "%s", yyjson_arr_size(problems) > 0 ? "\n" : "\nno problems\n");
    yyjson_arr_foreach(problems, i, n, item)
    {
        cli_print(out, "problem: %s\n", yyjson_get_str(item));
    }
    return yyjson_is_arr(problems) && yyjson_arr_size(problems) == 0;
}

static int find_state_dir(const Cli *cli, Buf *ret)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *settings =
        settings_load(cli->config ? cli->config : SETTINGS_DEFAULT_PATH, diags);
    if (!settings) {
        conf_diags_print_file(diags, stderr);
        return -1;
    }
    buf_append_cstr(ret, settings_get(settings)->state_dir);
    return 0;
}

static bool is_healthy(Slice json)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = STATUS_TEXT_MAX, .depth = DEPTH_MAX};
    if (json_parse(json, limits, &doc, NULL) < 0)
        return false;
    yyjson_val *problems = yyjson_obj_get(yyjson_doc_get_root(doc), "problems");
    return yyjson_is_arr(problems) && yyjson_arr_size(problems) == 0;
}

int status_run(const Cli *cli)
{
    _cleanup_buf_ Buf state_dir = BUF_INIT, json = BUF_INIT;
    Err err = ERR_INIT;
    if (find_state_dir(cli, &state_dir) < 0)
        return 2;
    if (status_socket_ask(buf_cstr(&state_dir), ASK_TIMEOUT, &json, &err) < 0) {
        cli_print_error(&err);
        return 1;
    }
    if (!cli->json)
        return status_print(stdout, buf_slice(&json)) ? 0 : 1;
    cli_print(stdout, "%s", buf_cstr(&json));
    return is_healthy(buf_slice(&json)) ? 0 : 1;
}
