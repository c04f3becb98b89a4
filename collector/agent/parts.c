/* SPDX-License-Identifier: PostgreSQL */
/*
 * See parts.h. The order of a change: the sender stops, targets whose settings differ are stopped (their baseline is on
 * disk) and started anew, a sender starts with the new list. A spool outlives its target: what a server that was taken
 * out of the settings has left behind is still sent.
 */
#include "collector/agent/parts.h"

#include <errno.h>
#include <pthread.h>

#include "collector/agent/own_metrics.h"
#include "collector/agent/spools.h"
#include "collector/exporter/exporter.h"
#include "collector/link/certificate.h"
#include "collector/link/credentials.h"
#include "collector/version.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"
#include "lib/io/file.h"

#define STOP_GRACE   (5 * USEC_PER_SEC)
#define RELOAD_GRACE ((Usec)0)
#define START_SPREAD (60 * USEC_PER_SEC)
enum { START_TOGETHER = 4 };

DEFINE_VEC(TargetVec, target_vec, Target *)

struct Parts {
    SettingsRef *settings;
    RemoteConfig *remote;
    Credentials credentials; /* .api_url NULL: there is no backend, the collector is an exporter only */
    int lock_fd;             /* of state_dir */
    Usec started;            /* wall */
    Spools *spools;
    TargetVec targets;
    ConnectGate *gate;            /* of the targets */
    pthread_rwlock_t sender_lock; /* targets wake the sender; a reload replaces it */
    Sender *sender;
    pthread_mutex_t lists_lock; /* the exporter looks at targets and spools; a reload changes the lists */
    Snapshots *snapshots;       /* NULL: nobody scrapes */
    Exporter *exporter;
};

void parts_wake_sender(Parts *p)
{
    pthread_rwlock_rdlock(&p->sender_lock);
    if (p->sender)
        sender_wake(p->sender);
    pthread_rwlock_unlock(&p->sender_lock);
}

static Sender *exchange_sender(Parts *p, Sender *sender)
{
    pthread_rwlock_wrlock(&p->sender_lock);
    Sender *before = p->sender;
    p->sender = sender;
    pthread_rwlock_unlock(&p->sender_lock);
    return before;
}

static void wake_sender(void *arg)
{
    parts_wake_sender(arg);
}

/* --- Targets and sender ------------------------------------------------------------------------------------------- */

/* Batches of servers that are no longer in the settings. */
static void open_left_behind(Parts *p)
{
    if (p->credentials.api_url)
        spools_open_left_behind(p->spools, settings_get(p->settings));
}

static int start_target(Parts *p, const ServerSettings *server, Usec delay, Err *reterr)
{
    int r = p->credentials.api_url ? spools_open(p->spools, settings_get(p->settings), server->name, reterr) : 0;
    if (r < 0)
        return r;
    TargetOptions options = {
        .settings = p->settings,
        .server = server,
        .spool = spools_find(p->spools, server->name),
        .snapshots = p->snapshots,
        .gate = p->gate,
        .collector_id = p->credentials.collector_id,
        .delay = delay,
        .on_append = wake_sender,
        .arg = p,
    };
    Target *t = NULL;
    r = target_start(&t, &options, reterr);
    if (r < 0)
        return err_trace(r);
    target_vec_push(&p->targets, t);
    return 0;
}

static Target *find_target(const Parts *p, const char *name)
{
    for (size_t i = 0; i < p->targets.len; i++) {
        if (strcmp(target_name(p->targets.items[i]), name) == 0)
            return p->targets.items[i];
    }
    return NULL;
}

/* Starts those that do not run yet. One that cannot be started does not hinder the others. */
static size_t start_targets(Parts *p)
{
    const Settings *s = settings_get(p->settings);
    /* Not all at once: neither our host nor theirs, nor the backend, gets all of them in the same second. */
    const Usec spread = s->server_count <= START_TOGETHER ? 0 : s->interval < START_SPREAD ? s->interval : START_SPREAD;
    size_t failed = 0;
    for (size_t i = 0; i < s->server_count; i++) {
        Err err = ERR_INIT;
        if (find_target(p, s->servers[i].name))
            continue;
        if (start_target(p, &s->servers[i], (Usec)i * spread / (Usec)s->server_count, &err) < 0) {
            failed++;
            log_fail("server cannot be watched", log_str("server", s->servers[i].name), log_error_field(&err));
        }
    }
    return failed;
}

static void stop_all_targets(Parts *p)
{
    for (size_t i = 0; i < p->targets.len; i++)
        target_ask_to_stop(p->targets.items[i]);
    for (size_t i = 0; i < p->targets.len; i++)
        target_stop(p->targets.items[i]);
    target_vec_clear(&p->targets);
}

