/* SPDX-License-Identifier: PostgreSQL */
/*
 * TOML reader and key table on any bytes. Held to: no crash, every refusal has a place inside the text and a message,
 * an accepted document is well-formed UTF-8, what it says of itself agrees (counts, look-ups, places in order), and the
 * key table either applies a value within its bounds or adds a fault.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/conf/keys.h"
#include "lib/conf/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

typedef struct Settings {
    const char *name;
    const char *path;
    const char *password;
    bool enabled;
    uint16_t port;
    int64_t bytes;
    Usec interval;
    ConfStringList names;
    int level;
} Settings;

static const char *const levels[] = {"debug", "info", "warn", NULL};
static const ConfKey rows[] = {
    {"a", "name", CONF_STRING, CONF_FIELD(Settings, name), .otherwise = "x", .min = 1, .max = 10, .help = "Name."},
    {"a", "path", CONF_PATH, CONF_FIELD(Settings, path), .help = "Path."},
    {"a", "key", CONF_SECRET, CONF_FIELD(Settings, password), .help = "Secret."},
    {"a", "on", CONF_BOOL, CONF_FIELD(Settings, enabled), .help = "Switch."},
    {"a.b", "port", CONF_INT, CONF_FIELD(Settings, port), .otherwise = "1", .min = 1, .max = 65535, .help = "Port."},
    {"a.b", "bytes", CONF_BYTES, CONF_FIELD(Settings, bytes), .help = "Size."},
    {"a.b", "time", CONF_DURATION, CONF_FIELD(Settings, interval), .otherwise = "1s", .min = 1, .max = 3600000000,
     .help = "Time."},
    {"a.b", "names", CONF_STRING_LIST, CONF_FIELD(Settings, names), .max = 3, .help = "Names."},
    {"", "level", CONF_ENUM, CONF_FIELD(Settings, level), .choices = levels, .help = "Level."},
};
static const char *const elsewhere[] = {"c", NULL};
static const ConfKeys keys = {rows, ARRAY_LENGTH(rows), elsewhere};

static void check_value(const TomlValue *v);

static void check_table(const TomlTable *t)
{
    size_t count = 0;
    for (const TomlEntry *e = toml_table_first(t); e; e = e->next, count++) {
        CHECK(e->line > 0 && e->column > 0);
        CHECK(slice_is_utf8(e->key) && e->key.ptr[e->key.len] == '\0');
        CHECK(toml_table_find(t, e->key) == e);
        check_value(&e->value);
    }
    CHECK(count == toml_table_count(t));
}

static void check_value(const TomlValue *v)
{
    CHECK(v->line > 0 && v->column > 0);
    CHECK(toml_type_to_string(v->type));
    if (v->type == TOML_STRING)
        CHECK(slice_is_utf8(v->as.string) && v->as.string.ptr[v->as.string.len] == '\0');
    else if (v->type == TOML_TABLE)
        check_table(v->as.table);
    else if (v->type == TOML_ARRAY)
        for (size_t i = 0; i < v->as.array->count; i++)
            check_value(&v->as.array->items[i]);
}

static void check_keys(const TomlTable *root)
{
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    conf_keys_apply_toml(&keys, &s, root, "fuzz.toml", diags);
    CHECK(s.port >= 1);
    CHECK(strlen(s.name) >= 1 && strlen(s.name) <= 10);
    CHECK(s.names.count <= 3);
    CHECK(s.level >= 0 && s.level <= 2);
    CHECK(s.interval >= 1 && s.interval <= 3600000000);
    CHECK(s.bytes >= 0);
    for (size_t i = 0; i < conf_section_count(root, "c"); i++)
        CHECK(conf_section_at(root, "c", i));

    _cleanup_buf_ Buf text = BUF_INIT;
    conf_diags_print(diags, &text);
    CHECK((conf_diags_count(diags) == 0) == (conf_diags_result(diags, NULL) == 0));
    CHECK(slice_is_utf8(buf_slice(&text)));
    conf_keys_free(&keys, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Slice text = slice_from((const char *)data, size);
    TomlLimits limits = {.bytes = 64 << 10, .depth = 32, .values = 5000};
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (toml_parse(text, &limits, &doc, &err) < 0) {
        CHECK(!doc);
        CHECK(err.detail[0] != '\0' && slice_is_utf8(slice_cstr(err.detail)));
        CHECK((err.line > 0 && err.column > 0) || err.code == ERR_TOO_LARGE);
        CHECK(err.line <= size + 1 && err.column <= size + 1);
        return 0;
    }
    CHECK(slice_is_utf8(text) || size == 0);
    check_table(toml_root(doc));
    check_keys(toml_root(doc));
    (void)toml_doc_free(doc);
    return 0;
}
