/* SPDX-License-Identifier: PostgreSQL */
/*
 * Settings: the key table, the checks across keys, the secrets of development. Read once at start; any thread reads
 * the result.
 */
#include "backend/settings.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "backend/http/address.h"
#include "lib/base/random.h"
#include "lib/conf/env_file.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"

static const char *const environments[] = {"development", "production", NULL};
static_assert(ARRAY_LENGTH(environments) == _ENVIRONMENT_MAX + 1, "every environment has a name");
static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static_assert(ARRAY_LENGTH(log_levels) == _LOG_LEVEL_MAX + 1, "every level has a name");

#define DAY ((int64_t)24 * 3600 * USEC_PER_SEC)

static const ConfKey rows[] = {
#define FIELD(member) CONF_FIELD(BackendSettings, member)
    {"General", NULL, CONF_ENUM, FIELD(environment), .env = "ENVIRONMENT", .otherwise = "development",
     .choices = environments,
     .help = "`production` makes secrets and a server certificate mandatory; `development` makes them itself."},
    {"General", NULL, CONF_ENUM, FIELD(log_level), .env = "LOG_LEVEL", .otherwise = "info", .choices = log_levels,
     .flags = CONF_RELOADABLE,
     .help = "Least severity of the lines on standard error. Read again at SIGHUP from the "
             "env file."},
    {"General", NULL, CONF_PATH, FIELD(data_dir), .env = "DATA_DIR", .otherwise = "/var/lib/pganalytics", .min = 1,
     .max = 4096, .help = "Private cluster, generated secrets and the CA's certificate, when nothing else is given."},

    {"Store", NULL, CONF_SECRET, FIELD(database_url), .env = "DATABASE_URL",
     .help = "libpq URI or keywords of the database for control data; several hosts are allowed. Empty: a private "
             "PostgreSQL under `DATA_DIR`."},
    {"Store", NULL, CONF_SECRET, FIELD(timescale_url), .env = "TIMESCALE_URL",
     .help = "Database for metrics. Must be that of `DATABASE_URL`: control data and metrics are written in one "
             "transaction."},
    {"Store", NULL, CONF_PATH, FIELD(pg_bindir), .env = "PG_BINDIR",
     .help = "Directory of `initdb` and `postgres` for the private PostgreSQL. Empty: the newest that is found."},
    {"Store", NULL, CONF_INT, FIELD(store_pool), .env = "STORE_POOL", .otherwise = "8", .min = 2, .max = 200,
     .help = "Connections for reading and control."},
    {"Store", NULL, CONF_INT, FIELD(ingest_writers), .env = "INGEST_WRITERS", .otherwise = "2", .min = 1, .max = 16,
     .help = "Writer threads, each with a connection of its own."},
    {"Store", NULL, CONF_INT, FIELD(ingest_queue), .env = "INGEST_QUEUE", .otherwise = "1000", .min = 1, .max = 100000,
     .help = "Pushes that may wait for a writer; beyond, collectors are told to come back (429)."},
    {"Store", NULL, CONF_DURATION, FIELD(retention_raw), .env = "RETENTION_RAW", .otherwise = "14d", .min = DAY,
     .max = 3660 * DAY, .help = "How long readings are kept as they came."},
    {"Store", NULL, CONF_DURATION, FIELD(retention_5m), .env = "RETENTION_5M", .otherwise = "90d", .min = DAY,
     .max = 3660 * DAY, .help = "How long five-minute summaries are kept."},
    {"Store", NULL, CONF_DURATION, FIELD(retention_1h), .env = "RETENTION_1H", .otherwise = "2y", .min = DAY,
     .max = 3660 * DAY, .help = "How long hourly summaries are kept."},

    {"Secrets", NULL, CONF_SECRET, FIELD(jwt_secret), .env = "JWT_SECRET", .min = 64, .max = 4096,
     .help = "Key of the access tokens (HS256). Outside production: made once, kept in `DATA_DIR/secrets`."},
    {"Secrets", NULL, CONF_SECRET, FIELD(jwt_secret_previous), .env = "JWT_SECRET_PREVIOUS", .min = 64, .max = 4096,
     .help = "The key before a rotation: tokens signed with it are still accepted."},
    {"Secrets", NULL, CONF_SECRET, FIELD(registration_secret), .env = "REGISTRATION_SECRET", .min = 32, .max = 4096,
     .help = "What a collector must show to register. `pganalytics-api secret create` prints a good one."},
    {"Secrets", NULL, CONF_SECRET, FIELD(encryption_key), .env = "ENCRYPTION_KEY", .min = 44, .max = 44,
     .help = "32 bytes in base64; encrypts secrets in the store (AES-256-GCM)."},
    {"Secrets", NULL, CONF_SECRET, FIELD(scrape_token), .env = "SCRAPE_TOKEN", .min = 16, .max = 4096,
     .help = "Bearer token for `GET /metrics`. Empty: answered to the same host only."},
    {"Secrets", NULL, CONF_STRING, FIELD(admin_login), .env = "ADMIN_LOGIN", .otherwise = "admin", .min = 1, .max = 200,
     .help = "First administrator, made when there are no users yet."},
    {"Secrets", NULL, CONF_SECRET, FIELD(admin_password), .env = "ADMIN_PASSWORD", .min = 8, .max = 256,
     .help = "Password of that administrator. Empty: none is made; `pganalytics-api user add` makes users."},

    {"Listener", NULL, CONF_STRING, FIELD(listen_address), .env = "LISTEN_ADDRESS",
     .help = "Address to listen on. Empty: all of them."},
    {"Listener", NULL, CONF_INT, FIELD(port), .env = "PORT", .otherwise = "8080", .min = 0, .max = 65535,
     .help = "Port to listen on; 0: any free one, named in the log."},
    {"Listener", NULL, CONF_BOOL, FIELD(tls_enabled), .env = "TLS_ENABLED",
     .help = "HTTPS (TLS 1.3) instead of HTTP. Default: true in production. Collectors need it, here or in a proxy."},
    {"Listener", NULL, CONF_PATH, FIELD(tls_cert), .env = "TLS_CERT", .flags = CONF_RELOADABLE,
     .help = "Server certificate with its chain, PEM. Read again at SIGHUP. Empty outside production: issued by the "
             "built-in CA."},
    {"Listener", NULL, CONF_PATH, FIELD(tls_key), .env = "TLS_KEY", .flags = CONF_RELOADABLE, .help = "Its key, PEM."},
    {"Listener", NULL, CONF_STRING, FIELD(tls_names), .env = "TLS_NAMES", .otherwise = "localhost,127.0.0.1,::1",
     .help = "Host names and addresses in a certificate that the built-in CA issues; this host's name is added."},
    {"Listener", NULL, CONF_PATH, FIELD(ca_cert), .env = "CA_CERT",
     .help = "CA that signs collectors, PEM. Empty: built-in, its key encrypted in the store."},
    {"Listener", NULL, CONF_PATH, FIELD(ca_key), .env = "CA_KEY", .help = "Its key, PEM."},
    {"Listener", NULL, CONF_DURATION, FIELD(cert_lifetime), .env = "CERT_LIFETIME", .otherwise = "365d",
     .min = 10 * USEC_PER_SEC, .max = 3660 * DAY,
     .help = "How long a collector's certificate is good. Collectors renew when two thirds are over. At least a day in "
             "production."},
    {"Listener", NULL, CONF_STRING, FIELD(trusted_proxies), .env = "TRUSTED_PROXIES",
     .help = "Addresses and networks, with commas, of proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and client "
             "certificate are believed."},
    {"Listener", NULL, CONF_STRING, FIELD(client_cert_header), .env = "CLIENT_CERT_HEADER", .max = 100,
     .help = "Header in which those proxies hand over the client certificate: URL-encoded PEM (nginx "
             "`$ssl_client_escaped_cert`) or base64 DER (HAProxy, RFC 9440)."},
    {"Listener", NULL, CONF_STRING, FIELD(cors_origins), .env = "CORS_ORIGINS",
     .help = "Exact origins, with commas, whose pages may use the API."},
    {"Listener", NULL, CONF_INT, FIELD(workers), .env = "WORKERS", .otherwise = "0", .min = 0, .max = 256,
     .help = "Threads that answer requests; 0: four for each core, between 8 and 64."},
    {"Listener", NULL, CONF_INT, FIELD(max_connections), .env = "MAX_CONNECTIONS", .otherwise = "4096", .min = 8,
     .max = 100000, .help = "Open connections at most."},
    {"Listener", NULL, CONF_INT, FIELD(max_connections_per_address), .env = "MAX_CONNECTIONS_PER_ADDRESS",
     .otherwise = "512", .min = 1, .max = 100000,
     .help = "Open connections from one address at most; raise it where all come through one proxy."},
    {"Listener", NULL, CONF_DURATION, FIELD(request_timeout), .env = "REQUEST_TIMEOUT", .otherwise = "30s",
     .min = USEC_PER_SEC, .max = 600 * USEC_PER_SEC, .help = "From the end of a request to its answer; then 503."},
    {"Listener", NULL, CONF_DURATION, FIELD(shutdown_timeout), .env = "SHUTDOWN_TIMEOUT", .otherwise = "20s", .min = 0,
     .max = 600 * USEC_PER_SEC, .help = "How long requests in flight may take at the end."},

    {"E-mail", NULL, CONF_SECRET, FIELD(smtp_url), .env = "SMTP_URL",
     .help = "`smtp://` or `smtps://` server for alerts by e-mail, with user and password if it needs them."},
    {"E-mail", NULL, CONF_STRING, FIELD(smtp_from), .env = "SMTP_FROM", .help = "Sender address of these e-mails."},
#undef FIELD
};
static const ConfKeys keys = {.rows = rows, .count = ARRAY_LENGTH(rows)};

