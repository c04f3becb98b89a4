#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The collector's settings: collector.toml, then the environment. Read whole, checked whole: all faults at once, each
 * with file, line, key, value and what is allowed. With them comes the catalog of families, the user's own included.
 * Immutable after loading and shared by threads through references; a reload makes new ones.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/catalog/family.h"
#include "lib/conf/keys.h"

enum {
    SETTINGS_SERVERS_MAX = 256,
    SERVER_NAME_MAX = 64,
};

/* [postgres] or one of [[postgres]]. Strings are "" when not given. */
typedef struct ServerSettings {
    const char *name; /* "main" unless given; a directory in state_dir is called so */
    const char *host;
    int64_t port; /* 0: libpq's own */
    const char *user;
    const char *password;
    const char *password_file; /* read at each connect: it may be rotated */
    const char *dsn;           /* libpq conninfo, instead of the keys above */
    const char *sslmode;
    const char *sslrootcert;
    const char *database;     /* the one that is connected to for the server's own figures */
    ConfStringList databases; /* names or patterns with * and ? */
    ConfStringList exclude_databases;
    bool local; /* on this host: system metrics belong to it */
} ServerSettings;

/* [metrics.family.NAME] */
typedef struct FamilySettings {
    char *name;
    bool enabled;
    bool enabled_given; /* the file says so */
    Usec interval;      /* 0: the family's own */
} FamilySettings;

typedef struct Settings {
    const char *id;
    const char *hostname;
    Usec interval;
    const char *state_dir;

    const char *backend_url;
    const char *tls_cert, *tls_key, *ca_cert; /* "": those of the state directory */
    bool backend_verify_ssl, security_verify_ssl;
    bool tls_enabled;
    const char *jwt_token;
    const char *registration_secret;

    bool enable_pg_stat_statements, enable_replication, enable_wal_level;
    const char *metrics_directory;

    int64_t buffer_max_size;
    int64_t buffer_max_bytes;
    Usec flush_interval;

    const char *log_path;
    const char *prometheus_listen;

    ServerSettings *servers;
    size_t server_count;
    FamilySettings *families;
    size_t family_count;
    Catalog *catalog;
} Settings;

/* A shared set of settings. The pointer itself is the const view; references are counted. */
typedef struct SettingsRef SettingsRef;

extern const char SETTINGS_DEFAULT_PATH[];

/* Reads @path and the environment. NULL when there are faults: all of them are in @diags. */
SettingsRef *settings_load(const char *path, ConfDiags *diags);
SettingsRef *settings_ref(SettingsRef *s);
SettingsRef *settings_unref(SettingsRef *s); /* NULL allowed; returns NULL; wipes secrets with the last reference */
DEFINE_CLEANUP(SettingsRef *, settings_unref)
const Settings *settings_get(const SettingsRef *s);

bool settings_verify(const Settings *s); /* does the backend's certificate get checked? */
/* Is the family wanted, and how often (0: at the collector's interval)? */
bool settings_family(const Settings *s, const Family *family, Usec *ret_interval);
/* Does the server's configuration want this database? */
bool server_settings_want(const ServerSettings *s, const char *database);
/* The same server, reached in the same way. */
bool server_settings_equal(const ServerSettings *a, const ServerSettings *b);
/* Would a target read the same of its server with both? */
bool settings_collect_alike(const Settings *a, const Settings *b);
/* Appends libpq's conninfo, without password. */
void server_settings_conninfo(const ServerSettings *s, Buf *out);

/* For --help and docs/config.md. */
const ConfKeys *settings_keys(void);
const ConfKeys *settings_server_keys(void);