static int start_sender(Parts *p, Err *reterr)
{
    if (!p->credentials.api_url)
        return 0;
    const Settings *s = settings_get(p->settings);
    Spool **spools = mem_alloc_array(sizeof(Spool *), spools_count(p->spools) + 1);
    for (size_t i = 0; i < spools_count(p->spools); i++)
        spools[i] = spools_at(p->spools, i);
    SenderOptions options = {
        .api_url = p->credentials.api_url,
        .ca_file = p->credentials.ca_file,
        .cert_file = p->credentials.cert_file,
        .key_file = p->credentials.key_file,
        .renew_certificate = p->credentials.own_certificate,
        .verify = settings_verify(s),
        .state_dir = s->state_dir,
        .token = p->credentials.token,
        .collector_id = p->credentials.collector_id,
        .flush_interval = s->flush_interval,
        .stall = s->stall,
        .remote = p->remote,
    };
    Sender *sender = NULL;
    int r = sender_start(&sender, &options, spools, spools_count(p->spools), reterr);
    free((void *)spools);
    if (r >= 0)
        (void)exchange_sender(p, sender); /* there was none */
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
    Parts *p = arg;
    if (pthread_mutex_trylock(&p->lists_lock) != 0)
        return;
    OwnPart *parts = mem_alloc_array(sizeof(*parts), p->targets.len + spools_count(p->spools) + 1);
    size_t count = 0;
    for (size_t i = 0; i < p->targets.len; i++)
        find_part(parts, &count, target_name(p->targets.items[i]))->target = target_stats(p->targets.items[i]);
    for (size_t i = 0; i < spools_count(p->spools); i++) {
        OwnPart *part = find_part(parts, &count, spools_name(p->spools, i));
        part->has_spool = true;
        spool_stats(spools_at(p->spools, i), &part->spool);
    }
    pthread_rwlock_rdlock(&p->sender_lock);
    own_metrics_write(parts, count, p->sender ? sender_stats(p->sender) : NULL, out, format);
    pthread_rwlock_unlock(&p->sender_lock);
    free(parts);
    pthread_mutex_unlock(&p->lists_lock);
}

static int start_exporter(Parts *p, Err *reterr)
{
    const Settings *s = settings_get(p->settings);
    if (!s->prometheus_listen[0] || p->exporter)
        return 0;
    ExporterOptions options = {.listen = s->prometheus_listen,
                               .token = s->prometheus_token,
                               .snapshots = p->snapshots,
                               .on_own_metrics = write_own_metrics,
                               .arg = p};
    return err_trace(exporter_start(&p->exporter, &options, reterr));
}

/* Before targets are started: they keep what they are given. */
static void prepare_snapshots(Parts *p)
{
    bool wanted = settings_get(p->settings)->prometheus_listen[0] != '\0';
    if (wanted && !p->snapshots)
        p->snapshots = snapshots_new(0);
    else if (!wanted)
        p->snapshots = snapshots_free(p->snapshots);
}

/* --- Start, reload, stop ------------------------------------------------------------------------------------------ */

/* Of the certificate, when the process was killed in the middle of it. */
static void finish_renewal(const Settings *s)
{
    Err err = ERR_INIT;
    if (certificate_finish(s->state_dir, &err) < 0)
        log_warn("renewed certificate could not be put in its place", log_error_field(&err));
}

/* Only who keeps something there needs the directory; and two of us would send twice. */
static int take_state_dir(Parts *p, Err *reterr)
{
    const char *directory = settings_get(p->settings)->state_dir;
    _cleanup_buf_ Buf lock = BUF_INIT;
    buf_printf(&lock, "%s/lock", directory);
    if (p->lock_fd >= 0)
        return 0;
    int r = dir_ensure(directory, 0700, reterr);
    if (r >= 0)
        r = file_lock(buf_cstr(&lock), &p->lock_fd, reterr);
    if (r == -EACCES || r == -EPERM || r == -EROFS)
        err_hint(reterr, "state_dir must be a directory that the collector's user may write; the systemd unit lets it "
                         "write only /var/lib/pganalytics");
    return err_trace(r);
}

