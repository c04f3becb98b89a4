/* SPDX-License-Identifier: PostgreSQL */
/* See cli.h. One row an option: parser, help and "did you mean" read the same table. */
#include "collector/command/cli.h"

#include <curl/curl.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <zstd.h>

#include "collector/version.h"
#include "lib/base/buf.h"

enum { NO_VALUE = -1, NO_COMMAND = -1 };

typedef struct CliOption {
    const char *name;
    const char *value; /* what to call its value in the help; NULL: it has none */
    const char *help;
    ptrdiff_t offset; /* of the const char * (with value) or bool (without) in Cli; NO_VALUE */
    int command;      /* CliCommand that it asks for; NO_COMMAND */
    int belongs;      /* CliCommand whose it is; NO_COMMAND: everybody's */
} CliOption;

static const CliOption OPTIONS[] = {
    {"--config", "FILE", "settings (default: /etc/pganalytics/collector.toml)", offsetof(Cli, config), NO_COMMAND,
     NO_COMMAND},
    {"--verbose", NULL, "log more", offsetof(Cli, verbose), NO_COMMAND, NO_COMMAND},
    {"--validate", NULL, "check settings and certificates, print one line a fault; connects nowhere", NO_VALUE,
     CLI_VALIDATE, NO_COMMAND},
    {"--dry-run", NULL, "read every server once, print the batch and what it costs; sends nothing", NO_VALUE,
     CLI_DRY_RUN, NO_COMMAND},
    {"--version", NULL, "print versions", NO_VALUE, CLI_VERSION, NO_COMMAND},
    {"--help", NULL, "print this", NO_VALUE, CLI_HELP, NO_COMMAND},
    {"--api", "URL", "the backend, for example https://api.example.com", offsetof(Cli, api), NO_COMMAND, CLI_REGISTER},
    {"--secret-file", "FILE", "registration secret (or in the environment: REGISTRATION_SECRET)",
     offsetof(Cli, secret_file), NO_COMMAND, CLI_REGISTER},
    {"--ca", "FILE", "whom to trust (default: the system's authorities)", offsetof(Cli, ca), NO_COMMAND, CLI_REGISTER},
    {"--name", "NAME", "name of this collector (default: from the settings)", offsetof(Cli, name), NO_COMMAND,
     CLI_REGISTER},
    {"--hostname", "NAME", "name of this host (default: from the settings)", offsetof(Cli, hostname), NO_COMMAND,
     CLI_REGISTER},
    {"--region", "REGION", "where it is", offsetof(Cli, region), NO_COMMAND, CLI_REGISTER},
    {"--state-dir", "DIR", "where the identity goes (default: from the settings)", offsetof(Cli, state_dir), NO_COMMAND,
     CLI_REGISTER},
    {"--json", NULL, "print the answer as it came", offsetof(Cli, json), NO_COMMAND, CLI_STATUS},
    {"--server", "NAME", "which server of the settings (default: the only one)", offsetof(Cli, server), NO_COMMAND,
     CLI_BLOAT},
    {"--database", "NAME", "which database (default: the server's own)", offsetof(Cli, database), NO_COMMAND,
     CLI_BLOAT},
    {"--table", "NAME", "only this table and its indexes, with or without its schema", offsetof(Cli, table), NO_COMMAND,
     CLI_BLOAT},
    {"--max-bytes", "SIZE", "leave out what is larger (default: 10GB)", offsetof(Cli, max_bytes), NO_COMMAND,
     CLI_BLOAT},
};

static const char HELP_HEAD[] =
    "pganalytics reads PostgreSQL servers and sends their figures to a pganalytics backend.\n"
    "\n"
    "usage: pganalytics [OPTION...]\n"
    "       pganalytics register --api URL [OPTION...]\n"
    "       pganalytics status [OPTION...]\n"
    "       pganalytics bloat [OPTION...]\n"
    "\n";

static const char HELP_TAIL[] =
    "\n"
    "The usual way:\n"
    "  psql -c \"create role pganalytics_monitoring login password '...' in role pg_monitor\"\n"
    "  psql -c 'create extension pg_stat_statements'\n"
    "  pganalytics --config collector.toml --validate\n"
    "  pganalytics --config collector.toml --dry-run >batch.json\n"
    "  pganalytics register --config collector.toml --api https://api.example.com --secret-file secret\n"
    "  pganalytics --config collector.toml\n"
    "\n"
    "The smallest settings file:\n"
    "  [postgres]\n"
    "  host = \"localhost\"\n"
    "  user = \"pganalytics_monitoring\"\n"
    "  password_file = \"/etc/pganalytics/password\"\n"
    "\n"
    "SIGHUP reads the settings anew, SIGTERM ends after the tick under way.\n"
    "Exit status: 0 well, 1 failed, 2 wrong command line or settings.\n";

/* Commands that are words, and what their options are for. */
typedef struct CliWord {
    const char *word;
    CliCommand command;
    const char *help;
} CliWord;

static const CliWord WORDS[] = {
    {"register", CLI_REGISTER, "makes a key and has it certified; the identity goes to the state directory"},
    {"status", CLI_STATUS,
     "tells what the running collector last did; exit status 1 when it does not run or is not well"},
    {"bloat", CLI_BLOAT,
     "measures with pgstattuple what is free or dead in the largest tables and indexes; reads them whole"},
};

static const CliWord *find_word(Slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        if (slice_eq_cstr(name, WORDS[i].word))
            return &WORDS[i];
    }
    return NULL;
}

