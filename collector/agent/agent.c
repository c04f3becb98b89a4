/* SPDX-License-Identifier: PostgreSQL */
/*
 * See agent.h. Signals are blocked in every thread and read from a descriptor here, so no code runs in a handler; the
 * same loop answers "pganalytics status" and tells the service manager that all threads come forward.
 *
 * A reload reads everything anew and checks it; on any fault the agent goes on as it was. Then the sender stops,
 * targets whose settings differ are stopped (their baseline is on disk) and started anew, and a sender starts with the
 * new list. What the backend says is collected comes by SIGUSR1 from the sender's thread: targets are started anew with
 * it while everything else goes on, and it is kept once a family was read with it. A spool outlives its target: what a
 * server that was taken out of the settings has left behind is still sent.
 */
#include "collector/agent/agent.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "collector/agent/limits.h"
#include "collector/agent/notify.h"
#include "collector/agent/own_metrics.h"
#include "collector/agent/status.h"
#include "collector/agent/status_socket.h"
#include "collector/agent/target.h"
#include "collector/exporter/exporter.h"
#include "collector/link/certificate.h"
#include "collector/link/credentials.h"
#include "collector/link/remote_config.h"
#include "collector/link/sender.h"
#include "collector/version.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"
#include "lib/io/file.h"

#define STOP_GRACE   (5 * USEC_PER_SEC)
#define RELOAD_GRACE ((Usec)0)
#define TRIAL_LOOK   (USEC_PER_SEC / 5)  /* how often the targets are looked at while a configuration is tried */
#define TRIAL_EXTRA  (30 * USEC_PER_SEC) /* how long, besides two intervals */

#define START_SPREAD (60 * USEC_PER_SEC)
enum { START_TOGETHER = 4 };

typedef struct NamedSpool {
    char *name; /* of the server */
    Spool *spool;
} NamedSpool;

DEFINE_VEC(NamedSpoolVec, named_spool_vec, NamedSpool)
DEFINE_VEC(TargetVec, target_vec, Target *)

/* A configuration of the backend that has yet to show that it can run. */
typedef struct Trial {
    bool on;
    Usec until;          /* monotonic */
    SettingsRef *before; /* goes back to them */
} Trial;