int parts_start(Parts *p, Err *reterr)
{
    const Settings *s = settings_get(p->settings);
    int r = credentials_load(&p->credentials, s, reterr);
    if (r != CREDENTIALS_NONE) {
        credentials_done(&p->credentials);
        r = take_state_dir(p, reterr);
        if (r >= 0) {
            finish_renewal(s);
            r = credentials_load(&p->credentials, s, reterr);
        }
    }
    if (r < 0)
        return err_trace(r);
    warn_of_settings(s);
    prepare_snapshots(p);
    r = start_exporter(p, reterr); /* before the servers are asked: an address that is taken is told at once */
    if (r < 0)
        return err_trace(r);
    pthread_mutex_lock(&p->lists_lock);
    bool none = start_targets(p) == s->server_count;
    if (!none)
        open_left_behind(p);
    pthread_mutex_unlock(&p->lists_lock);
    if (none)
        return err_set(reterr, ERR_IO, "none of the servers can be watched");
    return err_trace(start_sender(p, reterr));
}

static void stop(Parts *p)
{
    p->exporter = exporter_stop(p->exporter);
    stop_all_targets(p);
    Sender *sender = exchange_sender(p, NULL);
    if (sender)
        sender_stop(sender, STOP_GRACE);
    spools_clear(p->spools);
    p->snapshots = snapshots_free(p->snapshots);
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
static void stop_changed_targets(Parts *p, const Settings *now, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; all && i < p->targets.len; i++)
        target_ask_to_stop(p->targets.items[i]); /* their last ticks go on side by side */
    for (size_t i = 0; i < p->targets.len; i++) {
        const ServerSettings *server = find_server(now, target_name(p->targets.items[i]));
        if (!all && server && server_settings_equal(server, target_server(p->targets.items[i])))
            p->targets.items[kept++] = p->targets.items[i];
        else
            target_stop(p->targets.items[i]);
    }
    p->targets.len = kept;
}

static void note_restart_key(void *arg, const ConfKey *key)
{
    (void)arg;
    if (!(key->flags & CONF_RELOADABLE))
        log_warn("setting takes effect at the next start", log_str("section", key->section), log_str("key", key->name));
}

static bool same_collector(const Credentials *a, const Credentials *b)
{
    if (!a->collector_id || !b->collector_id)
        return a->collector_id == b->collector_id; /* both without a backend */
    return strcmp(a->collector_id, b->collector_id) == 0;
}

/* Whatever can fail comes first, before anything is changed. */
static int prepare_reload(Parts *p, const Settings *now, Credentials *ret_credentials, Err *reterr)
{
    if (strcmp(settings_get(p->settings)->state_dir, now->state_dir) != 0)
        return err_set(reterr, ERR_CONFIG, "state_dir cannot change while the collector runs");
    int r = credentials_load(ret_credentials, now, reterr);
    if (r >= 0 && ret_credentials->api_url)
        r = take_state_dir(p, reterr);
    return r < 0 ? err_trace(r) : 0; /* CREDENTIALS_NONE is fine */
}

/* What has to begin anew with other settings. */
typedef struct Renewed {
    bool exporter;
    bool spools;
    bool targets; /* all of them; else those whose own settings differ */
} Renewed;

static Renewed compare_settings(const Parts *p, const Settings *now, const Credentials *credentials)
{
    const Settings *before = settings_get(p->settings);
    bool was_scraped = before->prometheus_listen[0], is_scraped = now->prometheus_listen[0];
    bool spools = before->buffer_max_bytes != now->buffer_max_bytes || before->buffer_max_size != now->buffer_max_size;
    return (Renewed){
        .exporter = !p->exporter || !settings_exporter_alike(before, now),
        .spools = spools,
        .targets = spools || was_scraped != is_scraped || !settings_collect_alike(before, now) ||
                   !same_collector(&p->credentials, credentials),
    };
}

int parts_reload(Parts *p, SettingsRef *fresh, Err *reterr)
{
    const Settings *now = settings_get(fresh);
    _cleanup_(credentials_done) Credentials credentials = {0};
    Err err = ERR_INIT;
    int r = prepare_reload(p, now, &credentials, reterr);
    if (r < 0)
        return err_trace(r);
    conf_keys_changed(settings_keys(), settings_get(p->settings), now, note_restart_key, NULL);
    const Renewed renewed = compare_settings(p, now, &credentials);

    Sender *sender = exchange_sender(p, NULL);
    if (sender)
        sender_stop(sender, RELOAD_GRACE);
    if (renewed.exporter)
        p->exporter = exporter_stop(p->exporter);
    pthread_mutex_lock(&p->lists_lock);
    stop_changed_targets(p, now, renewed.targets);
    if (renewed.spools || !credentials.api_url)
        spools_clear(p->spools);
    credentials_done(&p->credentials);
    p->credentials = credentials;
    credentials = (Credentials){0};
    settings_unref(p->settings);
    p->settings = settings_ref(fresh);
    warn_of_settings(now);
    prepare_snapshots(p);
    (void)start_targets(p); /* logged there */
    open_left_behind(p);
    pthread_mutex_unlock(&p->lists_lock);
    if (start_exporter(p, &err) < 0)
        log_fail("nothing can be scraped until the next reload", log_error_field(&err));
    if (start_sender(p, &err) < 0)
        log_fail("nothing is sent until the next reload", log_error_field(&err));
    return 0;
}

