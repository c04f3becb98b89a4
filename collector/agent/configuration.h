#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Configuration: the settings file, and above it what the backend says is collected. Loads both, takes a changed file
 * into force (SIGHUP), tries the backend's documents: the parts are changed to one while everything else goes on; it is
 * kept once a family was read with it, else what was in force before comes back and the backend is told why.
 * The main thread.
 */
#include "collector/agent/parts.h"

typedef struct Configuration Configuration;

/* Reads the file and the last good document of the backend. NULL when the file has faults: all are in @diags. A
 * document that cannot be read any more (the file says something else by now) is left aside until the backend gives
 * another. @on_document: there is one to be tried; called on the sender's thread. */
Configuration *configuration_open(const char *path, void (*on_document)(void *arg), void *arg, ConfDiags *diags);
Configuration *configuration_free(Configuration *c); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Configuration *, configuration_free)

SettingsRef *configuration_initial(const Configuration *c); /* what the parts begin with; borrowed */
RemoteConfig *configuration_remote(const Configuration *c); /* borrowed */

/* The file has changed, perhaps. On any fault everything stays as it was, and the log says why. */
void configuration_reload(Configuration *c, Parts *parts);
/* The last reload found faults: what was in force before still is. */
bool configuration_file_is_refused(const Configuration *c);
/* There is a document of the backend: begins a trial of it. */
void configuration_try(Configuration *c, Parts *parts);
/* Ends the trial as soon as its outcome is known. */
void configuration_judge(Configuration *c, Parts *parts);
bool configuration_is_trying(const Configuration *c);
