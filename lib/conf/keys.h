#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Key table: one row says everything about a setting, and defaults, reading, diagnostics, --help, the sample file and
 * the documentation derive from it.
 *
 *     static const ConfKey rows[] = {
 *         {"backend", "url", CONF_STRING, CONF_FIELD(Settings, backend_url), .env = "BACKEND_URL",
 *          .flags = CONF_REQUIRED, .help = "Where the backend is reached."},
 *         {"buffer", "max_bytes", CONF_BYTES, CONF_FIELD(Settings, max_bytes), .otherwise = "256MB",
 *          .min = 1 << 20, .max = INT64_MAX, .help = "..."},
 *     };
 *     static const ConfKeys keys = {rows, ARRAY_LENGTH(rows)};
 *
 *     conf_keys_init_defaults(&keys, &settings);
 *     conf_keys_apply_toml(&keys, &settings, toml_root(doc), "collector.toml", diags);
 *     conf_keys_apply_environment(&keys, &settings, &source, diags);       // what comes later wins
 *     conf_keys_check_required(&keys, &settings, NULL, "collector.toml", diags);
 *     r = conf_diags_result(diags, reterr);
 *     ...
 *     conf_keys_free(&keys, &settings);
 *
 * Strings and lists in the settings struct are owned by it; strings are "" when not given, never NULL.
 * A value that is at fault leaves the setting as it was. Row tables are constant; a settings struct belongs to one
 * thread while it is being filled.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/conf/diags.h"
#include "lib/conf/toml.h"

/* Type: C type of the member; what .min and .max bound; texts (environment, default). In TOML as one would expect,
 * sizes and durations as string or number. */
typedef enum ConfType {
    CONF_STRING,      /* const char *; bytes */
    CONF_PATH,        /* const char *; bytes */
    CONF_SECRET,      /* const char *, wiped when freed, never shown; bytes; also from a file: ENV_FILE, .file_key */
    CONF_BOOL,        /* bool; true|false, yes|no, on|off, 1|0 */
    CONF_INT,         /* any integer type; the value, bounds are a must */
    CONF_DECIMAL,     /* 64 bits; thousandths; "0.5" */
    CONF_BYTES,       /* 64 bits; bytes; "256MB", "4096" */
    CONF_DURATION,    /* Usec; microseconds; "60", "500ms", "15m", "14d" (a bare number: seconds) */
    CONF_STRING_LIST, /* ConfStringList; number of items; comma list */
    CONF_ENUM,        /* any enum or integer; the index in .choices */
    _CONF_TYPE_MAX
} ConfType;

enum {
    CONF_RELOADABLE = 1 << 0, /* takes effect at SIGHUP; for others conf_keys_changed() says that a restart is needed */
    CONF_REQUIRED = 1 << 1,   /* strings and lists: must not be empty */
    CONF_HIDDEN = 1 << 2,     /* not in help, sample and documentation */
};

typedef struct ConfStringList {
    const char **items; /* NULL-terminated; NULL when empty */
    size_t count;
} ConfStringList;

typedef struct ConfKey {
    const char *section; /* "backend", "metrics.family"; of env-only keys: the heading in the documentation */
    const char *name;    /* in TOML; NULL: environment only */
    ConfType type;
    size_t offset;
    size_t size;           /* CONF_FIELD() fills both */
    const char *env;       /* NULL: not from the environment */
    const char *otherwise; /* default, as text; NULL: "", 0, false, the first choice, no items */
    int64_t min;           /* min == max == 0: no bounds */
    int64_t max;
    unsigned flags;
    const char *const *choices; /* NULL-terminated, of CONF_ENUM */
    const char *file_key;       /* CONF_SECRET in TOML: the key that names a file to read it from, which wins */
    const char *help;           /* sentences, markdown */
    const char *example;        /* TOML text; the sample file then sets the key instead of showing its default */
} ConfKey;

#define CONF_FIELD(Type, member) offsetof(Type, member), sizeof(((Type *)0)->member)

typedef struct ConfKeys {
    const ConfKey *rows; /* rows of one section stand together */
    size_t count;
    /* Tables that the caller reads itself, NULL-terminated: "postgres", "metrics.family". NULL: none. */
    const char *const *elsewhere;
} ConfKeys;

/* Fills an uninitialised struct's members that have rows. */
void conf_keys_init_defaults(const ConfKeys *keys, void *settings);
/* Frees strings and lists, wipes secrets, zeroes the members; may be called again. */
void conf_keys_free(const ConfKeys *keys, void *settings);
/* Deep copy of the members that have rows, into an uninitialised struct. */
void conf_keys_dup(const ConfKeys *keys, void *ret_settings, const void *settings);

/* A whole file. A section may be written [x] or as a single [[x]]. Unknown keys and tables are faults. @file is for
 * messages. */
void conf_keys_apply_toml(const ConfKeys *keys, void *settings, const TomlTable *root, const char *file,
                          ConfDiags *diags);
/* One table: the rows of @section. @label names it in messages ("metrics.family.pg_locks"); NULL: @section. */
void conf_keys_apply_table(const ConfKeys *keys, void *settings, const TomlTable *table, const char *section,
                           const char *label, const char *file, ConfDiags *diags);
/* For sections that may be written [x] or several times [[x]]: how many, and each. @section is a path of keys. */
size_t conf_section_count(const TomlTable *root, const char *section);
const TomlTable *conf_section_at(const TomlTable *root, const char *section, size_t index);

/* Where texts come from. @get returns NULL for what is not there and may set *ret_line (it is 0 before). Empty counts
 * as not given. */
typedef struct ConfSource {
    const char *(*get)(const void *arg, const char *name, uint32_t *ret_line);
    const void *arg;
    const char *file; /* for messages; NULL: "environment" */
} ConfSource;
/* @environment: NULL-terminated "K=V", usually environ. */
ConfSource conf_source_environment(const char *const *environment);
/* Secrets also as NAME_FILE=path: the content without its trailing newline. Both at once are a fault. */
void conf_keys_apply_environment(const ConfKeys *keys, void *settings, const ConfSource *source, ConfDiags *diags);

/* Adds a fault for each CONF_REQUIRED setting that is empty, of @section only unless it is NULL. @file: where it should
 * be written. */
void conf_keys_check_required(const ConfKeys *keys, const void *settings, const char *section, const char *file,
                              ConfDiags *diags);

/* For checks across keys: a fault of the setting at @member, placed where it was given, or at @file if it was not. */
void conf_keys_fault(const ConfKeys *keys, const void *settings, const void *member, const char *file, ConfDiags *diags,
                     const char *hint, const char *format, ...) PRINTF_LIKE(7, 8);
/* Whether file or environment gave it (with or without fault). */
bool conf_keys_given(const ConfKeys *keys, const void *settings, const void *member, const ConfDiags *diags);

/* Calls @on_change for each row whose value differs. */
void conf_keys_changed(const ConfKeys *keys, const void *before, const void *after,
                       void (*on_change)(void *arg, const ConfKey *key), void *arg);
/* The value as text, as the environment would give it; secrets as "********", or nothing when empty. */
void conf_key_write_value(const ConfKey *key, const void *settings, Buf *out);
/* "a number from 1 to 65535", for messages and documentation. */
void conf_key_write_allowed(const ConfKey *key, Buf *out);

/* Documentation: a markdown table a section; a TOML file with every key, help and default; lines for --help. */
void conf_keys_write_markdown(const ConfKeys *keys, Buf *out);
void conf_keys_write_sample_toml(const ConfKeys *keys, Buf *out);
void conf_keys_write_help(const ConfKeys *keys, Buf *out);
