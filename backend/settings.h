#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settings of the backend: environment variables, or the same names in a file given with --env-file (the environment
 * wins). The key table in settings.c is the one place where names, defaults, limits and help stand; --help, docs and
 * diagnostics derive from it. Read once at start, constant afterwards, except log_level (SIGHUP).
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

typedef struct BackendSettings BackendSettings;
typedef enum Environment { ENVIRONMENT_DEVELOPMENT, ENVIRONMENT_PRODUCTION, _ENVIRONMENT_MAX } Environment;

struct BackendSettings {
    /* Strings are "" when not given, never NULL, and owned; secrets are wiped by settings_done(). */
    const char *database_url;  /* "": the private cluster under data_dir */
    const char *timescale_url; /* "": database_url */
    const char *data_dir;
    const char *pg_bindir;   /* PostgreSQL programs for the private cluster; "": looked for */
    unsigned store_pool;     /* connections for reading and control */
    unsigned ingest_writers; /* writer threads, each with a connection */
    unsigned ingest_queue;   /* pushes waiting for a writer; beyond: 429 */

    const char *jwt_secret;           /* >= 64 bytes */
    const char *jwt_secret_previous;  /* "": none */
    const char *registration_secret;  /* >= 32 bytes */
    const char *encryption_key;       /* base64 of 32 bytes, as given */
    uint8_t encryption_key_bytes[32]; /* decoded */
    const char *scrape_token;         /* "": /metrics answers loopback only */
    const char *admin_login;          /* first administrator, made when there are no users */
    const char *admin_password;       /* "": none is made */

    const char *listen_address; /* "": all */
    uint16_t port;              /* 0: any free one */
    bool tls_enabled;
    const char *tls_cert; /* file; "": issued by the built-in CA */
    const char *tls_key;
    const char *tls_names; /* comma list of host names and addresses for an issued certificate */
    const char *ca_cert;   /* file; "": built-in CA, key encrypted in the store */
    const char *ca_key;
    Usec cert_lifetime;          /* of the certificates given to collectors */
    const char *trusted_proxies; /* comma list of addresses and CIDR networks */
    const char *client_cert_header;
    const char *cors_origins;

    unsigned workers; /* 0: by the number of cores */
    unsigned max_connections;
    unsigned max_connections_per_address;
    Usec request_timeout; /* from a request's end to its answer */
    Usec shutdown_timeout;

    Environment environment;
    LogLevel log_level;
    const char *smtp_url;
    const char *smtp_from;
    Usec retention_raw;
    Usec retention_5m;
    Usec retention_1h;
};

typedef struct SettingsSource {
    const char *const *environment; /* NULL-terminated "K=V", usually environ */
    const char *env_file;           /* NULL: none */
} SettingsSource;

/* Reads, checks everything and appends one line per fault to @faults (for people). Faults: ERR_CONFIG with their
 * number; nothing is kept. Warnings (unsafe choices) go to @warnings. Outside production missing secrets are left
 * empty here: settings_ensure_secrets() makes them. */
int settings_read(BackendSettings *ret, const SettingsSource *source, Buf *faults, Buf *warnings,
                  Err *reterr) MUST_CHECK;
/* Development only: makes the secrets that are missing, kept in DATA_DIR/secrets/<name> with mode 0600, so that the
 * next start finds the same ones. In production there is nothing to do. */
int settings_ensure_secrets(BackendSettings *s, Err *reterr) MUST_CHECK;
void settings_done(BackendSettings *s);

/* At SIGHUP: takes over from @fresh what may change while running (log level, certificate files) and appends the names
 * of other keys that differ, which need a restart. Main thread. */
void settings_reload(BackendSettings *s, const BackendSettings *fresh, Buf *ret_need_restart);

void settings_write_help(Buf *out); /* for --help */
void settings_write_docs(Buf *out); /* docs/configuration-backend.md */
/* All values as KEY=value lines, secrets as asterisks; for `check`. */
void settings_write_values(const BackendSettings *s, Buf *out);
const char *environment_to_string(Environment e);
