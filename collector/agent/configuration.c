/* SPDX-License-Identifier: PostgreSQL */
/* See configuration.h. */
#include "collector/agent/configuration.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "lib/base/memory.h"

#define TRIAL_EXTRA (30 * USEC_PER_SEC) /* how long a trial may take, besides two intervals */

/* A document of the backend that has yet to show that it can run. */
typedef struct Trial {
    bool on;
    Usec until;          /* monotonic */
    SettingsRef *before; /* goes back to them */
} Trial;

struct Configuration {
    const char *path;
    RemoteConfig *remote;
    SettingsRef *initial;
    bool file_refused;
    Trial trial;
};

/* The file, and the backend's document that is in force. */
static SettingsRef *load(const Configuration *c, ConfDiags *diags)
{
    _cleanup_buf_ Buf document = BUF_INIT;
    char name[48];
    int64_t version = remote_config_current(c->remote, &document);
    (void)snprintf(name, sizeof(name), "configuration %lld", (long long)version); /* fits */
    return settings_load_with(c->path, version > 0 ? buf_slice(&document) : SLICE_NULL, name, diags);
}

static void log_diags(const ConfDiags *diags)
{
    for (size_t i = 0; i < conf_diags_count(diags); i++) {
        const ConfDiag *d = conf_diags_at(diags, i);
        log_fail("setting is not valid", log_str("file", d->file), log_int("line", d->line),
                 log_str("section", d->section), log_str("key", d->key), log_str("fault", d->message),
                 log_str("hint", d->hint));
    }
}

/* --- The start ---------------------------------------------------------------------------------------------------- */

static void add_document(Configuration *c)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Err err = ERR_INIT;
    if (remote_config_load(c->remote, &err) < 0)
        log_warn("the last configuration could not be read", log_error_field(&err));
    SettingsRef *both = load(c, diags);
    if (both) {
        settings_unref(c->initial);
        c->initial = both;
    } else {
        log_diags(diags);
        log_fail("the backend's configuration is left aside", log_int("faults", (int64_t)conf_diags_count(diags)));
        remote_config_reject_good(c->remote, conf_diags_at(diags, 0)->message);
    }
}

Configuration *configuration_open(const char *path, void (*on_document)(void *arg), void *arg, ConfDiags *diags)
{
    SettingsRef *file = settings_load(path, diags);
    if (!file)
        return NULL;
    Configuration *c = mem_alloc(sizeof(*c));
    *c = (Configuration){
        .path = path, .initial = file, .remote = remote_config_new(settings_get(file)->state_dir, on_document, arg)};
    add_document(c);
    return c;
}

Configuration *configuration_free(Configuration *c)
{
    if (!c)
        return NULL;
    settings_unref(c->initial);
    settings_unref(c->trial.before);
    remote_config_free(c->remote);
    free(c);
    return NULL;
}

SettingsRef *configuration_initial(const Configuration *c)
{
    return c->initial;
}

RemoteConfig *configuration_remote(const Configuration *c)
{
    return c->remote;
}

/* --- The file has changed ----------------------------------------------------------------------------------------- */

void configuration_reload(Configuration *c, Parts *parts)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Err err = ERR_INIT;
    remote_config_retry(c->remote);
    _cleanup_(settings_unrefp) SettingsRef *fresh = load(c, diags);
    c->file_refused = true;
    if (!fresh) {
        log_diags(diags);
        log_fail("settings are kept as they were", log_int("faults", (int64_t)conf_diags_count(diags)));
    } else if (parts_reload(parts, fresh, &err) < 0) {
        log_fail("settings are kept as they were", log_error_field(&err));
    } else {
        c->file_refused = false;
        log_info("settings were read anew", log_int("servers", (int64_t)parts_target_count(parts)));
    }
}

bool configuration_file_is_refused(const Configuration *c)
{
    return c->file_refused;
}

/* --- The backend has a document ----------------------------------------------------------------------------------- */

static void end_trial(Configuration *c, Parts *parts)
{
    c->trial.on = false;
    c->trial.before = settings_unref(c->trial.before);
    parts_wake_sender(parts); /* it tells the backend */
}

static void roll_back(Configuration *c, Parts *parts, const char *reason)
{
    remote_config_refuse(c->remote, reason);
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *again = load(c, diags);        /* with what the file says by now */
    (void)parts_change_collection(parts, again ? again : c->trial.before); /* as it was: nothing better is known */
    end_trial(c, parts);
}

/* The first fault, and that there are more: a sentence for whoever wrote the document. */
static void refuse_faults(Configuration *c, Parts *parts, const ConfDiags *diags)
{
    _cleanup_buf_ Buf reason = BUF_INIT;
    const ConfDiag *d = conf_diags_at(diags, 0);
    buf_printf(&reason, "%s, line %u: %s%s%s%s", d->file, (unsigned)d->line, d->key, d->key[0] ? ": " : "", d->message,
               conf_diags_count(diags) > 1 ? " (and more faults)" : "");
    log_diags(diags);
    if (c->trial.on) { /* what is in force has not shown yet that it can run: back to what has */
        roll_back(c, parts, buf_cstr(&reason));
        return;
    }
    remote_config_refuse(c->remote, buf_cstr(&reason));
    parts_wake_sender(parts);
}

void configuration_try(Configuration *c, Parts *parts)
{
    if (!remote_config_try(c->remote))
        return;
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *fresh = load(c, diags);
    if (!fresh) {
        refuse_faults(c, parts, diags);
        return;
    }
    const Settings *now = settings_get(fresh);
    bool changes_nothing = !c->trial.on && settings_collect_alike(settings_get(parts_settings(parts)), now);
    if (!c->trial.on)
        c->trial.before = settings_ref(parts_settings(parts));
    c->trial.on = true;
    c->trial.until = clock_monotonic() + TRIAL_EXTRA + 2 * now->interval;
    if (parts_change_collection(parts, fresh) > 0) {
        roll_back(c, parts, "a server could not be watched with it: the collector's log says why");
    } else if (changes_nothing) {
        remote_config_accept(c->remote);
        end_trial(c, parts);
    }
}

/* One family that is read is enough: others may be at fault by themselves. Nothing is said while servers are away. */
void configuration_judge(Configuration *c, Parts *parts)
{
    if (!c->trial.on)
        return;
    const PartsProgress progress = parts_progress(parts);
    bool over = clock_monotonic() >= c->trial.until;
    if (progress.families_read == 0 && progress.families_failed > 0 && (progress.all_looked || over)) {
        roll_back(c, parts, "no family of any server could be read with it: the collector's log says why");
    } else if (progress.families_read > 0 || over || (progress.all_looked && progress.families_failed == 0)) {
        remote_config_accept(c->remote);
        end_trial(c, parts);
    }
}

bool configuration_is_trying(const Configuration *c)
{
    return c->trial.on;
}
