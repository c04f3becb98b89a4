/* SPDX-License-Identifier: PostgreSQL */
/*
 * The producer of [[backup]]: runs each tool at the interval of its settings, without a shell, and makes rows of what
 * it lists. A tool that is late is killed with its group; what it printed is bounded; the first line of its messages
 * goes into the error. For the lag of the archive the server is asked where it writes, over a short connection: one
 * that cannot be made leaves the lag unknown.
 */
#include "collector/server/server_connect.h"
#include "collector/sources/backup_tools.h"
#include "lib/base/memory.h"
#include "lib/io/process.h"

#define SERVER_TIMEOUT (5 * USEC_PER_SEC)

enum { ARGUMENTS_MAX = 64, MESSAGES_MAX = 16 << 10 };

static const char *const FAMILIES[] = {
    [BACKUP_STATE] = "backup_state",
    [BACKUP_LIST] = "backup",
    [BACKUP_ARCHIVE] = "backup_archive",
    [_BACKUP_FAMILY_COUNT] = NULL,
};

static const BackupTool *const TOOLS[_BACKUP_TOOL_NAME_MAX] = {
    [BACKUP_PGBACKREST] = &backup_pgbackrest,
    [BACKUP_BARMAN] = &backup_barman,
    [BACKUP_WALG] = &backup_walg,
};

static const char WAL_SQL[] =
    "select pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,"
    " '0/0')::int8, pg_size_bytes(current_setting('wal_segment_size'))";

typedef struct Backup {
    const BackupSettings *settings;
    const BackupTool *tool;
    SourceStatus status;
    BackupModel model; /* of the last run */
    Usec due;          /* monotonic */
    Usec read_wall;
} Backup;

typedef struct BackupProducer {
    ProducerOptions options;
    SourceFamilies *families;
    Backup backups[SOURCES_MAX];
    size_t count;
} BackupProducer;

static bool is_wanted(const ProducerOptions *options)
{
    return source_kind_is_wanted(options, SOURCE_BACKUP);
}

static void *new_producer(const ProducerOptions *options)
{
    BackupProducer *p = mem_alloc(sizeof(*p));
    p->options = *options;
    p->families = source_families_new(options, FAMILIES);
    const SourceHead *head;
    for (size_t i = 0; (head = settings_source_at(options->settings, SOURCE_BACKUP, i)); i++) {
        if (!source_is_of(options, head))
            continue;
        Backup *b = &p->backups[p->count++];
        b->settings = (const BackupSettings *)(const void *)head;
        b->tool = TOOLS[b->settings->tool];
        backup_model_init(&b->model);
        source_status_init(&b->status, SOURCE_BACKUP, head);
    }
    return p;
}

static void *free_producer(void *self)
{
    BackupProducer *p = self;
    for (size_t i = 0; i < p->count; i++)
        backup_model_done(&p->backups[i].model);
    source_families_free(p->families);
    free(p);
    return NULL;
}

/* --- Running a tool ----------------------------------------------------------------------------------------------- */

static Slice name_of(const BackupSettings *s)
{
    return slice_cstr(s->tool == BACKUP_BARMAN ? s->server_name : s->stanza);
}

typedef struct Arguments {
    Arena *arena;
    const char *items[ARGUMENTS_MAX + 1];
    size_t count;
} Arguments;

static void add_argument(Arguments *a, const char *argument)
{
    if (a->count < ARGUMENTS_MAX) /* the settings allow 32, a step has fewer than 10 */
        a->items[a->count++] = argument;
}

static void add_name(Arguments *a, const char *pattern, Slice name)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    ptrdiff_t at = slice_find(slice_cstr(pattern), SLICE_LIT("%s"));
    buf_append(&text, slice_from(pattern, (size_t)at));
    buf_append(&text, name);
    add_argument(a, arena_dup(a->arena, buf_slice(&text)).ptr);
}

static void make_arguments(Arguments *a, const Backup *b, const BackupStep *step)
{
    const ConfStringList *command = &b->settings->command;
    for (size_t i = 0; i < command->count; i++)
        add_argument(a, command->items[i]);
    if (command->count == 0)
        add_argument(a, b->tool->program);
    for (size_t i = 0; i < BACKUP_STEP_ARGUMENTS_MAX && step->arguments[i]; i++)
        add_argument(a, step->arguments[i]);
    if (step->name_argument && name_of(b->settings).len > 0)
        add_name(a, step->name_argument, name_of(b->settings));
    if (step->last_argument)
        add_argument(a, step->last_argument);
}

/* What went wrong with the run, and the tool's own words without what may be secret. */
static int fail_run(const Backup *b, Slice messages, int status, const Err *cause, Err *reterr)
{
    _cleanup_buf_ Buf message = BUF_INIT;
    backup_message(messages, &message);
    const char *colon = message.len ? ": " : "";
    int r = status ? err_set(reterr, ERR_IO, "%s ended with status %d%s%s", b->tool->program, status, colon,
                             buf_cstr(&message))
                   : err_set(reterr, cause->code, "%s%s%s", cause->detail, colon, buf_cstr(&message));
    err_hint(reterr, "%s", b->tool->rights);
    return r;
}

