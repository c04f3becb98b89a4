#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The collector's settings: collector.toml, then the environment. Read whole, checked whole: all faults at once, each
 * with file, line, key, value and what is allowed. With them comes the catalog of families, the user's own included.
 * Immutable after loading and shared by threads through references; a reload makes new ones.
 */
#include <stdbool.h>
#include <stdint.h>

#include "collector/settings/settings_sources.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/catalog/collection.h"
#include "lib/conf/keys.h"

enum {
    SETTINGS_SERVERS_MAX = 512,
    SERVER_NAME_MAX = 64,
    SETTINGS_LISTEN_MAX = 8, /* addresses of the exporter */
};

typedef enum Flavour { FLAVOUR_AUTO, FLAVOUR_POSTGRES, FLAVOUR_AWS, FLAVOUR_GCP, FLAVOUR_AZURE, _FLAVOUR_MAX } Flavour;

/* [postgres] or one of [[postgres]]. Strings are "" when not given. */
typedef struct ServerSettings {
    const char *name; /* "main" unless given; a directory in state_dir is called so */
    const char *host;
    int64_t port; /* 0: libpq's own */
    const char *user;
    const char *password;
    const char *password_file;       /* read at each connect: it may be rotated */
    ConfStringList password_command; /* run at each connect: program and arguments */
    Flavour flavour;
    const char *dsn; /* libpq conninfo, instead of the keys above */
    const char *sslmode;
    const char *sslrootcert;
    const char *database;     /* the one that is connected to for the server's own figures */
    ConfStringList databases; /* names or patterns with * and ? */
    ConfStringList exclude_databases;
    bool local; /* on this host: system metrics belong to it */
} ServerSettings;

typedef struct Settings {
    const char *id;
    const char *hostname;
    const char *state_dir;

    COLLECTION_KEYS(COLLECTION_MEMBER) /* .interval, .preset, ... */

    const char *backend_url;
    const char *tls_cert, *tls_key, *ca_cert; /* "": those of the state directory */
    bool backend_verify_ssl, security_verify_ssl;
    bool tls_enabled;
    const char *jwt_token;
    const char *registration_secret;

    const char *metrics_directory;

    int64_t buffer_max_size;
    int64_t buffer_max_bytes;
    Usec flush_interval;
    int64_t cpu_budget; /* thousandths of a per cent of one core */

    Usec stall;
    int64_t memory;

    const char *log_path;
    const char *prometheus_listen; /* "": no exporter */
    const char *prometheus_token;
    bool prometheus_open; /* others than loopback may scrape without a token */

    ServerSettings *servers;
    size_t server_count;
    SourceList sources[_SOURCE_KIND_MAX]; /* what is read beside them */
    FamilySettingsList families;
    Catalog *catalog;
} Settings;

/* A shared set of settings. The pointer itself is the const view; references are counted. */
typedef struct SettingsRef SettingsRef;

extern const char SETTINGS_DEFAULT_PATH[];

/* Reads @path and the environment. NULL when there are faults: all of them are in @diags. */
SettingsRef *settings_load(const char *path, ConfDiags *diags);
/* The same with a document from the backend, which stands above the file in what it may say (lib/catalog/collection.h).
 * @name: what it is called in faults. */
SettingsRef *settings_load_with(const char *path, Slice document, const char *name, ConfDiags *diags);
SettingsRef *settings_ref(SettingsRef *s);
SettingsRef *settings_unref(SettingsRef *s); /* NULL allowed; returns NULL; wipes secrets with the last reference */
DEFINE_CLEANUP(SettingsRef *, settings_unref)
const Settings *settings_get(const SettingsRef *s);

/* The same exporter, at the same addresses. */
bool settings_exporter_alike(const Settings *a, const Settings *b);
/* Names become directories and labels: letters, digits, '.', '_', '-', no dot in front. */
extern const char SETTINGS_NAME_RULE[];
bool settings_name_is_valid(const char *name);
bool settings_sslmode_is_valid(const char *mode); /* "" is */
bool settings_verify(const Settings *s);          /* does the backend's certificate get checked? */
/* Is the family wanted, and how often (0: at the collector's interval)? */
bool settings_family(const Settings *s, const Family *family, Usec *ret_interval);
/* How many rows of a reading are sent beside the one of all others; 0: all. */
size_t settings_family_top(const Settings *s, const Family *family);
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
