#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settings of what is read beside a server: [[pgbouncer]], [[patroni]], [[backup]]. Each belongs to one of the
 * monitored servers. Part of Settings: loaded, checked and freed with them.
 */
#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/conf/keys.h"

typedef enum SourceKind { SOURCE_PGBOUNCER, SOURCE_PATRONI, SOURCE_BACKUP, _SOURCE_KIND_MAX } SourceKind;
typedef enum BackupToolName { BACKUP_PGBACKREST, BACKUP_BARMAN, BACKUP_WALG, _BACKUP_TOOL_NAME_MAX } BackupToolName;

enum { SOURCES_MAX = 64 }; /* of one kind */

/* What all kinds begin with. Strings are "" when not given. */
typedef struct SourceHead {
    const char *name;   /* label of its rows; unique among its kind */
    const char *server; /* of which [[postgres]]; after loading never "" */
} SourceHead;

typedef struct PgbouncerSettings {
    SourceHead head;
    const char *dsn; /* instead of those below */
    const char *host;
    int64_t port;
    const char *user;
    const char *password, *password_file;
    const char *sslmode, *sslrootcert;
} PgbouncerSettings;

typedef struct PatroniSettings {
    SourceHead head;
    const char *url;
    const char *ca_cert, *cert, *key;
} PatroniSettings;

typedef struct BackupSettings {
    SourceHead head;
    BackupToolName tool;
    ConfStringList command; /* argv; empty: the tool's own name */
    const char *stanza;
    const char *server_name;
    Usec interval;
    Usec timeout;
} BackupSettings;

typedef struct SourceList {
    void *items; /* of the kind's struct */
    size_t count;
} SourceList;

struct Settings;

/* Reads the tables of all kinds; faults go to @diags. The servers must have been loaded. */
void settings_sources_load(struct Settings *s, const TomlTable *root, const char *file, ConfDiags *diags);
void settings_sources_free(struct Settings *s);
bool settings_sources_equal(const struct Settings *a, const struct Settings *b);

/* NULL behind the last one. The head is the first member of the kind's struct. */
const SourceHead *settings_source_at(const struct Settings *s, SourceKind kind, size_t index);
const char *source_kind_to_string(SourceKind kind);     /* its section: "pgbouncer" */
const char *backup_tool_to_string(BackupToolName tool); /* "wal-g" */
const ConfKeys *settings_source_keys(SourceKind kind);  /* for documents */
