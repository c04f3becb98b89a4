#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* For tests of key tables: a table with a row of every kind, and the faults of a file as one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/conf/keys.h"

typedef enum Mode { MODE_FAST, MODE_SAFE, MODE_OFF } Mode;

typedef struct Settings {
    const char *title;
    const char *name;
    const char *key_file;
    const char *token;
    bool verify;
    uint16_t port;
    int8_t niceness;
    int16_t shift;
    int32_t offset;
    uint32_t workers;
    int64_t big;
    uint8_t small;
    int64_t max_bytes;
    int64_t quota;
    Usec interval;
    Usec grace;
    ConfStringList names;
    ConfStringList hosts;
    Mode mode;
    const char *note;
    const char *only_env;
} Settings;

static const char *const modes[] = {"fast", "safe", "off", NULL};

static const ConfKey rows[] = {
    {"", "title", CONF_STRING, CONF_FIELD(Settings, title), .otherwise = "none", .help = "Shown at the top."},
    {"server", "name", CONF_STRING, CONF_FIELD(Settings, name), .env = "SERVER_NAME", .min = 1, .max = 12,
     .flags = CONF_REQUIRED, .help = "What it is called.", .example = "\"main\""},
    {"server", "key_file", CONF_PATH, CONF_FIELD(Settings, key_file), .env = "KEY_FILE", .otherwise = "/etc/key.pem",
     .flags = CONF_RELOADABLE, .help = "Its key."},
    {"server", "token", CONF_SECRET, CONF_FIELD(Settings, token), .env = "TOKEN", .min = 8, .max = INT64_MAX,
     .file_key = "token_file", .help = "Lets it in."},
    {"server", "verify", CONF_BOOL, CONF_FIELD(Settings, verify), .env = "VERIFY", .otherwise = "true",
     .help = "Whether to check | verify."},
    {"server", "port", CONF_INT, CONF_FIELD(Settings, port), .env = "PORT", .otherwise = "5432", .min = 1, .max = 65535,
     .help = "Where it listens."},
    {"server", "niceness", CONF_INT, CONF_FIELD(Settings, niceness), .min = -20, .max = 19, .help = "Nice."},
    {"server", "shift", CONF_INT, CONF_FIELD(Settings, shift), .min = -1000, .max = 1000, .help = "Shift."},
    {"server", "offset", CONF_INT, CONF_FIELD(Settings, offset), .min = -100000, .max = 100000, .help = "Offset."},
    {"server", "workers", CONF_INT, CONF_FIELD(Settings, workers), .otherwise = "4", .max = UINT32_MAX,
     .help = "Workers."},
    {"server", "big", CONF_INT, CONF_FIELD(Settings, big), .min = INT64_MIN, .max = INT64_MAX, .help = "Big."},
    {"server", "small", CONF_INT, CONF_FIELD(Settings, small), .max = 255, .help = "Small."},
    {"server.limits", "max_bytes", CONF_BYTES, CONF_FIELD(Settings, max_bytes), .env = "MAX_BYTES",
     .otherwise = "256MB", .min = 1 << 20, .max = (int64_t)1 << 40, .help = "Most bytes."},
    {"server.limits", "quota", CONF_BYTES, CONF_FIELD(Settings, quota), .otherwise = "4096", .help = "Quota."},
    {"server.limits", "interval", CONF_DURATION, CONF_FIELD(Settings, interval), .env = "INTERVAL", .otherwise = "1m",
     .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC, .flags = CONF_RELOADABLE, .help = "How often."},
    {"server.limits", "grace", CONF_DURATION, CONF_FIELD(Settings, grace), .help = "How long."},
    {"server.limits", "names", CONF_STRING_LIST, CONF_FIELD(Settings, names), .env = "NAMES", .otherwise = "a, b",
     .min = 1, .max = 3, .help = "Names."},
    {"server.limits", "hosts", CONF_STRING_LIST, CONF_FIELD(Settings, hosts), .flags = CONF_REQUIRED, .help = "Hosts.",
     .example = "[\"h\"]"},
    {"server.limits", "mode", CONF_ENUM, CONF_FIELD(Settings, mode), .env = "MODE", .otherwise = "safe",
     .choices = modes, .help = "How."},
    {"server.limits", "note", CONF_STRING, CONF_FIELD(Settings, note), .max = 4, .flags = CONF_HIDDEN, .help = "Note."},
    {"Environment", NULL, CONF_STRING, CONF_FIELD(Settings, only_env), .env = "ONLY_ENV", .flags = CONF_REQUIRED,
     .help = "Not in a file."},
};
static const char *const elsewhere[] = {"postgres", "metrics.family", NULL};
static const ConfKeys keys = {rows, ARRAY_LENGTH(rows), elsewhere};

static const ConfKey *row(const char *name)
{
    for (size_t i = 0; i < keys.count; i++)
        if (strcmp(rows[i].name ? rows[i].name : rows[i].env, name) == 0)
            return &rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

static void expect_faults(const ConfDiags *diags, const char *expected)
{
    _cleanup_buf_ Buf got = BUF_INIT;
    conf_diags_print(diags, &got);
    if (strcmp(buf_cstr(&got), expected) != 0)
        fail_msg("got\n%sexpected\n%s", buf_cstr(&got), expected);
}

/* A file in a directory of its own, which the caller removes with remove_file(). */
typedef struct TempFile {
    char directory[32];
    char path[48];
} TempFile;

static TempFile write_file(Slice content)
{
    TempFile f = {.directory = "/tmp/pga-conf-XXXXXX"};
    assert_non_null(mkdtemp(f.directory));
    (void)snprintf(f.path, sizeof(f.path), "%s/file", f.directory);
    FILE *out = fopen(f.path, "wbe");
    assert_non_null(out);
    assert_int_equal(fwrite(content.ptr, 1, content.len, out), content.len);
    assert_int_equal(fclose(out), 0);
    return f;
}

static void remove_file(const TempFile *f)
{
    (void)remove(f->path);
    (void)rmdir(f->directory);
}
