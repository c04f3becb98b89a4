/* SPDX-License-Identifier: PostgreSQL */
/* Command line: one row a command; parser, help and "did you mean" read the same table. */
#include "backend/cli.h"

#include <gnutls/gnutls.h>
#include <libpq-fe.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <string.h>
#include <yyjson.h>
#include <zstd.h>

#include "backend/commands.h"
#include "backend/program.h"

#ifndef PGA_VERSION
#define PGA_VERSION "3.0.0"
#endif
#ifndef PGA_COMMIT
#define PGA_COMMIT "unknown"
#endif

typedef struct CliCommand {
    const char *name;
    const char *verb; /* NULL: has none */
    bool login;       /* takes LOGIN */
    bool role;        /* takes --role */
    int (*run)(const Cli *cli);
    const char *usage;
    const char *help;
} CliCommand;

static const CliCommand commands[] = {
    {"serve", NULL, false, false, command_serve, "serve", "serve (also without a command)"},
    {"migrate", NULL, false, false, command_migrate, "migrate", "bring the store to this version; also done by serve"},
    {"check", NULL, false, false, command_check, "check", "check settings and whether the store answers"},
    {"user", "add", true, true, command_user_add, "user add LOGIN [--role ROLE]",
     "make a user: viewer (default), editor or admin"},
    {"user", "passwd", true, false, command_user_passwd, "user passwd LOGIN",
     "set a password; ends the user's sessions"},
    {"user", "list", false, false, command_user_list, "user list", "logins and roles"},
    {"secret", "create", false, false, command_secret_create, "secret create",
     "print a new secret for REGISTRATION_SECRET or JWT_SECRET"},
};

static const char help_head[] =
    "pganalytics-api is the backend of pgAnalytics: it takes what collectors send, keeps it in PostgreSQL, and serves\n"
    "the REST API and the web interface.\n"
    "\n"
    "usage: pganalytics-api [--env-file FILE] [COMMAND]\n"
    "\n";

static const char help_options[] =
    "\n"
    "  --env-file FILE                 settings as KEY=value lines; the environment wins\n"
    "  --help, --version\n"
    "\n"
    "Passwords are read from standard input: typed unseen at a terminal, or the first line of a pipe.\n"
    "\n"
    "To try it, with a PostgreSQL of its own below ./var:\n"
    "  DATA_DIR=./var TLS_ENABLED=true pganalytics-api\n"
    "  DATA_DIR=./var pganalytics-api user add ann --role admin\n"
    "To run it on a database of yours:\n"
    "  DATABASE_URL=postgresql://pganalytics@db/pganalytics pganalytics-api --env-file /etc/pganalytics/api.env\n"
    "\n"
    "SIGHUP reads certificates and LOG_LEVEL again; SIGTERM finishes requests in flight and leaves.\n"
    "Exit status: 0 well, 1 failed, 2 wrong command line or settings.\n"
    "\n"
    "Settings (environment or env file; secrets also as NAME_FILE=path):\n";

void cli_write_help(Buf *out)
{
    buf_append_cstr(out, help_head);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
        buf_printf(out, "  %-31s %s\n", commands[i].usage, commands[i].help);
    buf_append_cstr(out, help_options);
    settings_write_help(out);
}

void cli_write_version(Buf *out)
{
    int pq = PQlibVersion();
    buf_printf(out, "pganalytics-api %s (commit %s)\n", PGA_VERSION, PGA_COMMIT);
    buf_printf(out, "libmicrohttpd %s, GnuTLS %s, %s, libpq %d.%d, libsodium %s, zstd %s, yyjson %d.%d.%d\n",
               MHD_get_version(), gnutls_check_version(NULL), OpenSSL_version(OPENSSL_VERSION), pq / 10000, pq % 10000,
               sodium_version_string(), ZSTD_versionString(), YYJSON_VERSION_MAJOR, YYJSON_VERSION_MINOR,
               YYJSON_VERSION_PATCH);
}

static const CliCommand *find_command(const char *name, const char *verb)
{
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        const CliCommand *c = &commands[i];
        if (strcmp(c->name, name) == 0 && (!c->verb || (verb && strcmp(c->verb, verb) == 0)))
            return c;
    }
    return NULL;
}

