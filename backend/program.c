/* SPDX-License-Identifier: PostgreSQL */
/* What every command needs first. */
#include "backend/program.h"

#include <signal.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "lib/io/file.h"

static void print_lines(const Buf *text)
{
    (void)fputs(buf_cstr(text), stderr);
}

/* Unsafe choices, said once at each start. */
static void log_warnings(const Buf *warnings)
{
    Slice rest = buf_slice(warnings);
    while (rest.len > 0) {
        Slice line = slice_split(&rest, '\n');
        log_warn("unsafe setting", log_slice("setting", line));
    }
}

bool program_init(Program *p, const char *env_file)
{
    *p = (Program){.lock_fd = -1, .source = {.environment = (const char *const *)environ, .env_file = env_file}};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    Err err = ERR_INIT;
    if (settings_read(&p->settings, &p->source, &faults, &warnings, &err) < 0) {
        print_lines(&faults);
        (void)fprintf(stderr, "pganalytics-api: the settings are not valid; --help lists them\n");
        return false;
    }
    log_setup("pganalytics-api", LOG_FORMAT_AUTO, p->settings.log_level);
    log_warnings(&warnings);
    (void)signal(SIGPIPE, SIG_IGN);
    return true;
}

static int lock_data_dir(Program *p, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/backend.lock", p->settings.data_dir);
    int r = dir_ensure(p->settings.data_dir, 0700, reterr);
    return r < 0 ? r : file_lock(buf_cstr(&path), &p->lock_fd, reterr);
}

static int use_private_cluster(Program *p, ProgramRole role, Err *reterr)
{
    const BackendSettings *s = &p->settings;
    Err held = ERR_INIT;
    int r = lock_data_dir(p, &held);
    if (r < 0 && held.code == ERR_CONFLICT && role == PROGRAM_COMMAND)
        return cluster_find_conninfo(s->data_dir, &p->conninfo, reterr);
    if (r < 0) {
        if (reterr)
            *reterr = held;
        return r;
    }
    const ClusterOptions options = {.data_dir = s->data_dir, .bin_dir = s->pg_bindir[0] ? s->pg_bindir : NULL};
    r = cluster_start(&p->cluster, &options, reterr);
    if (r == 0)
        buf_append_cstr(&p->conninfo, cluster_conninfo(p->cluster));
    return r;
}

int program_open_store(Program *p, ProgramRole role, Err *reterr)
{
    const BackendSettings *s = &p->settings;
    int r = catalog_new_builtin(&p->catalog, reterr);
    if (r == 0 && s->database_url[0] == '\0')
        r = use_private_cluster(p, role, reterr);
    else
        buf_append_cstr(&p->conninfo, s->database_url);
    if (r < 0)
        return r;

    const StoreOptions options = {.conninfo = buf_cstr(&p->conninfo),
                                  .catalog = p->catalog,
                                  .connections = s->store_pool,
                                  .retention = s->retention_raw};
    return store_open(&p->store, &options, reterr);
}

void program_done(Program *p)
{
    p->store = store_close(p->store);
    p->catalog = catalog_free(p->catalog);
    p->cluster = cluster_stop(p->cluster);
    if (p->lock_fd >= 0)
        (void)close(p->lock_fd); /* ends the lock */
    p->lock_fd = -1;
    buf_done(&p->conninfo);
    settings_done(&p->settings);
}

int program_fail(const char *what, const Err *err)
{
    log_fail(what, log_error_field(err));
    return EXIT_FAILED;
}
