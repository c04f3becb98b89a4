/* SPDX-License-Identifier: PostgreSQL */
/* See settings_sources.h. A kind is a table of keys and a row in KINDS. */
#include "collector/settings/settings_sources.h"

#include <libpq-fe.h>

#include "collector/settings/settings.h"
#include "lib/base/memory.h"

#define PGBOUNCER(member) CONF_FIELD(PgbouncerSettings, member)

static const char SERVER_HELP[] = "Name of the `[[postgres]]` that it belongs to. Default: the first.";

static const ConfKey PGBOUNCER_ROWS[] = {
    {"pgbouncer", "name", CONF_STRING, PGBOUNCER(head.name), .otherwise = "main", .min = 1, .max = SERVER_NAME_MAX,
     .flags = CONF_RELOADABLE, .help = "What its rows are labelled with; needed when there are several."},
    {"pgbouncer", "server", CONF_STRING, PGBOUNCER(head.server), .max = SERVER_NAME_MAX, .flags = CONF_RELOADABLE,
     .help = SERVER_HELP},
    {"pgbouncer", "host", CONF_STRING, PGBOUNCER(host), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Name, address, or the directory of a socket. Default: libpq's.", .example = "\"localhost\""},
    {"pgbouncer", "port", CONF_INT, PGBOUNCER(port), .min = 1, .max = 65535, .otherwise = "6432",
     .flags = CONF_RELOADABLE, .help = "Where it listens."},
    {"pgbouncer", "user", CONF_STRING, PGBOUNCER(user), .max = 255, .flags = CONF_RELOADABLE,
     .help = "One of its `stats_users`.", .example = "\"pganalytics_monitoring\""},
    {"pgbouncer", "password", CONF_SECRET, PGBOUNCER(password), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Better in `password_file` or in libpq's PGPASSFILE."},
    {"pgbouncer", "password_file", CONF_PATH, PGBOUNCER(password_file), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Read at every connect, so it may be rotated."},
    {"pgbouncer", "dsn", CONF_SECRET, PGBOUNCER(dsn), .max = 4096, .flags = CONF_RELOADABLE,
     .help = "A libpq connection string or URI, instead of host, port, user and sslmode. The database is always "
             "pgbouncer."},
    {"pgbouncer", "sslmode", CONF_STRING, PGBOUNCER(sslmode), .max = 16, .flags = CONF_RELOADABLE,
     .help = "disable, allow, prefer, require, verify-ca or verify-full. Default: prefer."},
    {"pgbouncer", "sslrootcert", CONF_PATH, PGBOUNCER(sslrootcert), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Whom to trust, for verify-ca and verify-full."},
};

#define PATRONI(member) CONF_FIELD(PatroniSettings, member)

static const ConfKey PATRONI_ROWS[] = {
    {"patroni", "name", CONF_STRING, PATRONI(head.name), .otherwise = "main", .min = 1, .max = SERVER_NAME_MAX,
     .flags = CONF_RELOADABLE, .help = "What its rows are labelled with; needed when there are several."},
    {"patroni", "server", CONF_STRING, PATRONI(head.server), .max = SERVER_NAME_MAX, .flags = CONF_RELOADABLE,
     .help = SERVER_HELP},
    {"patroni", "url", CONF_STRING, PATRONI(url), .max = 1024, .flags = CONF_REQUIRED | CONF_RELOADABLE,
     .help = "REST interface of the node; it needs no user for what is read.", .example = "\"http://localhost:8008\""},
    {"patroni", "ca_cert", CONF_PATH, PATRONI(ca_cert), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Whom to trust (PEM), for https. Default: the system's."},
    {"patroni", "cert", CONF_PATH, PATRONI(cert), .max = 1024, .flags = CONF_RELOADABLE,
     .help = "Client certificate (PEM), where the interface asks for one."},
    {"patroni", "key", CONF_PATH, PATRONI(key), .max = 1024, .flags = CONF_RELOADABLE, .help = "Its key (PEM)."},
};

#define BACKUP(member) CONF_FIELD(BackupSettings, member)

static const char *const TOOL_NAMES[] = {"pgbackrest", "barman", "wal-g", NULL};

static const ConfKey BACKUP_ROWS[] = {
    {"backup", "name", CONF_STRING, BACKUP(head.name), .otherwise = "main", .min = 1, .max = SERVER_NAME_MAX,
     .flags = CONF_RELOADABLE, .help = "What its rows are labelled with; needed when there are several."},
    {"backup", "server", CONF_STRING, BACKUP(head.server), .max = SERVER_NAME_MAX, .flags = CONF_RELOADABLE,
     .help = SERVER_HELP},
    {"backup", "tool", CONF_ENUM, BACKUP(tool), .choices = TOOL_NAMES, .flags = CONF_RELOADABLE,
     .help = "Which tool makes the backups."},
    {"backup", "command", CONF_STRING_LIST, BACKUP(command), .max = 32, .flags = CONF_RELOADABLE,
     .help =
         "Program and first arguments; what to list is added. No shell reads it. Default: the tool's name, searched "
         "in PATH.",
     .example = "[\"sudo\", \"-n\", \"-u\", \"postgres\", \"pgbackrest\"]"},
    {"backup", "stanza", CONF_STRING, BACKUP(stanza), .max = 255, .flags = CONF_RELOADABLE,
     .help = "Of pgBackRest. Default: all that its configuration has."},
    {"backup", "server_name", CONF_STRING, BACKUP(server_name), .max = 255, .flags = CONF_RELOADABLE,
     .help = "How barman calls the server; required for barman."},
    {"backup", "interval", CONF_DURATION, BACKUP(interval), .otherwise = "300", .min = USEC_PER_SEC,
     .max = 86400 * USEC_PER_SEC, .flags = CONF_RELOADABLE, .help = "How often the tool is run."},
    {"backup", "timeout", CONF_DURATION, BACKUP(timeout), .otherwise = "60", .min = USEC_PER_SEC,
     .max = 3600 * USEC_PER_SEC, .flags = CONF_RELOADABLE,
     .help = "Longest time that one run may take; then it is killed with all that it started."},
};

static const ConfKeys PGBOUNCER_KEYS = {PGBOUNCER_ROWS, ARRAY_LENGTH(PGBOUNCER_ROWS), NULL};
static const ConfKeys PATRONI_KEYS = {PATRONI_ROWS, ARRAY_LENGTH(PATRONI_ROWS), NULL};
static const ConfKeys BACKUP_KEYS = {BACKUP_ROWS, ARRAY_LENGTH(BACKUP_ROWS), NULL};

/* Where one table is being checked. */
typedef struct Check {
    const ConfKeys *keys;
    const char *file;
    ConfDiags *diags;
} Check;

static void check_pgbouncer(const Check *c, const SourceHead *head);
static void check_patroni(const Check *c, const SourceHead *head);
static void check_backup(const Check *c, const SourceHead *head);

typedef struct Kind {
    const char *section;
    const ConfKeys *keys;
    size_t size;
    void (*check)(const Check *c, const SourceHead *head);
} Kind;

static const Kind KINDS[_SOURCE_KIND_MAX] = {
    [SOURCE_PGBOUNCER] = {"pgbouncer", &PGBOUNCER_KEYS, sizeof(PgbouncerSettings), check_pgbouncer},
    [SOURCE_PATRONI] = {"patroni", &PATRONI_KEYS, sizeof(PatroniSettings), check_patroni},
    [SOURCE_BACKUP] = {"backup", &BACKUP_KEYS, sizeof(BackupSettings), check_backup},
};

const char *source_kind_to_string(SourceKind kind)
{
    return KINDS[kind].section;
}

const char *backup_tool_to_string(BackupToolName tool)
{
    return TOOL_NAMES[tool];
}

const ConfKeys *settings_source_keys(SourceKind kind)
{
    return KINDS[kind].keys;
}

static SourceHead *head_at(const SourceList *list, const Kind *kind, size_t index)
{
    return (SourceHead *)(void *)((char *)list->items + index * kind->size);
}

const SourceHead *settings_source_at(const Settings *s, SourceKind kind, size_t index)
{
    const SourceList *list = &s->sources[kind];
    return index < list->count ? head_at(list, &KINDS[kind], index) : NULL;
}

/* --- Checks ------------------------------------------------------------------------------------------------------- */

static void check_pgbouncer(const Check *c, const SourceHead *head)
{
    const PgbouncerSettings *p = (const PgbouncerSettings *)(const void *)head;
    if (p->dsn[0]) {
        PQconninfoOption *options = PQconninfoParse(p->dsn, NULL); /* its message may repeat the password */
        if (!options)
            conf_keys_fault(c->keys, p, &p->dsn, c->file, c->diags, "host=... user=..., or postgresql://...",
                            "not a libpq connection string");
        PQconninfoFree(options);
        if (p->host[0] || p->user[0] || p->sslmode[0])
            conf_keys_fault(c->keys, p, &p->dsn, c->file, c->diags, "",
                            "cannot stand beside host, user or sslmode: put them into it");
    }
    if (!settings_sslmode_is_valid(p->sslmode))
        conf_keys_fault(c->keys, p, &p->sslmode, c->file, c->diags, "",
                        "must be disable, allow, prefer, require, verify-ca or verify-full");
    if (p->password[0] && p->password_file[0])
        conf_keys_fault(c->keys, p, &p->password_file, c->file, c->diags, "",
                        "cannot stand beside password: keep one of them");
}

static void check_patroni(const Check *c, const SourceHead *head)
{
    const PatroniSettings *p = (const PatroniSettings *)(const void *)head;
    Slice url = slice_cstr(p->url);
    bool secure = slice_starts_with(url, SLICE_LIT("https://"));
    if (url.len > 0 && !secure && !slice_starts_with(url, SLICE_LIT("http://")))
        conf_keys_fault(c->keys, p, &p->url, c->file, c->diags, "for example http://localhost:8008",
                        "must begin with http:// or https://");
    if (url.len > 0 && !secure && (p->ca_cert[0] || p->cert[0] || p->key[0]))
        conf_keys_fault(c->keys, p, &p->url, c->file, c->diags, "begin it with https://",
                        "is not encrypted: certificates would not be used");
    if ((p->cert[0] == '\0') != (p->key[0] == '\0'))
        conf_keys_fault(c->keys, p, p->cert[0] ? (const void *)&p->cert : (const void *)&p->key, c->file, c->diags, "",
                        "cert and key are needed together");
}

static void check_backup(const Check *c, const SourceHead *head)
{
    const BackupSettings *b = (const BackupSettings *)(const void *)head;
    if (!conf_keys_given(c->keys, b, &b->tool, c->diags))
        conf_keys_fault(c->keys, b, &b->tool, c->file, c->diags, "pgbackrest, barman or wal-g", "is required");
    if (b->stanza[0] && b->tool != BACKUP_PGBACKREST)
        conf_keys_fault(c->keys, b, &b->stanza, c->file, c->diags, b->tool == BACKUP_BARMAN ? "use server_name" : "",
                        "is for pgbackrest only");
    if (b->server_name[0] && b->tool != BACKUP_BARMAN)
        conf_keys_fault(c->keys, b, &b->server_name, c->file, c->diags,
                        b->tool == BACKUP_PGBACKREST ? "use stanza" : "", "is for barman only");
    if (!b->server_name[0] && b->tool == BACKUP_BARMAN)
        conf_keys_fault(c->keys, b, &b->server_name, c->file, c->diags, "the name in barman's configuration",
                        "is required for barman");
    for (size_t i = 0; i < b->command.count; i++) {
        if (!b->command.items[i][0] && i == 0)
            conf_keys_fault(c->keys, b, &b->command, c->file, c->diags, "", "the program has no name");
    }
}

static bool server_exists(const Settings *s, const char *name)
{
    for (size_t i = 0; i < s->server_count; i++) {
        if (strcmp(s->servers[i].name, name) == 0)
            return true;
    }
    return false;
}

static void check_head(const Check *c, const Settings *s, SourceKind kind, size_t index)
{
    SourceHead *head = head_at(&s->sources[kind], &KINDS[kind], index);
    if (!settings_name_is_valid(head->name))
        conf_keys_fault(c->keys, head, &head->name, c->file, c->diags, "", "%s", SETTINGS_NAME_RULE);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(settings_source_at(s, kind, i)->name, head->name) == 0)
            conf_keys_fault(c->keys, head, &head->name, c->file, c->diags, "give each a name of its own",
                            "two [[%s]] are called \"%s\"", KINDS[kind].section, head->name);
    }
    if (head->server[0] && !server_exists(s, head->server))
        conf_keys_fault(c->keys, head, &head->server, c->file, c->diags, "use the name of a [[postgres]]",
                        "there is no server \"%s\"", head->server);
    if (!head->server[0]) {
        free((void *)(uintptr_t)head->server);
        head->server = mem_strdup(s->servers[0].name);
    }
}

/* --- Loading ------------------------------------------------------------------------------------------------------ */

static void load_kind(Settings *s, SourceKind which, const TomlTable *root, const char *file, ConfDiags *diags)
{
    const Kind *kind = &KINDS[which];
    SourceList *list = &s->sources[which];
    size_t count = conf_section_count(root, kind->section);
    if (count > SOURCES_MAX) {
        conf_diags_add(diags,
                       &(ConfDiag){.file = file, .section = kind->section, .message = "more than 64 of one kind"});
        count = SOURCES_MAX;
    }
    if (count == 0)
        return;
    list->items = mem_alloc_array(kind->size, count);
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        SourceHead *head = head_at(list, kind, i);
        conf_keys_init_defaults(kind->keys, head);
        conf_keys_apply_table(kind->keys, head, conf_section_at(root, kind->section, i), kind->section, NULL, file,
                              diags);
        conf_keys_check_required(kind->keys, head, kind->section, file, diags);
    }
    Check check = {.keys = kind->keys, .file = file, .diags = diags};
    for (size_t i = 0; i < count; i++) {
        check_head(&check, s, which, i);
        kind->check(&check, head_at(list, kind, i));
    }
}

void settings_sources_load(Settings *s, const TomlTable *root, const char *file, ConfDiags *diags)
{
    for (SourceKind kind = 0; kind < _SOURCE_KIND_MAX; kind++)
        load_kind(s, kind, root, file, diags);
}

void settings_sources_free(Settings *s)
{
    for (SourceKind kind = 0; kind < _SOURCE_KIND_MAX; kind++) {
        SourceList *list = &s->sources[kind];
        for (size_t i = 0; i < list->count; i++)
            conf_keys_free(KINDS[kind].keys, head_at(list, &KINDS[kind], i));
        free(list->items);
        *list = (SourceList){.items = NULL};
    }
}

static void note_change(void *arg, const ConfKey *key)
{
    (void)key;
    *(bool *)arg = true;
}

bool settings_sources_equal(const Settings *a, const Settings *b)
{
    bool changed = false;
    for (SourceKind kind = 0; kind < _SOURCE_KIND_MAX && !changed; kind++) {
        changed = a->sources[kind].count != b->sources[kind].count;
        for (size_t i = 0; !changed && i < a->sources[kind].count; i++)
            conf_keys_changed(KINDS[kind].keys, settings_source_at(a, kind, i), settings_source_at(b, kind, i),
                              note_change, &changed);
    }
    return !changed;
}