static int fail_unknown(const char *name, const char *verb, Err *reterr)
{
    enum { NEAR = 3 };
    const char *nearest = NULL;
    size_t best = NEAR;
    _cleanup_buf_ Buf verbs = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        const CliCommand *c = &commands[i];
        size_t distance = slice_distance(slice_cstr(name), slice_cstr(c->name), NEAR);
        if (distance < best) {
            best = distance;
            nearest = c->name;
        }
        if (strcmp(c->name, name) == 0 && c->verb)
            buf_printf(&verbs, "%s%s", verbs.len > 0 ? ", " : "", c->verb);
    }
    int r;
    if (verbs.len > 0) {
        r = verb ? err_set(reterr, ERR_USAGE, "\"%s %s\" is not a command", name, verb)
                 : err_set(reterr, ERR_USAGE, "\"%s\" wants to know what to do", name);
        err_hint(reterr, "%s: %s", name, buf_cstr(&verbs));
        return r;
    }
    r = err_set(reterr, ERR_USAGE, "\"%s\" is not a command", name);
    if (nearest)
        err_hint(reterr, "did you mean \"%s\"? --help lists all", nearest);
    else
        err_hint(reterr, "--help lists all");
    return r;
}

typedef struct Arguments {
    const char *const *rest;
    int count;
} Arguments;

static const char *next(Arguments *a)
{
    if (a->count == 0)
        return NULL;
    a->count--;
    return *a->rest++;
}

/* The value of an option that was given as --name VALUE or --name=VALUE. */
static int option_value(const char *argument, const char *name, Arguments *a, const char **ret, Err *reterr)
{
    size_t len = strlen(name);
    *ret = argument[len] == '=' ? argument + len + 1 : next(a);
    if (!*ret || **ret == '\0')
        return err_set(reterr, ERR_USAGE, "%s needs a value", name);
    return 0;
}

static bool is_option(const char *argument, const char *name)
{
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && (argument[len] == '\0' || argument[len] == '=');
}

static int parse_role(const char *text, Cli *cli, Err *reterr)
{
    if (role_from_string(slice_cstr(text), &cli->role))
        return 0;
    return err_set(reterr, ERR_USAGE, "\"%s\" is not a role: viewer, editor, admin", text);
}

typedef struct Words {
    const char *items[3]; /* command, verb, login */
    size_t count;
    bool role_given;
} Words;

static int take_argument(const char *argument, Arguments *a, Words *words, Cli *cli, Err *reterr)
{
    const char *value = NULL;
    int r = 0;
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        cli->help = true;
    } else if (strcmp(argument, "--version") == 0 || strcmp(argument, "-V") == 0) {
        cli->version = true;
    } else if (is_option(argument, "--env-file")) {
        r = option_value(argument, "--env-file", a, &cli->env_file, reterr);
    } else if (is_option(argument, "--role")) {
        words->role_given = true;
        r = option_value(argument, "--role", a, &value, reterr);
        if (r == 0)
            r = parse_role(value, cli, reterr);
    } else if (argument[0] == '-') {
        r = err_set(reterr, ERR_USAGE, "\"%s\" is not an option", argument);
        err_hint(reterr, "--help lists all");
    } else if (words->count == ARRAY_LENGTH(words->items)) {
        r = err_set(reterr, ERR_USAGE, "\"%s\" is too much", argument);
    } else {
        words->items[words->count++] = argument;
    }
    return r;
}

static int choose_command(const Words *words, Cli *cli, Err *reterr)
{
    const char *name = words->count > 0 ? words->items[0] : "serve";
    const char *verb = words->count > 1 ? words->items[1] : NULL;
    const CliCommand *c = find_command(name, verb);
    if (!c)
        return fail_unknown(name, verb, reterr);

    size_t used = c->verb ? 2 : 1;
    size_t wanted = used + c->login;
    if (words->count > wanted)
        return err_set(reterr, ERR_USAGE, "\"%s\" is too much for: %s", words->items[wanted], c->usage);
    if (c->login && words->count < wanted)
        return err_set(reterr, ERR_USAGE, "a login is missing: %s", c->usage);
    if (words->role_given && !c->role)
        return err_set(reterr, ERR_USAGE, "--role does not belong to: %s", c->usage);
    cli->command = c;
    cli->login = c->login ? words->items[used] : NULL;
    return 0;
}

int cli_parse(int argc, const char *const *argv, Cli *ret, Err *reterr)
{
    *ret = (Cli){.role = ROLE_VIEWER};
    Arguments a = {.rest = argv + 1, .count = argc - 1};
    Words words = {0};
    const char *argument;
    while ((argument = next(&a)) != NULL) {
        int r = take_argument(argument, &a, &words, ret, reterr);
        if (r < 0)
            return r;
    }
    return ret->help || ret->version ? 0 : choose_command(&words, ret, reterr);
}

int cli_run(const Cli *cli)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    if (!cli->help && !cli->version)
        return cli->command->run(cli);
    if (cli->help)
        cli_write_help(&text);
    else
        cli_write_version(&text);
    (void)fputs(buf_cstr(&text), stdout);
    return EXIT_WELL;
}
