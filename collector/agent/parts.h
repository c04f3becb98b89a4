#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Parts: all that runs in a collector for the settings that are in force: a target and a spool for each server, the
 * sender, the exporter. Starts them, changes them to other settings without losing a baseline, and stops them. The
 * main thread's; the targets and the exporter come back into it from their own threads, under its locks.
 */
#include "collector/agent/status.h"
#include "collector/link/remote_config.h"
#include "collector/settings/settings.h"

typedef struct Parts Parts;

Parts *parts_new(SettingsRef *settings, RemoteConfig *remote); /* @remote outlives it; starts nothing */
Parts *parts_free(Parts *p);                                   /* stops all; NULL allowed; returns NULL */
DEFINE_CLEANUP(Parts *, parts_free)

/* ERR_CONFIG: the settings ask for what cannot be. One server that cannot be watched does not hinder the others. After
 * a failure some parts may run; parts_free() stops them. */
int parts_start(Parts *p, Err *reterr) MUST_CHECK;
/* Changes all parts to @fresh. Fails before anything is changed; what cannot be started later on is logged. */
int parts_reload(Parts *p, SettingsRef *fresh, Err *reterr) MUST_CHECK;
/* What is collected changes to @fresh, nothing else: spools, sender and connections' settings stay. Gives how many
 * servers are not watched any more. */
size_t parts_change_collection(Parts *p, SettingsRef *fresh);

SettingsRef *parts_settings(const Parts *p); /* in force; borrowed until the next change */
void parts_wake_sender(Parts *p);            /* any thread */
void parts_log_started(const Parts *p);
size_t parts_target_count(const Parts *p); /* servers that are watched */

typedef struct PartsProgress {
    uint64_t families_read;
    uint64_t families_failed;
    bool all_looked; /* each server was at least tried */
} PartsProgress;

PartsProgress parts_progress(const Parts *p); /* since the targets were started */
/* The name of a thread that did not come forward in time; NULL: all did. */
const char *parts_find_stuck(const Parts *p, Usec now);
/* The servers are in an array that the caller frees: those that are watched, then those that have only left batches. */
StatusInput parts_describe(const Parts *p);