const char *environment_to_string(Environment e)
{
    assert(e < _ENVIRONMENT_MAX);
    return environments[e];
}

typedef struct Check {
    BackendSettings *s;
    const char *file; /* where it should be mended */
    ConfDiags *diags;
    Buf *warnings;
    bool production;
} Check;

#define FAULT(check, member, hint, ...)                                                                                \
    conf_keys_fault(&keys, (check)->s, &(check)->s->member, (check)->file, (check)->diags, (hint), __VA_ARGS__)

static bool is_given(const char *text)
{
    return text[0] != '\0';
}

static void warn(Check *c, const char *text)
{
    buf_append_cstr(c->warnings, text);
    buf_append_char(c->warnings, '\n');
}

/* A key of one repeated word is long and still no secret. */
static bool looks_random(const char *secret)
{
    bool seen[256] = {false};
    unsigned distinct = 0;
    for (const unsigned char *at = (const unsigned char *)secret; *at; at++) {
        distinct += !seen[*at];
        seen[*at] = true;
    }
    return distinct >= 10;
}

static void check_secrets(Check *c)
{
    BackendSettings *s = c->s;
    if (c->production) {
        static const char hint[] = "pganalytics-api secret create prints one";
        if (!is_given(s->jwt_secret))
            FAULT(c, jwt_secret, hint, "must be given in production, at least 64 characters");
        else if (!looks_random(s->jwt_secret))
            FAULT(c, jwt_secret, hint, "is not random enough: fewer than 10 different characters");
        if (!is_given(s->registration_secret))
            FAULT(c, registration_secret, hint, "must be given in production, at least 32 characters");
        else if (!looks_random(s->registration_secret))
            FAULT(c, registration_secret, hint, "is not random enough: fewer than 10 different characters");
        if (!is_given(s->encryption_key))
            FAULT(c, encryption_key, "openssl rand -base64 32", "must be given in production");
    }
    size_t len = 0;
    if (is_given(s->encryption_key) &&
        (sodium_base642bin(s->encryption_key_bytes, sizeof s->encryption_key_bytes, s->encryption_key,
                           strlen(s->encryption_key), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
         len != sizeof s->encryption_key_bytes))
        FAULT(c, encryption_key, "openssl rand -base64 32", "is not base64 of 32 bytes");
}

static void check_database(Check *c, const char *url, const void *member)
{
    if (is_given(url) && !strstr(url, "://") && !strchr(url, '='))
        conf_keys_fault(&keys, c->s, member, c->file, c->diags, "postgresql://user:password@host/database",
                        "is neither a PostgreSQL URI nor keywords");
}

/* Both or none, readable, belonging together. */
static void check_key_pair(Check *c, const char *cert_file, const char *key_file, const void *cert_member,
                           const void *key_member)
{
    if (is_given(cert_file) != is_given(key_file)) {
        conf_keys_fault(&keys, c->s, is_given(cert_file) ? key_member : cert_member, c->file, c->diags, "",
                        "must be given together with its other half");
        return;
    }
    if (!is_given(cert_file))
        return;
    enum { PEM_MAX = 1 << 20 };
    _cleanup_buf_ Buf cert = BUF_INIT;
    _cleanup_buf_ Buf key = BUF_INIT;
    Err err = ERR_INIT;
    if (file_read_all(cert_file, PEM_MAX, &cert, &err) < 0)
        conf_keys_fault(&keys, c->s, cert_member, c->file, c->diags, err.hint, "%s", err.detail);
    else if (file_read_all(key_file, PEM_MAX, &key, &err) < 0 ||
             tls_cert_check_key(buf_slice(&cert), buf_slice(&key), &err) < 0)
        conf_keys_fault(&keys, c->s, key_member, c->file, c->diags, err.hint, "%s", err.detail);
    if (key.ptr)
        sodium_memzero(key.ptr, key.len);
}

static void check_tls(Check *c)
{
    BackendSettings *s = c->s;
    if (!conf_keys_given(&keys, s, &s->tls_enabled, c->diags))
        s->tls_enabled = c->production;
    check_key_pair(c, s->tls_cert, s->tls_key, &s->tls_cert, &s->tls_key);
    check_key_pair(c, s->ca_cert, s->ca_key, &s->ca_cert, &s->ca_key);
    if (c->production && s->cert_lifetime < DAY)
        FAULT(c, cert_lifetime, "", "must be at least a day in production");
    if (c->production && s->tls_enabled && !is_given(s->tls_cert) && !is_given(s->tls_key))
        FAULT(c, tls_cert, "or TLS_ENABLED=false behind a proxy that ends TLS", "must be given in production");
    if (c->production && !s->tls_enabled && !is_given(s->trusted_proxies))
        warn(c, "TLS_ENABLED=false without TRUSTED_PROXIES: passwords, tokens and metrics travel in the clear");
}

/* scheme://host[:port] and nothing behind it. */
static bool is_origin(Slice text)
{
    ptrdiff_t at = slice_find(text, SLICE_LIT("://"));
    if (at <= 0 || !(slice_starts_with(text, SLICE_LIT("http://")) || slice_starts_with(text, SLICE_LIT("https://"))))
        return false;
    Slice host = slice_skip(text, (size_t)at + 3);
    return host.len > 0 && !memchr(host.ptr, '/', host.len) && !memchr(host.ptr, '*', host.len);
}

static void check_listener(Check *c)
{
    BackendSettings *s = c->s;
    Slice rest = slice_cstr(s->cors_origins);
    while (rest.len > 0) {
        Slice origin = slice_trim(slice_split(&rest, ','));
        if (origin.len > 0 && !is_origin(origin))
            FAULT(c, cors_origins, "https://dashboard.example.com", "\"%.*s\" is not an origin", SLICE_ARG(origin));
    }
    HttpNetworkVec networks = {0};
    Err err = ERR_INIT;
    if (http_networks_parse(s->trusted_proxies, &networks, &err) < 0)
        FAULT(c, trusted_proxies, err.hint, "%s", err.detail);
    http_network_vec_done(&networks);
    if (is_given(s->client_cert_header) && !is_given(s->trusted_proxies))
        FAULT(c, client_cert_header, "set TRUSTED_PROXIES", "would be believed from nobody");
}

static void check_rest(Check *c)
{
    BackendSettings *s = c->s;
    check_database(c, s->database_url, &s->database_url);
    check_database(c, s->timescale_url, &s->timescale_url);
    if (is_given(s->timescale_url) && strcmp(s->timescale_url, s->database_url) != 0)
        FAULT(c, timescale_url, "leave it empty", "must be the same database as DATABASE_URL");
    if (s->retention_5m < s->retention_raw)
        FAULT(c, retention_5m, "", "is shorter than RETENTION_RAW");
    if (s->retention_1h < s->retention_5m)
        FAULT(c, retention_1h, "", "is shorter than RETENTION_5M");
    bool smtp = slice_starts_with(slice_cstr(s->smtp_url), SLICE_LIT("smtp://")) ||
                slice_starts_with(slice_cstr(s->smtp_url), SLICE_LIT("smtps://"));
    if (is_given(s->smtp_url) && !smtp)
        FAULT(c, smtp_url, "smtps://user:password@mail.example.com", "is not an smtp:// or smtps:// URL");
    if (is_given(s->smtp_url) && !is_given(s->smtp_from))
        FAULT(c, smtp_from, "", "is needed with SMTP_URL");
}

int settings_read(BackendSettings *ret, const SettingsSource *source, Buf *faults, Buf *warnings, Err *reterr)
{
    *ret = (BackendSettings){0};
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    conf_keys_init_defaults(&keys, ret);

    _cleanup_(env_file_freep) EnvFile *file = source->env_file ? env_file_read(source->env_file, diags) : NULL;
    if (file) {
        env_file_check_names(file, &keys, diags);
        ConfSource from_file = env_file_source(file);
        conf_keys_apply_environment(&keys, ret, &from_file, diags);
    }
    ConfSource from_environment = conf_source_environment(source->environment);
    conf_keys_apply_environment(&keys, ret, &from_environment, diags);

    Check check = {.s = ret,
                   .file = source->env_file ? source->env_file : "environment",
                   .diags = diags,
                   .warnings = warnings,
                   .production = ret->environment == ENVIRONMENT_PRODUCTION};
    check_secrets(&check);
    check_tls(&check);
    check_listener(&check);
    check_rest(&check);

    int r = conf_diags_result(diags, reterr);
    if (r < 0) {
        conf_diags_print(diags, faults);
        settings_done(ret);
    }
    return r;
}

static void replace_string(const char **member, Slice value)
{
    char *copy = strndup(value.ptr, value.len);
    if (!copy)
        abort();
    free((void *)(uintptr_t)*member);
    *member = copy;
}

/* The content of DATA_DIR/secrets/@name, made with @make when it is not there. */
static int keep_secret(const BackendSettings *s, const char *name, void (*make)(Buf *), const char **member,
                       Err *reterr)
{
    if (is_given(*member))
        return 0;
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/secrets", s->data_dir);
    int r = dir_ensure(buf_cstr(&path), 0700, reterr);
    if (r < 0)
        return r;
    buf_printf(&path, "/%s", name);

    enum { SECRET_FILE_MAX = 8192 };
    _cleanup_buf_ Buf text = BUF_INIT;
    if (file_exists(buf_cstr(&path))) {
        r = file_read_all(buf_cstr(&path), SECRET_FILE_MAX, &text, reterr);
    } else {
        make(&text);
        r = file_write_atomic(buf_cstr(&path), 0600, buf_slice(&text), reterr);
    }
    if (r == 0)
        replace_string(member, slice_trim(buf_slice(&text)));
    if (text.ptr)
        sodium_memzero(text.ptr, text.len);
    return r;
}

static void make_base64(Buf *out, size_t bytes)
{
    uint8_t raw[64];
    char text[sodium_base64_ENCODED_LEN(sizeof raw, sodium_base64_VARIANT_ORIGINAL)];
    assert(bytes <= sizeof raw);
    random_bytes(raw, bytes);
    buf_append_cstr(out, sodium_bin2base64(text, sizeof text, raw, bytes, sodium_base64_VARIANT_ORIGINAL));
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(text, sizeof text);
}

static void make_jwt_secret(Buf *out)
{
    make_base64(out, 64);
}

static void make_key(Buf *out)
{
    make_base64(out, 32);
}

int settings_ensure_secrets(BackendSettings *s, Err *reterr)
{
    if (s->environment == ENVIRONMENT_PRODUCTION)
        return 0;
    int r = keep_secret(s, "jwt_secret", make_jwt_secret, &s->jwt_secret, reterr);
    if (r == 0)
        r = keep_secret(s, "registration_secret", make_key, &s->registration_secret, reterr);
    if (r == 0)
        r = keep_secret(s, "encryption_key", make_key, &s->encryption_key, reterr);
    if (r < 0)
        return r;

    size_t len = 0;
    if (sodium_base642bin(s->encryption_key_bytes, sizeof s->encryption_key_bytes, s->encryption_key,
                          strlen(s->encryption_key), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        len != sizeof s->encryption_key_bytes)
        return err_set(reterr, ERR_CONFIG, "%s/secrets/encryption_key is not base64 of 32 bytes", s->data_dir);
    return 0;
}

static void note_restart(void *arg, const ConfKey *key)
{
    Buf *out = arg;
    if (key->flags & CONF_RELOADABLE)
        return;
    buf_printf(out, "%s%s", out->len > 0 ? ", " : "", key->env);
}

void settings_reload(BackendSettings *s, const BackendSettings *fresh, Buf *ret_need_restart)
{
    conf_keys_changed(&keys, s, fresh, note_restart, ret_need_restart);
    s->log_level = fresh->log_level;
    replace_string(&s->tls_cert, slice_cstr(fresh->tls_cert));
    replace_string(&s->tls_key, slice_cstr(fresh->tls_key));
}

void settings_done(BackendSettings *s)
{
    conf_keys_free(&keys, s);
    sodium_memzero(s->encryption_key_bytes, sizeof s->encryption_key_bytes);
}

void settings_write_help(Buf *out)
{
    conf_keys_write_help(&keys, out);
}

void settings_write_docs(Buf *out)
{
    conf_keys_write_markdown(&keys, out);
}

void settings_write_values(const BackendSettings *s, Buf *out)
{
    for (size_t i = 0; i < keys.count; i++) {
        buf_append_cstr(out, keys.rows[i].env);
        buf_append_char(out, '=');
        conf_key_write_value(&keys.rows[i], s, out);
        buf_append_char(out, '\n');
    }
}