size_t parts_change_collection(Parts *p, SettingsRef *fresh)
{
    const Settings *now = settings_get(fresh);
    size_t before = p->targets.len;
    pthread_mutex_lock(&p->lists_lock);
    if (!settings_collect_alike(settings_get(p->settings), now))
        stop_changed_targets(p, now, true);
    settings_unref(p->settings);
    p->settings = settings_ref(fresh);
    (void)start_targets(p); /* logged there */
    pthread_mutex_unlock(&p->lists_lock);
    return p->targets.len < before ? before - p->targets.len : 0;
}

/* --- How it goes -------------------------------------------------------------------------------------------------- */

PartsProgress parts_progress(const Parts *p)
{
    PartsProgress ret = {.all_looked = true};
    for (size_t i = 0; i < p->targets.len; i++) {
        const TargetStats *stats = target_stats(p->targets.items[i]);
        ret.all_looked &= stats->ticks > 0;
        ret.families_read += stats->families_read;
        ret.families_failed += stats->families_failed;
    }
    return ret;
}

const char *parts_find_stuck(const Parts *p, Usec now)
{
    for (size_t i = 0; i < p->targets.len; i++) {
        if (atomic_load(&target_stats(p->targets.items[i])->alive_until) < now)
            return target_name(p->targets.items[i]);
    }
    return p->sender && atomic_load(&sender_stats(p->sender)->alive_until) < now ? "the sender" : NULL;
}

StatusInput parts_describe(const Parts *p)
{
    StatusServer *servers = mem_alloc_array(sizeof(*servers), p->targets.len + spools_count(p->spools) + 1);
    size_t count = 0;
    for (size_t i = 0; i < p->targets.len; i++) {
        const char *name = target_name(p->targets.items[i]);
        servers[count++] =
            (StatusServer){.name = name, .target = p->targets.items[i], .spool = spools_find(p->spools, name)};
    }
    for (size_t i = 0; i < spools_count(p->spools); i++) {
        const char *name = spools_name(p->spools, i);
        if (!find_target(p, name))
            servers[count++] = (StatusServer){.name = name, .spool = spools_at(p->spools, i)};
    }
    return (StatusInput){.now_wall = clock_wall(),
                         .now = clock_monotonic(),
                         .started = p->started,
                         .collector_id = p->credentials.collector_id,
                         .api_url = p->credentials.api_url,
                         .sender = p->sender,
                         .servers = servers,
                         .server_count = count,
                         .memory_limit = settings_get(p->settings)->memory};
}

void parts_log_started(const Parts *p)
{
    const char *listen = settings_get(p->settings)->prometheus_listen;
    int64_t servers = (int64_t)p->targets.len;
    if (!p->credentials.api_url)
        log_info("started as an exporter only: no backend is set", log_str("version", COLLECTOR_VERSION),
                 log_str("metrics", listen), log_int("servers", servers));
    else
        log_info("started", log_str("version", COLLECTOR_VERSION), log_str("collector", p->credentials.collector_id),
                 log_str("backend", p->credentials.api_url), log_str("metrics", listen[0] ? listen : NULL),
                 log_int("servers", servers));
}

/* --- Making and freeing ------------------------------------------------------------------------------------------- */

Parts *parts_new(SettingsRef *settings, RemoteConfig *remote)
{
    Parts *p = mem_alloc(sizeof(*p));
    *p = (Parts){.settings = settings_ref(settings),
                 .remote = remote,
                 .spools = spools_new(),
                 .gate = connect_gate_new(),
                 .lock_fd = -1,
                 .started = clock_wall(),
                 .sender_lock = PTHREAD_RWLOCK_INITIALIZER,
                 .lists_lock = PTHREAD_MUTEX_INITIALIZER};
    return p;
}

Parts *parts_free(Parts *p)
{
    if (!p)
        return NULL;
    stop(p);
    spools_free(p->spools);
    connect_gate_free(p->gate);
    target_vec_done(&p->targets);
    credentials_done(&p->credentials);
    settings_unref(p->settings);
    closep(&p->lock_fd);
    pthread_rwlock_destroy(&p->sender_lock);
    pthread_mutex_destroy(&p->lists_lock);
    free(p);
    return NULL;
}

SettingsRef *parts_settings(const Parts *p)
{
    return p->settings;
}

size_t parts_target_count(const Parts *p)
{
    return p->targets.len;
}