static const char *word_of(int command)
{
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        if ((int)WORDS[i].command == command)
            return WORDS[i].word;
    }
    return "";
}

static const CliOption *find_option(Slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(OPTIONS); i++) {
        if (slice_eq_cstr(name, OPTIONS[i].name))
            return &OPTIONS[i];
    }
    return NULL;
}

static int refuse_unknown(Slice name, Err *reterr)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < ARRAY_LENGTH(OPTIONS); i++) {
        size_t distance = slice_distance(name, slice_cstr(OPTIONS[i].name), best);
        if (distance < best) {
            best = distance;
            nearest = OPTIONS[i].name;
        }
    }
    int r = err_set(reterr, ERR_USAGE, "unknown argument \"%.*s\"", SLICE_ARG(name));
    if (nearest)
        err_hint(reterr, "did you mean %s?", nearest);
    else
        err_hint(reterr, "pganalytics --help");
    return r;
}

static int set_command(Cli *cli, CliCommand command, const char *argument, Err *reterr)
{
    /* --help and --version win over everything: somebody is asking. */
    if (cli->command == CLI_HELP || cli->command == CLI_VERSION)
        return 0;
    if (cli->command != CLI_RUN && command != CLI_HELP && command != CLI_VERSION && cli->command != command)
        return err_set(reterr, ERR_USAGE, "\"%s\" asks for something else than what stands before it", argument);
    cli->command = command;
    return 0;
}

static int take_option(Cli *cli, const CliOption *option, const char *value, Err *reterr)
{
    if (option->command != NO_COMMAND)
        return set_command(cli, (CliCommand)option->command, option->name, reterr);
    char *member = (char *)cli + option->offset;
    if (option->value)
        memcpy(member, &value, sizeof(value));
    else
        *(bool *)member = true;
    return 0;
}

/* @owned: the first option that belongs to some command; NULL: none. */
static int check_combination(const Cli *cli, const CliOption *owned, Err *reterr)
{
    if (cli->command == CLI_HELP || cli->command == CLI_VERSION)
        return 0;
    if (owned && (int)cli->command != owned->belongs)
        return err_set(reterr, ERR_USAGE, "%s belongs to \"pganalytics %s\"", owned->name, word_of(owned->belongs));
    if (cli->command == CLI_REGISTER && !cli->api) {
        int r = err_set(reterr, ERR_USAGE, "register needs --api");
        err_hint(reterr, "pganalytics register --api https://HOST --secret-file FILE");
        return r;
    }
    return 0;
}

int cli_parse(int argc, char *const *argv, Cli *ret, Err *reterr)
{
    *ret = (Cli){.command = CLI_RUN};
    const CliOption *owned = NULL;
    for (int i = 1; i < argc; i++) {
        Slice argument = slice_cstr(argv[i]);
        Slice value = argument;
        Slice name = slice_split(&value, '=');
        const CliOption *option = find_option(name);
        int r;
        const CliWord *word = find_word(argument);
        if (word) {
            r = set_command(ret, word->command, argv[i], reterr);
        } else if (!option) {
            r = refuse_unknown(name, reterr);
        } else if (!option->value && value.ptr) {
            r = err_set(reterr, ERR_USAGE, "%s takes no value", option->name);
        } else if (option->value && !value.ptr && i + 1 >= argc) {
            r = err_set(reterr, ERR_USAGE, "%s needs a value: %s", option->name, option->value);
        } else {
            const char *text = value.ptr ? value.ptr : option->value ? argv[++i] : NULL;
            r = take_option(ret, option, text, reterr);
            if (option->belongs != NO_COMMAND && (!owned || owned->belongs == (int)ret->command))
                owned = option;
        }
        if (r < 0)
            return r;
    }
    return check_combination(ret, owned, reterr);
}

void cli_print(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vfprintf(out, format, args); /* a closed terminal is nobody to tell; what matters is flushed and checked */
    va_end(args);
}

void cli_print_error(const Err *err)
{
    cli_print(stderr, "pganalytics: %s%s%s%s\n", err->detail, err->hint[0] ? " (" : "", err->hint,
              err->hint[0] ? ")" : "");
}

static void print_options(FILE *out, int belongs)
{
    for (size_t i = 0; i < ARRAY_LENGTH(OPTIONS); i++) {
        const CliOption *o = &OPTIONS[i];
        if (o->belongs != belongs)
            continue;
        _cleanup_buf_ Buf name = BUF_INIT;
        buf_printf(&name, "%s %s", o->name, o->value ? o->value : "");
        cli_print(out, "  %-22s %s\n", buf_cstr(&name), o->help);
    }
}

void cli_print_help(FILE *out)
{
    cli_print(out, "%s", HELP_HEAD);
    print_options(out, NO_COMMAND);
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        cli_print(out, "\n%s %s:\n", WORDS[i].word, WORDS[i].help);
        print_options(out, (int)WORDS[i].command);
    }
    cli_print(out, "%s", HELP_TAIL);
}

void cli_print_version(FILE *out)
{
    int pq = PQlibVersion();
    cli_print(out, "pganalytics %s (commit %s)\n", COLLECTOR_VERSION, PGA_COMMIT);
    cli_print(out, "libpq %d.%d, %s, libcurl %s, zstd %s\n", pq / 10000, pq % 10000, OpenSSL_version(OPENSSL_VERSION),
              curl_version_info(CURLVERSION_NOW)->version, ZSTD_versionString());
}
