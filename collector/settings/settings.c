/* SPDX-License-Identifier: PostgreSQL */
/* See settings.h. The tables at the top are the whole list of keys. */
#include "collector/settings/settings.h"

#include <fnmatch.h>
#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdio.h>

#include "collector/settings/settings_families.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/io/listen.h"

const char SETTINGS_DEFAULT_PATH[] = "/etc/pganalytics/collector.toml";

enum { SETTINGS_FILE_MAX = 1 << 20, MANY_SERVERS = 32, MEMORY_EACH = 8 << 20 };

#define FIELD(member) CONF_FIELD(Settings, member)
/* Rows that both programs know, since they can be set from afar. */
#define SHARED(section_, name_, type_, CType, member, ...) {section_, name_, type_, FIELD(member), __VA_ARGS__},

static const ConfKey ROWS[] = {
    {"collector", "id", CONF_STRING, FIELD(id), .max = 128,
     .help = "Name shown until registration gives the real id. Default: the host's name.", .example = "\"col_001\""},
    {"collector", "hostname", CONF_STRING, FIELD(hostname), .max = 255, .help = "Default: the host's name.",
     .example = "\"db-server-01\""},
    /* clang-format off */
    COLLECTION_COLLECTOR_KEYS(SHARED)
    /* clang-format on */
    {"collector", "state_dir", CONF_PATH, FIELD(state_dir), .otherwise = "/var/lib/pganalytics", .min = 1, .max = 1024,
     .help = "Identity, baselines and the buffer are kept here."},

    {"backend", "url", CONF_STRING, FIELD(backend_url), .env = "BACKEND_URL", .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Where the backend is reached. Default: where this collector was registered.",
     .example = "\"https://api.example.com\""},
    {"backend", "tls_cert", CONF_PATH, FIELD(tls_cert), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Client certificate (PEM). Default: the one that registration wrote to `state_dir`."},
    {"backend", "tls_key", CONF_PATH, FIELD(tls_key), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Its key (PEM). Default: the one that registration wrote to `state_dir`."},
    {"backend", "ca_cert", CONF_PATH, FIELD(ca_cert), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Whom to trust (PEM). Default: the CA that registration wrote to `state_dir`, or the system's."},
    {"backend", "verify_ssl", CONF_BOOL, FIELD(backend_verify_ssl), .otherwise = "true", .flags = CONF_RELOADABLE,
     .help = "Check the backend's certificate. `false` is unsafe, and said at every start."},
    {"backend", NULL, CONF_SECRET, FIELD(registration_secret), .env = "REGISTRATION_SECRET", .max = 1024,
     .help = "For `pganalytics register`."},

    /* clang-format off */
    COLLECTION_METRICS_KEYS(SHARED)
    /* clang-format on */
    {"metrics", "directory", CONF_PATH, FIELD(metrics_directory), .otherwise = "/etc/pganalytics/metrics.d",
     .max = 1024, .flags = CONF_RELOADABLE, .help = "Metric families of your own, one `NAME.toml` each."},

    /* clang-format off */
    COLLECTION_SAMPLING_KEYS(SHARED)
    /* clang-format on */

    {"buffer", "max_size", CONF_INT, FIELD(buffer_max_size), .otherwise = "10000", .min = 10, .max = 10000000,
     .flags = CONF_RELOADABLE, .help = "Batches kept for each server while the backend is away."},
    {"buffer", "max_bytes", CONF_BYTES, FIELD(buffer_max_bytes), .otherwise = "256MB", .min = 16 << 20,
     .max = (int64_t)1 << 40, .flags = CONF_RELOADABLE,
     .help = "Disk space they may take for each server. The oldest are given up, and counted."},
    {"buffer", "flush_interval", CONF_DURATION, FIELD(flush_interval), .otherwise = "60", .min = USEC_PER_SEC,
     .max = 3600 * USEC_PER_SEC, .flags = CONF_RELOADABLE, .help = "Longest time a batch waits to be sent."},

    {"limits", "cpu_budget", CONF_DECIMAL, FIELD(cpu_budget), .otherwise = "0.5", .min = 1, .max = 100000,
     .flags = CONF_RELOADABLE,
     .help = "What reading may cost a server: time of its statements in per cent of the time that passes, of one core. "
             "Beyond it the dearest families are read less often."},
    {"limits", "stall", CONF_DURATION, FIELD(stall), .otherwise = "600", .min = 5 * USEC_PER_SEC,
     .max = 24 * 3600 * USEC_PER_SEC,
     .help = "A thread that has not come forward for so long is stuck: the service manager's watchdog is told no more "
             "that all is well, and restarts the collector."},
    {"limits", "memory", CONF_BYTES, FIELD(memory), .otherwise = "256MB", .min = 64 << 20, .max = (int64_t)1 << 40,
     .help =
         "The last fence: address space (RLIMIT_AS) beyond what program, libraries and stacks take. Reaching it ends "
         "the collector, and the service manager starts it again; nothing acknowledged is lost. With more than 32 "
         "servers at least 8 MB for each."},

    {"security", "tls_enabled", CONF_BOOL, FIELD(tls_enabled), .otherwise = "true", .flags = CONF_RELOADABLE,
     .help = "`false` allows a backend URL that begins with http://."},
    {"security", "verify_ssl", CONF_BOOL, FIELD(security_verify_ssl), .otherwise = "true", .flags = CONF_RELOADABLE,
     .help = "As `verify_ssl` of `[backend]`: both must be true for the certificate to be checked."},
    {"security", "jwt_token", CONF_SECRET, FIELD(jwt_token), .env = "JWT_TOKEN", .max = 8192, .file_key = "token_file",
     .flags = CONF_RELOADABLE,
     .help = "Token of this collector. Default: the one that registration wrote to `state_dir`."},

    {"logs", "path", CONF_STRING, FIELD(log_path), .max = 1024,
     .help = "Log files of the server. This version does not read them yet."},
    {"prometheus", "listen", CONF_STRING, FIELD(prometheus_listen), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Addresses at which `/metrics` is served for Prometheus, separated by commas: `HOST:PORT`, `[::1]:PORT`, "
             "`:PORT` for all. Without a backend the collector is an exporter only. Default: none.",
     .example = "\"127.0.0.1:9187\""},
    {"prometheus", "token", CONF_SECRET, FIELD(prometheus_token), .max = 1024, .file_key = "token_file",
     .flags = CONF_RELOADABLE,
     .help = "Asked for (`Authorization: Bearer`) of everybody who does not come from this host itself."},
    {"prometheus", "without_token", CONF_BOOL, FIELD(prometheus_open), .otherwise = "false", .flags = CONF_RELOADABLE,
     .help = "`true` allows to listen elsewhere than on loopback without a token: everybody who gets there can read."},
};

static const char *const ELSEWHERE[] = {"postgres", "pgbouncer", "patroni", "backup", "metrics.family", "family", NULL};
static const ConfKeys KEYS = {ROWS, ARRAY_LENGTH(ROWS), ELSEWHERE};

#define SERVER(member) CONF_FIELD(ServerSettings, member)

static const char *const FLAVOURS[] = {"auto", "postgres", "aws", "gcp", "azure", NULL};

static const ConfKey SERVER_ROWS[] = {
    {"postgres", "name", CONF_STRING, SERVER(name), .otherwise = "main", .min = 1, .max = SERVER_NAME_MAX,
     .help = "How the server is called here; needed when there are several."},
    {"postgres", "host", CONF_STRING, SERVER(host), .env = "PGHOST", .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Name, address, or the directory of a socket. Default: libpq's.", .example = "\"localhost\""},
    {"postgres", "port", CONF_INT, SERVER(port), .env = "PGPORT", .min = 1, .max = 65535, .otherwise = "5432",
     .flags = CONF_RELOADABLE, .help = "TCP port, or the number in the name of the socket."},
    {"postgres", "user", CONF_STRING, SERVER(user), .env = "PGUSER", .max = 255, .flags = CONF_RELOADABLE,
     .help = "A role that is a member of pg_monitor.", .example = "\"pganalytics_monitoring\""},
    {"postgres", "password", CONF_SECRET, SERVER(password), .env = "PGPASSWORD", .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Better in `password_file` or in libpq's PGPASSFILE."},
    {"postgres", "password_file", CONF_PATH, SERVER(password_file), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Read at every connect, so it may be rotated."},
    {"postgres", "password_command", CONF_STRING_LIST, SERVER(password_command), .max = 32, .flags = CONF_RELOADABLE,
     .help =
         "Program and arguments, run without a shell at every connect; the first line of its standard output is the "
         "password. For tokens of managed services. Ten seconds at most.",
     .example = "[\"/usr/local/bin/rds-token\", \"db.example.com\"]"},
    {"postgres", "flavour", CONF_ENUM, SERVER(flavour), .choices = FLAVOURS, .otherwise = "auto",
     .flags = CONF_RELOADABLE,
     .help = "Whose server it is: advice names the way that works there. auto: found by looking."},
    {"postgres", "dsn", CONF_SECRET, SERVER(dsn), .max = 4096, .flags = CONF_RELOADABLE,
     .help = "A libpq connection string or URI, instead of host, port, user and sslmode."},
    {"postgres", "sslmode", CONF_STRING, SERVER(sslmode), .env = "PGSSLMODE", .max = 16, .flags = CONF_RELOADABLE,
     .help = "disable, allow, prefer, require, verify-ca or verify-full. Default: prefer."},
    {"postgres", "sslrootcert", CONF_PATH, SERVER(sslrootcert), .env = "PGSSLROOTCERT", .max = 1024,
     .flags = CONF_RELOADABLE, .help = "Whom to trust, for verify-ca and verify-full."},
    {"postgres", "database", CONF_STRING, SERVER(database), .env = "PGDATABASE", .max = 63, .flags = CONF_RELOADABLE,
     .help = "Connected to for the figures of the whole server; pg_stat_statements should be there. Default: the "
             "dsn's, or postgres."},
    {"postgres", "databases", CONF_STRING_LIST, SERVER(databases), .otherwise = "*", .max = 1000,
     .flags = CONF_RELOADABLE, .help = "Databases whose tables and indexes are read: names, or patterns with * and ?."},
    {"postgres", "exclude_databases", CONF_STRING_LIST, SERVER(exclude_databases), .max = 1000,
     .flags = CONF_RELOADABLE, .help = "Those that are left out, in the same form."},
    {"postgres", "local", CONF_BOOL, SERVER(local), .flags = CONF_RELOADABLE,
     .help = "The server runs on this host, so the host's figures belong to it. Default: by its address."},
};

static const ConfKeys SERVER_KEYS = {SERVER_ROWS, ARRAY_LENGTH(SERVER_ROWS), NULL};

struct SettingsRef {
    _Atomic unsigned references;
    Settings settings;
};

const ConfKeys *settings_keys(void)
{
    return &KEYS;
}

const ConfKeys *settings_server_keys(void)
{
    return &SERVER_KEYS;
}

static void settings_done(Settings *s)
{
    for (size_t i = 0; i < s->server_count; i++)
        conf_keys_free(&SERVER_KEYS, &s->servers[i]);
    free(s->servers);
    settings_families_free(s);
    settings_sources_free(s);
    s->catalog = catalog_free(s->catalog);
    conf_keys_free(&KEYS, s);
}

SettingsRef *settings_ref(SettingsRef *s)
{
    atomic_fetch_add(&s->references, 1);
    return s;
}

SettingsRef *settings_unref(SettingsRef *s)
{
    if (!s || atomic_fetch_sub(&s->references, 1) > 1)
        return NULL;
    settings_done(&s->settings);
    free(s);
    return NULL;
}

const Settings *settings_get(const SettingsRef *s)
{
    return &s->settings;
}

/* A place where one file is being read; what every check needs. */
typedef struct Loader {
    Settings *settings;
    const char *file;
    ConfDiags *diags;
} Loader;

const char SETTINGS_NAME_RULE[] = "must be made of letters, digits, '.', '_' and '-' and not begin with a dot";

bool settings_name_is_valid(const char *name)
{
    if (name[0] == '.' || name[0] == '\0')
        return false;
    for (const char *p = name; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_' ||
                     *p == '-' || *p == '.';
        if (!plain)
            return false;
    }
    return true;
}

static void set_default_string(const char **member, const char *value)
{
    if ((*member)[0])
        return;
    free((void *)(uintptr_t)*member);
    *member = mem_strdup(value);
}

static bool host_is_local(const char *host)
{
    static const char *const LOCAL[] = {"", "localhost", "localhost.localdomain", "::1"};
    for (size_t i = 0; i < ARRAY_LENGTH(LOCAL); i++) {
        if (strcmp(host, LOCAL[i]) == 0)
            return true;
    }
    return host[0] == '/' || host[0] == '@' || strncmp(host, "127.", 4) == 0;
}

/* libpq reads the connection string; what it does not understand is a fault. It tells whether the host is this one, and
 * which database is meant.
 */
static bool check_dsn(const Loader *l, ServerSettings *s)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(s->dsn, &message);
    if (!options) {
        conf_keys_fault(&SERVER_KEYS, s, &s->dsn, l->file, l->diags, "host=... user=..., or postgresql://...",
                        "not a libpq connection string"); /* libpq's message may repeat the password */
        PQfreemem(message);
        return false;
    }
    bool local = true;
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if ((strcmp(o->keyword, "host") == 0 || strcmp(o->keyword, "hostaddr") == 0) && o->val)
            local = local && host_is_local(o->val);
        if (strcmp(o->keyword, "dbname") == 0 && o->val)
            set_default_string(&s->database, o->val);
    }
    PQconninfoFree(options);
    return local;
}

bool settings_sslmode_is_valid(const char *mode)
{
    static const char *const MODES[] = {"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
    for (size_t i = 0; i < ARRAY_LENGTH(MODES); i++) {
        if (strcmp(mode, MODES[i]) == 0)
            return true;
    }
    return false;
}

static void check_server(const Loader *l, size_t index)
{
    ServerSettings *s = &l->settings->servers[index];
    if (!settings_name_is_valid(s->name))
        conf_keys_fault(&SERVER_KEYS, s, &s->name, l->file, l->diags, "", "%s", SETTINGS_NAME_RULE);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(l->settings->servers[i].name, s->name) == 0)
            conf_keys_fault(&SERVER_KEYS, s, &s->name, l->file, l->diags, "give each [[postgres]] a name of its own",
                            "two servers are called \"%s\"", s->name);
    }
    if (!settings_sslmode_is_valid(s->sslmode))
        conf_keys_fault(&SERVER_KEYS, s, &s->sslmode, l->file, l->diags, "",
                        "must be disable, allow, prefer, require, verify-ca or verify-full");
    bool local = host_is_local(s->host);
    if (s->dsn[0]) {
        local = check_dsn(l, s);
        if (s->host[0] || s->user[0] || s->sslmode[0])
            conf_keys_fault(&SERVER_KEYS, s, &s->dsn, l->file, l->diags, "",
                            "cannot stand beside host, user or sslmode: put them into it");
    }
    set_default_string(&s->database, "postgres");
    if (s->password[0] && s->password_file[0])
        conf_keys_fault(&SERVER_KEYS, s, &s->password_file, l->file, l->diags, "",
                        "cannot stand beside password: keep one of them");
    if (s->password_command.count > 0 && (s->password[0] || s->password_file[0]))
        conf_keys_fault(&SERVER_KEYS, s, &s->password_command, l->file, l->diags, "",
                        "cannot stand beside password or password_file: keep one of them");
    if (!conf_keys_given(&SERVER_KEYS, s, &s->local, l->diags))
        s->local = local;
}

/* Without a [postgres] section there is one server, as libpq's environment describes it. */
static void load_servers(const Loader *l, const TomlTable *root, const ConfSource *environment)
{
    size_t count = root ? conf_section_count(root, "postgres") : 0;
    if (count > SETTINGS_SERVERS_MAX) {
        conf_diags_add(
            l->diags,
            &(ConfDiag){.file = l->file, .section = "postgres", .message = "more than 512 servers for one collector"});
        count = SETTINGS_SERVERS_MAX;
    }
    size_t made = count ? count : 1;
    l->settings->servers = mem_alloc_array(sizeof(*l->settings->servers), made);
    l->settings->server_count = made;
    for (size_t i = 0; i < made; i++) {
        ServerSettings *s = &l->settings->servers[i];
        conf_keys_init_defaults(&SERVER_KEYS, s);
        if (i < count)
            conf_keys_apply_table(&SERVER_KEYS, s, conf_section_at(root, "postgres", i), "postgres", NULL, l->file,
                                  l->diags);
        /* The environment describes one server; of several it would make the same one. */
        if (made == 1)
            conf_keys_apply_environment(&SERVER_KEYS, s, environment, l->diags);
    }
    for (size_t i = 0; i < made; i++)
        check_server(l, i);
    const int64_t least = made > MANY_SERVERS ? (int64_t)made * MEMORY_EACH : 0;
    if (l->settings->memory < least)
        l->settings->memory = least;
}

static void check_url(const Loader *l)
{
    const Settings *s = l->settings;
    Slice url = slice_cstr(s->backend_url);
    bool plain = slice_starts_with(url, SLICE_LIT("http://"));
    if (url.len == 0 || slice_starts_with(url, SLICE_LIT("https://")))
        return;
    if (!plain)
        conf_keys_fault(&KEYS, s, &s->backend_url, l->file, l->diags, "", "must begin with https://");
    else if (s->tls_enabled)
        conf_keys_fault(&KEYS, s, &s->backend_url, l->file, l->diags,
                        "use https://, or set tls_enabled = false in [security] to send everything unprotected",
                        "is not encrypted");
}

/* Names of databases and tables are not for everybody. */
static void check_prometheus(const Loader *l)
{
    const Settings *s = l->settings;
    size_t count = 0;
    bool loopback = true;
    for (Slice rest = s->prometheus_listen[0] ? slice_cstr(s->prometheus_listen) : SLICE_NULL; rest.ptr; count++) {
        Slice address = slice_trim(slice_split(&rest, ','));
        char host[LISTEN_HOST_SIZE];
        uint16_t port;
        if (!listen_parse(address, host, &port)) {
            conf_keys_fault(&KEYS, s, &s->prometheus_listen, l->file, l->diags, "127.0.0.1:9187, [::1]:9187",
                            "\"%.*s\" is not HOST:PORT", SLICE_ARG(address));
            return;
        }
        loopback = loopback && listen_host_is_loopback(host);
    }
    if (count > SETTINGS_LISTEN_MAX)
        conf_keys_fault(&KEYS, s, &s->prometheus_listen, l->file, l->diags, "", "more than %d addresses",
                        SETTINGS_LISTEN_MAX);
    if (!loopback && !s->prometheus_token[0] && !s->prometheus_open)
        conf_keys_fault(&KEYS, s, &s->prometheus_listen, l->file, l->diags,
                        "set token or token_file, or without_token = true to let everybody read",
                        "others than this host can reach it, and no token is asked for");
}

static void fill_hostname(Settings *s)
{
    char name[256] = "";
    if (gethostname(name, sizeof(name) - 1) < 0 || !name[0])
        (void)snprintf(name, sizeof(name), "localhost");
    set_default_string(&s->hostname, name);
    set_default_string(&s->id, s->hostname);
}

static TomlDoc *read_file(const Loader *l)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (file_read_all(l->file, SETTINGS_FILE_MAX, &text, &err) < 0 ||
        toml_parse(buf_slice(&text), NULL, &doc, &err) < 0)
        conf_diags_add_err(l->diags, l->file, &err);
    return doc;
}

/* The document of the backend, NULL when there is none or it is at fault. */
static TomlDoc *read_document(const Loader *l, Slice text, const char *name)
{
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    size_t before = conf_diags_count(l->diags);
    if (!text.ptr)
        return NULL;
    collection_check(text, name, l->diags);
    if (conf_diags_count(l->diags) == before && toml_parse(text, NULL, &doc, &err) < 0)
        conf_diags_add_err(l->diags, name, &err);
    return doc;
}

static void load_all(const Loader *l, const TomlTable *root, const TomlTable *remote, const char *remote_name)
{
    Settings *s = l->settings;
    ConfSource environment = conf_source_environment((const char *const *)environ);
    conf_keys_apply_toml(&KEYS, s, root, l->file, l->diags);
    conf_keys_apply_environment(&KEYS, s, &environment, l->diags);
    if (remote)
        conf_keys_apply_toml(&KEYS, s, remote, remote_name, l->diags);
    conf_keys_check_required(&KEYS, s, NULL, l->file, l->diags);
    load_servers(l, root, &environment);
    settings_sources_load(s, root, l->file, l->diags);
    const SettingsDocument documents[] = {{root, l->file}, {remote, remote_name}};
    settings_families_load(s, documents, ARRAY_LENGTH(documents), l->diags);
    check_url(l);
    check_prometheus(l);
    fill_hostname(s);
}

SettingsRef *settings_load_with(const char *path, Slice document, const char *name, ConfDiags *diags)
{
    SettingsRef *ref = mem_alloc(sizeof(*ref));
    ref->references = 1;
    Loader l = {.settings = &ref->settings, .file = path, .diags = diags};
    conf_keys_init_defaults(&KEYS, l.settings);

    _cleanup_(toml_doc_freep) TomlDoc *doc = read_file(&l);
    _cleanup_(toml_doc_freep) TomlDoc *remote = read_document(&l, document, name);
    if (doc)
        load_all(&l, toml_root(doc), remote ? toml_root(remote) : NULL, name);
    if (conf_diags_count(diags) > 0)
        return settings_unref(ref);
    return ref;
}

SettingsRef *settings_load(const char *path, ConfDiags *diags)
{
    return settings_load_with(path, SLICE_NULL, NULL, diags);
}

bool settings_verify(const Settings *s)
{
    return s->backend_verify_ssl && s->security_verify_ssl;
}

static bool any_matches(const ConfStringList *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
    }
    return false;
}

bool server_settings_want(const ServerSettings *s, const char *database)
{
    return any_matches(&s->databases, database) && !any_matches(&s->exclude_databases, database);
}

static void note_change(void *arg, const ConfKey *key)
{
    (void)key;
    *(bool *)arg = true;
}

bool server_settings_equal(const ServerSettings *a, const ServerSettings *b)
{
    bool changed = false;
    conf_keys_changed(&SERVER_KEYS, a, b, note_change, &changed);
    return !changed;
}

bool settings_exporter_alike(const Settings *a, const Settings *b)
{
    return strcmp(a->prometheus_listen, b->prometheus_listen) == 0 &&
           strcmp(a->prometheus_token, b->prometheus_token) == 0;
}

bool settings_collect_alike(const Settings *a, const Settings *b)
{
    static const ConfKey rows[] = {COLLECTION_KEYS(SHARED)};
    static const ConfKeys shared = {rows, ARRAY_LENGTH(rows), NULL};
    bool changed = false;
    conf_keys_changed(&shared, a, b, note_change, &changed);
    return !changed && settings_families_equal(a, b) && settings_sources_equal(a, b);
}

static void append_parameter(Buf *out, const char *keyword, const char *value)
{
    if (!value[0])
        return;
    buf_printf(out, "%s%s='", out->len ? " " : "", keyword);
    for (const char *p = value; *p; p++) {
        if (*p == '\'' || *p == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *p);
    }
    buf_append_char(out, '\'');
}

void server_settings_conninfo(const ServerSettings *s, Buf *out)
{
    if (s->dsn[0]) {
        buf_append_cstr(out, s->dsn);
        return;
    }
    char port[24];
    (void)snprintf(port, sizeof(port), "%lld", (long long)s->port);
    append_parameter(out, "host", s->host);
    append_parameter(out, "port", s->port ? port : "");
    append_parameter(out, "user", s->user);
    append_parameter(out, "sslmode", s->sslmode);
    append_parameter(out, "sslrootcert", s->sslrootcert);
}
