/* SPDX-License-Identifier: PostgreSQL */
/*
 * See agent.h. Signals are blocked in every thread and taken by sigwait() here, so no code runs in a handler.
 *
 * A reload reads everything anew and checks it; on any fault the agent goes on as it was. Then the sender stops,
 * targets whose settings differ are stopped (their baseline is on disk) and started anew, and a sender starts with the
 * new list. A spool outlives its target: what a server that was taken out of the settings has left behind is still
 * sent.
 */
#include "collector/agent.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "collector/credentials.h"
#include "collector/notify.h"
#include "collector/sender.h"
#include "collector/target.h"
#include "collector/version.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"
#include "lib/io/file.h"

#define STOP_GRACE   (5 * USEC_PER_SEC)
#define RELOAD_GRACE ((Usec)0)

typedef struct NamedSpool {
    char *name; /* of the server */
    Spool *spool;
} NamedSpool;

DEFINE_VEC(NamedSpoolVec, named_spool_vec, NamedSpool)
DEFINE_VEC(TargetVec, target_vec, Target *)

typedef struct Agent {
    const char *config;
    SettingsRef *settings;
    Credentials credentials;
    int lock_fd;
    NamedSpoolVec spools;
    TargetVec targets;
    pthread_rwlock_t sender_lock; /* targets wake the sender; a reload replaces it */
    Sender *sender;
} Agent;

static void wake_sender(void *arg)
{
    Agent *a = arg;
    pthread_rwlock_rdlock(&a->sender_lock);
    if (a->sender)
        sender_wake(a->sender);
    pthread_rwlock_unlock(&a->sender_lock);
}

static Sender *exchange_sender(Agent *a, Sender *sender)
{
    pthread_rwlock_wrlock(&a->sender_lock);
    Sender *before = a->sender;
    a->sender = sender;
    pthread_rwlock_unlock(&a->sender_lock);
    return before;
}

/* --- Spools ------------------------------------------------------------------------------------------------------- */

static Spool *find_spool(const Agent *a, const char *name)
{
    for (size_t i = 0; i < a->spools.len; i++) {
        if (strcmp(a->spools.items[i].name, name) == 0)
            return a->spools.items[i].spool;
    }
    return NULL;
}

static int open_spool(Agent *a, const char *name, Err *reterr)
{
    if (find_spool(a, name))
        return 0;
    const Settings *s = settings_get(a->settings);
    _cleanup_buf_ Buf directory = BUF_INIT;
    buf_printf(&directory, "%s/servers/%s/spool", s->state_dir, name);
    SpoolOptions options = {
        .directory = buf_cstr(&directory),
        .max_bytes = (uint64_t)s->buffer_max_bytes,
        .max_batches = (uint32_t)s->buffer_max_size,
    };
    Spool *spool = NULL;
    int r = spool_open(&spool, &options, reterr);
    if (r < 0) {
        err_prefix(reterr, "buffer of server %s", name);
        return err_trace(r);
    }
    char *copy = mem_strdup(name);
    named_spool_vec_push(&a->spools, (NamedSpool){.name = copy, .spool = spool});
    return 0;
}

/* Batches of servers that are no longer in the settings. What cannot be opened is left alone. */
static void open_left_behind(Agent *a)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/servers", settings_get(a->settings)->state_dir);
    DIR *directory = opendir(buf_cstr(&path));
    if (!directory)
        return;
    for (const struct dirent *e; (e = readdir(directory));) {
        Err err = ERR_INIT;
        if (e->d_name[0] == '.' || find_spool(a, e->d_name))
            continue;
        if (open_spool(a, e->d_name, &err) < 0)
            log_warn("buffer of a former server could not be opened", log_str("server", e->d_name),
                     log_error_field(&err));
    }
    closedir(directory);
}

static void close_spools(Agent *a)
{
    for (size_t i = 0; i < a->spools.len; i++) {
        spool_close(a->spools.items[i].spool);
        free(a->spools.items[i].name);
    }
    named_spool_vec_clear(&a->spools);
}

/* --- Targets and sender ------------------------------------------------------------------------------------------- */

