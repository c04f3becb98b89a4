/* SPDX-License-Identifier: PostgreSQL */
/*
 * KEY=value files of any bytes. Held to: no crash, every name is found again with a line inside the text, the block
 * that holds the values never moved (the address sanitizer would see it), faults are one valid line each.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf/env_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

typedef struct Settings {
    const char *a;
    const char *secret;
    uint16_t port;
    ConfStringList names;
} Settings;

static const ConfKey rows[] = {
    {"", NULL, CONF_STRING, CONF_FIELD(Settings, a), .env = "A", .max = 20, .help = "Text."},
    {"", NULL, CONF_SECRET, CONF_FIELD(Settings, secret), .env = "S", .min = 4, .max = INT64_MAX, .help = "Secret."},
    {"", NULL, CONF_INT, CONF_FIELD(Settings, port), .env = "P", .otherwise = "1", .min = 1, .max = 65535,
     .help = "Port."},
    {"", NULL, CONF_STRING_LIST, CONF_FIELD(Settings, names), .env = "N", .help = "Names."},
};
static const ConfKeys keys = {rows, ARRAY_LENGTH(rows), NULL};

/* The file's own variables, but for those that name other files. */
static const char *get_no_file(const void *arg, const char *name, uint32_t *ret_line)
{
    const ConfSource *file = arg;
    return slice_ends_with(slice_cstr(name), SLICE_LIT("_FILE")) ? NULL : file->get(file->arg, name, ret_line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(slice_from((const char *)data, size), "fuzz.env", diags);
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';

    const ConfSource file = env_file_source(f);
    static const char *const names[] = {"A", "S", "P", "N", "S_FILE"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        uint32_t line = 0;
        const char *value = file.get(file.arg, names[i], &line);
        if (value)
            CHECK(line >= 1 && line <= lines && strlen(value) <= size);
    }

    Settings s;
    conf_keys_init_defaults(&keys, &s);
    const ConfSource source = {.get = get_no_file, .arg = &file, .file = file.file};
    conf_keys_apply_environment(&keys, &s, &source, diags);
    env_file_check_names(f, &keys, diags);
    CHECK(strlen(s.a) <= 20 && s.port >= 1);
    CHECK(strlen(s.secret) == 0 || strlen(s.secret) >= 4);
    for (size_t i = 0; i < s.names.count; i++)
        CHECK(*s.names.items[i]);
    conf_keys_free(&keys, &s);

    _cleanup_buf_ Buf text = BUF_INIT;
    conf_diags_print(diags, &text);
    CHECK(slice_is_utf8(buf_slice(&text)));
    return 0;
}