static int run_step(const BackupProducer *p, Backup *b, const BackupStep *step, Err *reterr)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Arguments arguments = {.arena = arena};
    make_arguments(&arguments, b, step);
    _cleanup_buf_ Buf output = BUF_INIT_LIMIT(BACKUP_OUTPUT_MAX), messages = BUF_INIT_LIMIT(MESSAGES_MAX);
    int status = 0;
    ProcessOptions options = {.argv = arguments.items, .die_with_parent = true};
    ProcessTask task = {.timeout = b->settings->timeout,
                        .output = &output,
                        .messages = &messages,
                        .stop = p->options.stop,
                        .ret_status = &status};
    Err cause = ERR_INIT;
    producer_come_forward(&p->options, clock_monotonic() + task.timeout);
    int r = process_run_task(&options, &task, &cause);
    if (r < 0 || (status != 0 && !step->status_is_news))
        return err_trace(fail_run(b, buf_slice(&messages), status, &cause, reterr));
    r = step->parse(&b->model, buf_slice(&output), name_of(b->settings), reterr);
    if (r < 0 && status != 0)
        return err_trace(fail_run(b, buf_slice(&messages), status, &cause, reterr));
    if (r < 0)
        err_prefix(reterr, "what %s printed for %s", b->tool->program, step->arguments[0]);
    return err_trace(r);
}

static bool has_backups(const BackupModel *m)
{
    for (size_t i = 0; i < m->repositories.len; i++) {
        if (m->repositories.items[i].last.label.len > 0)
            return true;
    }
    return false;
}

static int run_tool(const BackupProducer *p, Backup *b, Err *reterr)
{
    backup_model_clear(&b->model);
    for (size_t i = 0; i < b->tool->step_count; i++) {
        const BackupStep *step = &b->tool->steps[i];
        if (step->needs_backups && !has_backups(&b->model))
            continue;
        int r = run_step(p, b, step, step->may_fail ? NULL : reterr);
        if (r < 0 && !step->may_fail)
            return err_trace(r);
    }
    return 0;
}

static void try_tool(const BackupProducer *p, Backup *b, Usec now)
{
    Err err = ERR_INIT;
    int r = run_tool(p, b, &err);
    if (*p->options.stop)
        return; /* it was ended for that reason */
    Usec end = clock_monotonic();
    b->status.took = end - now;
    b->read_wall = clock_wall();
    source_status_note(&b->status, r < 0 ? &err : NULL, end);
    if (r < 0)
        backup_model_clear(&b->model);
}

/* --- Readings ----------------------------------------------------------------------------------------------------- */

static BackupServerWal ask_server(BackupProducer *p)
{
    BackupServerWal wal = {.position = -1};
    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    _cleanup_pgresult_ PGresult *row = NULL;
    ServerConnect connect = {
        .server = p->options.server, .application_name = "pganalytics backup", .statement_timeout = SERVER_TIMEOUT};
    PgQuery query = {.sql = WAL_SQL, .shape = PG_SHAPE_ONE, .timeout = SERVER_TIMEOUT};
    Err err = ERR_INIT;
    int r = server_connect(&connect, &conn, &err);
    if (r >= 0)
        r = pg_conn_query(conn, &query, &row, &err);
    if (r < 0) {
        log_debug("lag of the archive is not known", log_str("server", p->options.server->name), log_error_field(&err));
        return wal; /* the target says it where it matters */
    }
    (void)slice_to_int64(slice_cstr(PQgetvalue(row, 0, 1)), &wal.segment_size);
    if (!PQgetisnull(row, 0, 0))
        (void)slice_to_int64(slice_cstr(PQgetvalue(row, 0, 0)), &wal.position);
    return wal;
}

static void fill_state(BackupProducer *p, const Backup *b)
{
    Rows *rows = source_families_add(p->families, BACKUP_STATE, b->settings->head.name, "");
    if (!rows)
        return;
    rows_set_text(rows, "tool", slice_cstr(b->tool->program));
    source_status_fill(&b->status, rows);
    rows_set_float(rows, "run_ms", (double)b->status.took / (double)USEC_PER_MSEC);
    rows_set_float(rows, "read_time", (double)b->read_wall / (double)USEC_PER_SEC);
}

/* Rows of all tools, of those as well that were not run in this turn: a reading is of the whole family. */
static void put_readings(BackupProducer *p, Usec now)
{
    bool complete = true;
    bool has_archives = false;
    for (size_t i = 0; i < p->count; i++)
        has_archives |= p->backups[i].model.archives.len > 0;
    BackupServerWal wal = has_archives ? ask_server(p) : (BackupServerWal){.position = -1};
    source_families_begin(p->families, now, true);
    for (size_t i = 0; i < p->count; i++) {
        Backup *b = &p->backups[i];
        if (b->read_wall == 0)
            continue;
        BackupFill fill = {.families = p->families,
                           .source = b->settings->head.name,
                           .tool = b->tool->program,
                           .now = clock_wall(),
                           .wal = wal};
        fill_state(p, b);
        backup_model_fill(&b->model, &fill);
        complete &= b->status.error.code == ERR_NONE;
    }
    source_families_end(p->families, clock_monotonic(), complete);
}

static Usec turn(void *self, Usec now)
{
    BackupProducer *p = self;
    Usec next = USEC_NEVER;
    for (size_t i = 0; i < p->count && !*p->options.stop; i++) {
        Backup *b = &p->backups[i];
        if (now >= b->due) {
            b->due = now + b->settings->interval;
            try_tool(p, b, clock_monotonic());
        }
        if (b->due < next)
            next = b->due;
    }
    if (!*p->options.stop)
        put_readings(p, clock_monotonic());
    return next;
}

const ProducerKind backup_producer = {"backup", is_wanted, new_producer, turn, free_producer};