static int start_target(Agent *a, const ServerSettings *server, Err *reterr)
{
    int r = open_spool(a, server->name, reterr);
    if (r < 0)
        return r;
    TargetOptions options = {
        .settings = a->settings,
        .server = server,
        .spool = find_spool(a, server->name),
        .collector_id = a->credentials.collector_id,
        .on_append = wake_sender,
        .arg = a,
    };
    Target *t = NULL;
    r = target_start(&t, &options, reterr);
    if (r < 0)
        return err_trace(r);
    target_vec_push(&a->targets, t);
    return 0;
}

static bool has_target(const Agent *a, const char *name)
{
    for (size_t i = 0; i < a->targets.len; i++) {
        if (strcmp(target_name(a->targets.items[i]), name) == 0)
            return true;
    }
    return false;
}

/* Starts those that do not run yet. One that cannot be started does not hinder the others. */
static size_t start_targets(Agent *a)
{
    const Settings *s = settings_get(a->settings);
    size_t failed = 0;
    for (size_t i = 0; i < s->server_count; i++) {
        Err err = ERR_INIT;
        if (!has_target(a, s->servers[i].name) && start_target(a, &s->servers[i], &err) < 0) {
            failed++;
            log_fail("server cannot be watched", log_str("server", s->servers[i].name), log_error_field(&err));
        }
    }
    return failed;
}

static void stop_all_targets(Agent *a)
{
    for (size_t i = 0; i < a->targets.len; i++)
        target_ask_to_stop(a->targets.items[i]);
    for (size_t i = 0; i < a->targets.len; i++)
        target_stop(a->targets.items[i]);
    target_vec_clear(&a->targets);
}

static int start_sender(Agent *a, Err *reterr)
{
    const Settings *s = settings_get(a->settings);
    Spool **spools = mem_alloc_array(sizeof(Spool *), a->spools.len + 1);
    for (size_t i = 0; i < a->spools.len; i++)
        spools[i] = a->spools.items[i].spool;
    SenderOptions options = {
        .api_url = a->credentials.api_url,
        .ca_file = a->credentials.ca_file,
        .cert_file = a->credentials.cert_file,
        .key_file = a->credentials.key_file,
        .verify = settings_verify(s),
        .state_dir = s->state_dir,
        .token = a->credentials.token,
        .collector_id = a->credentials.collector_id,
        .flush_interval = s->flush_interval,
    };
    Sender *sender = NULL;
    int r = sender_start(&sender, &options, spools, a->spools.len, reterr);
    free((void *)spools);
    if (r >= 0)
        (void)exchange_sender(a, sender); /* there was none */
    return err_trace(r);
}

static void warn_of_settings(const Settings *s)
{
    if (!settings_verify(s))
        log_warn("verify_ssl is false: the backend's certificate is not checked, anyone on the way can read and change "
                 "what is sent");
    if (s->log_path[0])
        log_warn("logs.path is set, but this version does not read log files yet");
    if (s->prometheus_listen[0])
        log_warn("prometheus.listen is set, but this version has no exporter yet");
}

/* --- Start, reload, stop ------------------------------------------------------------------------------------------ */

static void log_diags(const ConfDiags *diags)
{
    for (size_t i = 0; i < conf_diags_count(diags); i++) {
        const ConfDiag *d = conf_diags_at(diags, i);
        log_fail("setting is not valid", log_str("file", d->file), log_int("line", d->line),
                 log_str("section", d->section), log_str("key", d->key), log_str("fault", d->message),
                 log_str("hint", d->hint));
    }
}

static int start(Agent *a, Err *reterr)
{
    const Settings *s = settings_get(a->settings);
    _cleanup_buf_ Buf lock = BUF_INIT;
    buf_printf(&lock, "%s/lock", s->state_dir);
    int r = dir_ensure(s->state_dir, 0700, reterr);
    if (r >= 0)
        r = file_lock(buf_cstr(&lock), &a->lock_fd, reterr);
    if (r >= 0)
        r = credentials_load(&a->credentials, s, reterr);
    if (r < 0)
        return err_trace(r);
    warn_of_settings(s);
    if (start_targets(a) == s->server_count)
        return err_set(reterr, ERR_IO, "none of the servers can be watched");
    open_left_behind(a);
    return err_trace(start_sender(a, reterr));
}

static void stop(Agent *a, Usec grace)
{
    stop_all_targets(a);
    Sender *sender = exchange_sender(a, NULL);
    if (sender)
        sender_stop(sender, grace);
    close_spools(a);
}