typedef struct Agent {
    const char *config;
    RemoteConfig *remote;
    Trial trial;
    pthread_t main_thread;
    SettingsRef *settings;
    Credentials credentials; /* .api_url NULL: there is no backend, the collector is an exporter only */
    int lock_fd;
    int signal_fd;
    int status_fd;
    Usec started;           /* wall */
    Usec watchdog_interval; /* 0: nobody asks */
    Usec watchdog_at;       /* monotonic */
    Complain stuck_complain;
    NamedSpoolVec spools;
    TargetVec targets;
    pthread_rwlock_t sender_lock; /* targets wake the sender; a reload replaces it */
    Sender *sender;
    pthread_mutex_t parts_lock; /* the exporter looks at targets and spools; a reload changes the lists */
    Snapshots *snapshots;       /* NULL: nobody scrapes */
    Exporter *exporter;
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
    if (!a->credentials.api_url)
        return;
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

static int start_target(Agent *a, const ServerSettings *server, Usec delay, Err *reterr)
{
    int r = a->credentials.api_url ? open_spool(a, server->name, reterr) : 0;
    if (r < 0)
        return r;
    TargetOptions options = {
        .settings = a->settings,
        .server = server,
        .spool = find_spool(a, server->name),
        .snapshots = a->snapshots,
        .collector_id = a->credentials.collector_id,
        .delay = delay,
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

static Target *find_target(const Agent *a, const char *name)
{
    for (size_t i = 0; i < a->targets.len; i++) {
        if (strcmp(target_name(a->targets.items[i]), name) == 0)
            return a->targets.items[i];
    }
    return NULL;
}

/* Starts those that do not run yet. One that cannot be started does not hinder the others. */
static size_t start_targets(Agent *a)
{
    const Settings *s = settings_get(a->settings);
    /* Not all at once: neither our host nor theirs, nor the backend, gets all of them in the same second. */
    const Usec spread = s->server_count <= START_TOGETHER ? 0 : s->interval < START_SPREAD ? s->interval : START_SPREAD;
    size_t failed = 0;
    for (size_t i = 0; i < s->server_count; i++) {
        Err err = ERR_INIT;
        if (find_target(a, s->servers[i].name))
            continue;
        if (start_target(a, &s->servers[i], (Usec)i * spread / (Usec)s->server_count, &err) < 0) {
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
    if (!a->credentials.api_url)
        return 0;
    const Settings *s = settings_get(a->settings);
    Spool **spools = mem_alloc_array(sizeof(Spool *), a->spools.len + 1);
    for (size_t i = 0; i < a->spools.len; i++)
        spools[i] = a->spools.items[i].spool;
    SenderOptions options = {
        .api_url = a->credentials.api_url,
        .ca_file = a->credentials.ca_file,
        .cert_file = a->credentials.cert_file,
        .key_file = a->credentials.key_file,
        .renew_certificate = a->credentials.own_certificate,
        .verify = settings_verify(s),
        .state_dir = s->state_dir,
        .token = a->credentials.token,
        .collector_id = a->credentials.collector_id,
        .flush_interval = s->flush_interval,
        .stall = s->stall,
        .remote = a->remote,
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
    if (s->prometheus_listen[0] && s->prometheus_open && !s->prometheus_token[0])
        log_warn("prometheus.without_token is true: whoever reaches the exporter can read names and figures");
}

/* --- Exporter ----------------------------------------------------------------------------------------------------- */

static OwnPart *find_part(OwnPart *parts, size_t *count, const char *server)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(parts[i].server, server) == 0)
            return &parts[i];
    }
    parts[*count] = (OwnPart){.server = server};
    return &parts[(*count)++];
}

/* On the exporter's thread. While a reload changes the lists they are not looked at: a scrape does not wait. */
static void write_own_metrics(void *arg, Buf *out, ExpositionFormat format)
{
    Agent *a = arg;
    if (pthread_mutex_trylock(&a->parts_lock) != 0)
        return;
    OwnPart *parts = mem_alloc_array(sizeof(*parts), a->targets.len + a->spools.len + 1);
    size_t count = 0;
    for (size_t i = 0; i < a->targets.len; i++)
        find_part(parts, &count, target_name(a->targets.items[i]))->target = target_stats(a->targets.items[i]);
    for (size_t i = 0; i < a->spools.len; i++) {
        OwnPart *part = find_part(parts, &count, a->spools.items[i].name);
        part->has_spool = true;
        spool_stats(a->spools.items[i].spool, &part->spool);
    }
    pthread_rwlock_rdlock(&a->sender_lock);
    own_metrics_write(parts, count, a->sender ? sender_stats(a->sender) : NULL, out, format);
    pthread_rwlock_unlock(&a->sender_lock);
    free(parts);
    pthread_mutex_unlock(&a->parts_lock);
}

static int start_exporter(Agent *a, Err *reterr)
{
    const Settings *s = settings_get(a->settings);
    if (!s->prometheus_listen[0] || a->exporter)
        return 0;
    ExporterOptions options = {.listen = s->prometheus_listen,
                               .token = s->prometheus_token,
                               .snapshots = a->snapshots,
                               .on_own_metrics = write_own_metrics,
                               .arg = a};
    return err_trace(exporter_start(&a->exporter, &options, reterr));
}

/* Before targets are started: they keep what they are given. */
static void prepare_snapshots(Agent *a)
{
    bool wanted = settings_get(a->settings)->prometheus_listen[0] != '\0';
    if (wanted && !a->snapshots)
        a->snapshots = snapshots_new(0);
    else if (!wanted)
        a->snapshots = snapshots_free(a->snapshots);
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

/* Of the certificate, when the process was killed in the middle of it. */
static void finish_renewal(const Settings *s)
{
    Err err = ERR_INIT;
    if (certificate_finish(s->state_dir, &err) < 0)
        log_warn("renewed certificate could not be put in its place", log_error_field(&err));
}

/* Only who keeps something there needs the directory; and two of us would send twice. */
static int take_state_dir(Agent *a, Err *reterr)
{
    const char *directory = settings_get(a->settings)->state_dir;
    _cleanup_buf_ Buf lock = BUF_INIT;
    buf_printf(&lock, "%s/lock", directory);
    if (a->lock_fd >= 0)
        return 0;
    int r = dir_ensure(directory, 0700, reterr);
    if (r >= 0)
        r = file_lock(buf_cstr(&lock), &a->lock_fd, reterr);
    return err_trace(r);
}

static int start(Agent *a, Err *reterr)
{
    const Settings *s = settings_get(a->settings);
    int r = credentials_load(&a->credentials, s, reterr);
    if (r != CREDENTIALS_NONE) {
        credentials_done(&a->credentials);
        r = take_state_dir(a, reterr);
        if (r >= 0) {
            finish_renewal(s);
            r = credentials_load(&a->credentials, s, reterr);
        }
    }
    if (r < 0)
        return err_trace(r);
    warn_of_settings(s);
    prepare_snapshots(a);
    r = start_exporter(a, reterr); /* before the servers are asked: an address that is taken is told at once */
    if (r < 0)
        return err_trace(r);
    pthread_mutex_lock(&a->parts_lock);
    bool none = start_targets(a) == s->server_count;
    if (!none)
        open_left_behind(a);
    pthread_mutex_unlock(&a->parts_lock);
    if (none)
        return err_set(reterr, ERR_IO, "none of the servers can be watched");
    return err_trace(start_sender(a, reterr));
}

static void stop(Agent *a, Usec grace)
{
    a->exporter = exporter_stop(a->exporter);
    stop_all_targets(a);
    Sender *sender = exchange_sender(a, NULL);
    if (sender)
        sender_stop(sender, grace);
    close_spools(a);
    a->snapshots = snapshots_free(a->snapshots);
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
    for (size_t i = 0; all && i < a->targets.len; i++)
        target_ask_to_stop(a->targets.items[i]); /* their last ticks go on side by side */
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

/* The file, and the backend's document that is in force. */
static SettingsRef *load_settings(const Agent *a, ConfDiags *diags)
{
    _cleanup_buf_ Buf document = BUF_INIT;
    char name[48];
    int64_t version = a->remote ? remote_config_current(a->remote, &document) : 0;
    (void)snprintf(name, sizeof(name), "configuration %lld", (long long)version); /* fits */
    return settings_load_with(a->config, version > 0 ? buf_slice(&document) : SLICE_NULL, name, diags);
}

static bool same_collector(const Credentials *a, const Credentials *b)
{
    if (!a->collector_id || !b->collector_id)
        return a->collector_id == b->collector_id; /* both without a backend */
    return strcmp(a->collector_id, b->collector_id) == 0;
}

static void reload(Agent *a)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *fresh = load_settings(a, diags);
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
    if (credentials.api_url && take_state_dir(a, &err) < 0) {
        log_fail("settings are kept as they were", log_error_field(&err));
        credentials_done(&credentials);
        return;
    }
    conf_keys_changed(settings_keys(), before, now, note_restart_key, NULL);
    bool exporter = settings_exporter_alike(before, now) && a->exporter;
    bool scraped = before->prometheus_listen[0] && now->prometheus_listen[0];
    bool all = !settings_collect_alike(before, now) || !same_collector(&a->credentials, &credentials) ||
               (!scraped && (before->prometheus_listen[0] || now->prometheus_listen[0]));
    bool spools = before->buffer_max_bytes != now->buffer_max_bytes || before->buffer_max_size != now->buffer_max_size;

    Sender *sender = exchange_sender(a, NULL);
    if (sender)
        sender_stop(sender, RELOAD_GRACE);
    if (!exporter)
        a->exporter = exporter_stop(a->exporter);
    pthread_mutex_lock(&a->parts_lock);
    stop_changed_targets(a, now, all || spools);
    if (spools || !credentials.api_url)
        close_spools(a);
    credentials_done(&a->credentials);
    a->credentials = credentials;
    settings_unref(a->settings);
    a->settings = TAKE_PTR(fresh);
    warn_of_settings(settings_get(a->settings));
    prepare_snapshots(a);
    (void)start_targets(a); /* logged there */
    open_left_behind(a);
    pthread_mutex_unlock(&a->parts_lock);
    if (start_exporter(a, &err) < 0)
        log_fail("nothing can be scraped until the next reload", log_error_field(&err));
    if (start_sender(a, &err) < 0)
        log_fail("nothing is sent until the next reload", log_error_field(&err));
    log_info("settings were read anew", log_int("servers", (int64_t)a->targets.len));
}

/* --- What the backend says ---------------------------------------------------------------------------------------- */

/* On the sender's thread. */
static void tell_main_thread(void *arg)
{
    const Agent *a = arg;
    (void)pthread_kill(a->main_thread, SIGUSR1); /* the thread is there as long as senders are */
}

/* What is collected changes, nothing else: spools, sender and connections' settings stay. Gives how many servers are
 * not watched any more. */
static size_t change_collection(Agent *a, SettingsRef *fresh)
{
    const Settings *now = settings_get(fresh);
    size_t before = a->targets.len;
    pthread_mutex_lock(&a->parts_lock);
    if (!settings_collect_alike(settings_get(a->settings), now))
        stop_changed_targets(a, now, true);
    settings_unref(a->settings);
    a->settings = settings_ref(fresh);
    (void)start_targets(a); /* logged there */
    pthread_mutex_unlock(&a->parts_lock);
    return a->targets.len < before ? before - a->targets.len : 0;
}

static void end_trial(Agent *a)
{
    a->trial.on = false;
    a->trial.before = settings_unref(a->trial.before);
    wake_sender(a); /* it tells the backend */
}

static void roll_back(Agent *a, const char *reason)
{
    remote_config_refuse(a->remote, reason);
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *again = load_settings(a, diags); /* with what the file says by now */
    (void)change_collection(a, again ? again : a->trial.before);             /* as it was: nothing better is known */
    end_trial(a);
}

/* The first fault, and that there are more: a sentence for whoever wrote the document. */
static void refuse_faults(Agent *a, const ConfDiags *diags)
{
    _cleanup_buf_ Buf reason = BUF_INIT;
    const ConfDiag *d = conf_diags_at(diags, 0);
    buf_printf(&reason, "%s, line %u: %s%s%s%s", d->file, (unsigned)d->line, d->key, d->key[0] ? ": " : "", d->message,
               conf_diags_count(diags) > 1 ? " (and more faults)" : "");
    log_diags(diags);
    if (a->trial.on) { /* what is in force has not shown yet that it can run: back to what has */
        roll_back(a, buf_cstr(&reason));
        return;
    }
    remote_config_refuse(a->remote, buf_cstr(&reason));
    wake_sender(a);
}

static void try_configuration(Agent *a)
{
    if (!remote_config_try(a->remote))
        return;
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *fresh = load_settings(a, diags);
    if (!fresh) {
        refuse_faults(a, diags);
        return;
    }
    bool changes_nothing = !a->trial.on && settings_collect_alike(settings_get(a->settings), settings_get(fresh));
    if (!a->trial.on)
        a->trial.before = settings_ref(a->settings);
    a->trial.on = true;
    a->trial.until = clock_monotonic() + TRIAL_EXTRA + 2 * settings_get(fresh)->interval;
    if (change_collection(a, fresh) > 0) {
        roll_back(a, "a server could not be watched with it: the collector's log says why");
    } else if (changes_nothing) {
        remote_config_accept(a->remote);
        end_trial(a);
    }
}

/* One family that is read is enough: others may be at fault by themselves. Nothing is said while servers are away. */
static void judge_trial(Agent *a)
{
    uint64_t read = 0, failed = 0;
    bool all_looked = true;
    for (size_t i = 0; i < a->targets.len; i++) {
        const TargetStats *stats = target_stats(a->targets.items[i]);
        all_looked &= stats->ticks > 0;
        read += stats->families_read;
        failed += stats->families_failed;
    }
    bool over = clock_monotonic() >= a->trial.until;
    if (read == 0 && failed > 0 && (all_looked || over)) {
        roll_back(a, "no family of any server could be read with it: the collector's log says why");
    } else if (read > 0 || over || (all_looked && failed == 0)) {
        remote_config_accept(a->remote);
        end_trial(a);
    }
}

/* --- Who asks how we are ------------------------------------------------------------------------------------------ */

/* The servers are in an array that the caller frees: those that are watched, then those that have only left batches. */
static StatusInput describe(const Agent *a)
{
    StatusServer *servers = mem_alloc_array(sizeof(*servers), a->targets.len + a->spools.len + 1);
    size_t count = 0;
    for (size_t i = 0; i < a->targets.len; i++) {
        const char *name = target_name(a->targets.items[i]);
        servers[count++] = (StatusServer){.name = name, .target = a->targets.items[i], .spool = find_spool(a, name)};
    }
    for (size_t i = 0; i < a->spools.len; i++) {
        const NamedSpool *s = &a->spools.items[i];
        if (!find_target(a, s->name))
            servers[count++] = (StatusServer){.name = s->name, .spool = s->spool};
    }
    return (StatusInput){.now_wall = clock_wall(),
                         .now = clock_monotonic(),
                         .started = a->started,
                         .collector_id = a->credentials.collector_id,
                         .api_url = a->credentials.api_url,
                         .sender = a->sender,
                         .servers = servers,
                         .server_count = count,
                         .memory_limit = settings_get(a->settings)->memory};
}

static void answer_status(const Agent *a)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    const StatusInput input = describe(a);
    (void)status_write(&input, &text); /* whether all is well stands in it */
    free((void *)(uintptr_t)input.servers);
    status_socket_answer(a->status_fd, buf_slice(&text));
}

/* The name of a thread that did not come forward in time; NULL: all did. */
static const char *find_stuck(const Agent *a, Usec now)
{
    for (size_t i = 0; i < a->targets.len; i++) {
        if (atomic_load(&target_stats(a->targets.items[i])->alive_until) < now)
            return target_name(a->targets.items[i]);
    }
    return a->sender && atomic_load(&sender_stats(a->sender)->alive_until) < now ? "the sender" : NULL;
}

static void feed_watchdog(Agent *a)
{
    const Usec now = clock_monotonic();
    const char *stuck = find_stuck(a, now);
    a->watchdog_at = now + a->watchdog_interval;
    if (stuck && complain_due(&a->stuck_complain, now))
        log_fail("a thread is stuck, the watchdog is not told that all is well", log_str("thread", stuck));
    if (stuck)
        return;
    (void)complain_recovered(&a->stuck_complain, now); /* the next one is told at once */
    _cleanup_buf_ Buf state = BUF_INIT;
    const StatusInput input = describe(a);
    buf_append_cstr(&state, "WATCHDOG=1\n");
    status_write_line(&input, &state);
    free((void *)(uintptr_t)input.servers);
    notify_service_manager(buf_cstr(&state));
}

static int time_to_wait_ms(const Agent *a)
{
    Usec wait = a->trial.on ? TRIAL_LOOK : USEC_NEVER;
    const Usec until_watchdog = a->watchdog_interval > 0 ? a->watchdog_at - clock_monotonic() : USEC_NEVER;
    wait = until_watchdog < wait ? until_watchdog : wait;
    return wait == USEC_NEVER ? -1 : wait > 0 ? (int)(wait / USEC_PER_MSEC) + 1 : 0;
}

/* 0: it is time to look at the trial, or somebody asked. */
static int next_signal(Agent *a)
{
    struct pollfd ready[] = {{.fd = a->signal_fd, .events = POLLIN}, {.fd = a->status_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    (void)poll(ready, ARRAY_LENGTH(ready),
               time_to_wait_ms(a)); /* interrupted: nothing is ready, the caller comes again */
    if (a->watchdog_interval > 0 && clock_monotonic() >= a->watchdog_at)
        feed_watchdog(a);
    if (ready[1].revents & POLLIN)
        answer_status(a);
    if ((ready[0].revents & POLLIN) && read(a->signal_fd, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

/* Without it all else works. */
static void listen_for_status(Agent *a)
{
    Err err = ERR_INIT;
    if (status_socket_listen(settings_get(a->settings)->state_dir, &a->status_fd, &err) < 0)
        log_warn("\"pganalytics status\" will not work", log_error_field(&err));
}

static void wait_for_signals(Agent *a)
{
    for (;;) {
        int number = next_signal(a);
        if (a->trial.on)
            judge_trial(a);
        if (number == SIGUSR1)
            try_configuration(a);
        if (number == 0 || number == SIGUSR1)
            continue;
        if (number != SIGHUP) {
            log_info("stopping", log_str("signal", strsignal(number)));
            return;
        }
        notify_service_manager("RELOADING=1");
        remote_config_retry(a->remote);
        reload(a);
        notify_service_manager("READY=1");
    }
}

/* The last good document of the backend, which needs no backend. One that cannot be read any more (the file says
 * something else by now) is left aside until the backend gives another. */
static void load_configuration(Agent *a)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Err err = ERR_INIT;
    a->remote = remote_config_new(settings_get(a->settings)->state_dir, tell_main_thread, a);
    if (remote_config_load(a->remote, &err) < 0)
        log_warn("the last configuration could not be read", log_error_field(&err));
    SettingsRef *both = load_settings(a, diags);
    if (both) {
        settings_unref(a->settings);
        a->settings = both;
    } else {
        log_diags(diags);
        log_fail("the backend's configuration is left aside", log_int("faults", (int64_t)conf_diags_count(diags)));
        remote_config_reject_good(a->remote, conf_diags_at(diags, 0)->message);
    }
}

static void log_started(const Agent *a)
{
    const char *listen = settings_get(a->settings)->prometheus_listen;
    int64_t servers = (int64_t)a->targets.len;
    if (!a->credentials.api_url)
        log_info("started as an exporter only: no backend is set", log_str("version", COLLECTOR_VERSION),
                 log_str("metrics", listen), log_int("servers", servers));
    else
        log_info("started", log_str("version", COLLECTOR_VERSION), log_str("collector", a->credentials.collector_id),
                 log_str("backend", a->credentials.api_url), log_str("metrics", listen[0] ? listen : NULL),
                 log_int("servers", servers));
}

int agent_run(const char *config)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGPIPE); /* a closed connection is an error code, not a death */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGPIPE);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);

    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Agent a = {.config = config,
               .lock_fd = -1,
               .sender_lock = PTHREAD_RWLOCK_INITIALIZER,
               .parts_lock = PTHREAD_MUTEX_INITIALIZER,
               .signal_fd = signal_fd,
               .status_fd = -1,
               .started = clock_wall(),
               .main_thread = pthread_self()};
    a.settings = settings_load(config, diags);
    if (a.settings)
        load_configuration(&a);
    if (!a.settings) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    Err err = ERR_INIT;
    int status = 0;
    (void)limits_apply(settings_get(a.settings)); /* without the fence all else works */
    if (start(&a, &err) < 0) {
        log_fail("cannot start", log_error_field(&err));
        status = err.code == ERR_CONFIG ? 2 : 1;
    } else {
        log_started(&a);
        listen_for_status(&a);
        a.watchdog_interval = notify_watchdog_interval();
        notify_service_manager("READY=1");
        wait_for_signals(&a);
        notify_service_manager("STOPPING=1");
        status_socket_remove(settings_get(a.settings)->state_dir);
    }
    stop(&a, STOP_GRACE);
    named_spool_vec_done(&a.spools);
    target_vec_done(&a.targets);
    credentials_done(&a.credentials);
    settings_unref(a.settings);
    settings_unref(a.trial.before);
    remote_config_free(a.remote);
    closep(&a.lock_fd);
    closep(&a.signal_fd);
    closep(&a.status_fd);
    if (status == 0)
        log_info("stopped");
    return status;
}
