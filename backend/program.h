#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What every command of the backend needs first: settings, the store's place, the catalog, the store. Made in that
 * order, ended in the opposite one. Main thread.
 */
#include "backend/settings.h"
#include "backend/store/cluster.h"
#include "backend/store/store.h"
#include "lib/catalog/family.h"

typedef struct Program {
    SettingsSource source;
    BackendSettings settings;
    int lock_fd;      /* DATA_DIR/backend.lock while we run the private cluster; else -1 */
    Cluster *cluster; /* NULL: a database of the user's, or one that another process of ours runs */
    Buf conninfo;
    Catalog *catalog;
    Store *store;
} Program;

/* Exit status of a program: what main() returns. */
enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Reads the settings, says every fault on standard error, sets up the log. False: EXIT_USAGE. */
bool program_init(Program *p, const char *env_file);
void program_done(Program *p);

/* Who asks for the store: the server runs the private cluster itself; a command uses the one that a server runs, or
 * runs it for its own time. */
typedef enum ProgramRole { PROGRAM_SERVER, PROGRAM_COMMAND } ProgramRole;
int program_open_store(Program *p, ProgramRole role, Err *reterr) MUST_CHECK;

/* The failure as a log line with its hint; returns EXIT_FAILED. */
int program_fail(const char *what, const Err *err);