static const ServerSettings *find_server(const Settings *s, const char *name)
{
    for (size_t i = 0; i < s->server_count; i++) {
        if (strcmp(s->servers[i].name, name) == 0)
            return &s->servers[i];
    }
    return NULL;
}

/* Keeps the targets that would be the same with the new settings. */
static void stop_changed_targets(Agent *a, const Settings *now, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->targets.len; i++) {
        const ServerSettings *server = find_server(now, target_name(a->targets.items[i]));
        if (!all && server && server_settings_equal(server, target_server(a->targets.items[i])))
            a->targets.items[kept++] = a->targets.items[i];
        else
            target_stop(a->targets.items[i]);
    }
    a->targets.len = kept;
}

static void note_restart_key(void *arg, const ConfKey *key)
{
    (void)arg;
    if (!(key->flags & CONF_RELOADABLE))
        log_warn("setting takes effect at the next start", log_str("section", key->section), log_str("key", key->name));
}

static void reload(Agent *a)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *fresh = settings_load(a->config, diags);
    Credentials credentials = {0};
    Err err = ERR_INIT;
    if (!fresh) {
        log_diags(diags);
        log_fail("settings are kept as they were", log_int("faults", (int64_t)conf_diags_count(diags)));
        return;
    }
    const Settings *before = settings_get(a->settings), *now = settings_get(fresh);
    if (strcmp(before->state_dir, now->state_dir) != 0) {
        log_fail("settings are kept as they were: state_dir cannot change while the collector runs");
        return;
    }
    if (credentials_load(&credentials, now, &err) < 0) {
        log_fail("settings are kept as they were", log_error_field(&err));
        return;
    }
    assert(a->credentials.collector_id && credentials.collector_id);
    conf_keys_changed(settings_keys(), before, now, note_restart_key, NULL);
    bool all =
        !settings_collect_alike(before, now) || strcmp(a->credentials.collector_id, credentials.collector_id) != 0;
    bool spools = before->buffer_max_bytes != now->buffer_max_bytes || before->buffer_max_size != now->buffer_max_size;

    Sender *sender = exchange_sender(a, NULL);
    if (sender)
        sender_stop(sender, RELOAD_GRACE);
    stop_changed_targets(a, now, all || spools);
    if (spools)
        close_spools(a);
    credentials_done(&a->credentials);
    a->credentials = credentials;
    settings_unref(a->settings);
    a->settings = TAKE_PTR(fresh);
    warn_of_settings(settings_get(a->settings));
    (void)start_targets(a); /* logged there */
    open_left_behind(a);
    if (start_sender(a, &err) < 0)
        log_fail("nothing is sent until the next reload", log_error_field(&err));
    log_info("settings were read anew", log_int("servers", (int64_t)a->targets.len));
}

static void wait_for_signals(Agent *a, const sigset_t *signals)
{
    for (;;) {
        int number = 0;
        if (sigwait(signals, &number) != 0)
            continue;
        if (number != SIGHUP) {
            log_info("stopping", log_str("signal", strsignal(number)));
            return;
        }
        notify_service_manager("RELOADING=1");
        reload(a);
        notify_service_manager("READY=1");
    }
}

int agent_run(const char *config)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGPIPE); /* a closed connection is an error code, not a death */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGPIPE);

    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Agent a = {.config = config, .lock_fd = -1, .sender_lock = PTHREAD_RWLOCK_INITIALIZER};
    a.settings = settings_load(config, diags);
    if (!a.settings) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    Err err = ERR_INIT;
    int status = 0;
    if (start(&a, &err) < 0) {
        log_fail("cannot start", log_error_field(&err));
        status = err.code == ERR_CONFIG ? 2 : 1;
    } else {
        log_info("started", log_str("version", COLLECTOR_VERSION), log_str("collector", a.credentials.collector_id),
                 log_str("backend", a.credentials.api_url), log_int("servers", (int64_t)a.targets.len));
        notify_service_manager("READY=1");
        wait_for_signals(&a, &signals);
        notify_service_manager("STOPPING=1");
    }
    stop(&a, STOP_GRACE);
    named_spool_vec_done(&a.spools);
    target_vec_done(&a.targets);
    credentials_done(&a.credentials);
    settings_unref(a.settings);
    closep(&a.lock_fd);
    if (status == 0)
        log_info("stopped");
    return status;
}
