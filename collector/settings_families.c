/* SPDX-License-Identifier: PostgreSQL */
/* See settings_families.h. */
#include "collector/settings_families.h"

#include <dirent.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/io/file.h"

enum { FAMILY_FILE_MAX = 256 << 10 };

#define FAMILY(member) CONF_FIELD(FamilySettings, member)

static const ConfKey ROWS[] = {
    {"metrics.family", "enabled", CONF_BOOL, FAMILY(enabled), .otherwise = "true", .help = "Read the family at all."},
    {"metrics.family", "interval", CONF_DURATION, FAMILY(interval), .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC,
     .help = "How often; default: the family's own interval, or the collector's."},
};
static const ConfKeys KEYS = {ROWS, ARRAY_LENGTH(ROWS), NULL};

/* Which families a switch of [metrics] turns off, besides those that need an extension of its name. */
typedef struct Group {
    size_t offset; /* of the bool in Settings */
    const char *needs;
    const char *const *families;
} Group;

static const char *const REPLICATION[] = {"pg_stat_replication",  "pg_replication_slots", "pg_stat_replication_slots",
                                          "pg_stat_wal_receiver", "pg_stat_subscription", NULL};
static const char *const WAL[] = {"pg_stat_wal", "pg_stat_archiver", "pg_wal", NULL};
static const Group GROUPS[] = {
    {offsetof(Settings, enable_pg_stat_statements), "pg_stat_statements", NULL},
    {offsetof(Settings, enable_replication), NULL, REPLICATION},
    {offsetof(Settings, enable_wal_level), NULL, WAL},
};

static int has_toml_suffix(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && slice_ends_with(slice_cstr(entry->d_name), SLICE_LIT(".toml"));
}

static void add_family_file(Settings *s, const char *name, ConfDiags *diags)
{
    _cleanup_buf_ Buf path = BUF_INIT, text = BUF_INIT;
    buf_printf(&path, "%s/%s", s->metrics_directory, name);
    Err err = ERR_INIT;
    if (file_read_all(buf_cstr(&path), FAMILY_FILE_MAX, &text, &err) < 0 ||
        catalog_add(s->catalog, buf_cstr(&path), buf_slice(&text), &err) < 0)
        conf_diags_add_err(diags, buf_cstr(&path), &err);
}

static void load_catalog(Settings *s, ConfDiags *diags)
{
    Err err = ERR_INIT;
    if (catalog_new_builtin(&s->catalog, &err) < 0) {
        conf_diags_add_err(diags, "built-in families", &err);
        return;
    }
    struct dirent **entries;
    int count = scandir(s->metrics_directory, &entries, has_toml_suffix, alphasort);
    for (int i = 0; i < count; i++) {
        add_family_file(s, entries[i]->d_name, diags);
        free(entries[i]);
    }
    if (count >= 0)
        free((void *)entries);
}

static const char *nearest_family(const Catalog *catalog, Slice name)
{
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < catalog_count(catalog); i++) {
        size_t distance = slice_distance(name, slice_cstr(catalog_at(catalog, i)->name), best);
        if (distance < best) {
            best = distance;
            nearest = catalog_at(catalog, i)->name;
        }
    }
    return nearest;
}

static void report_unknown(const Settings *s, const TomlEntry *e, const char *file, ConfDiags *diags)
{
    const char *nearest = nearest_family(s->catalog, e->key);
    char hint[128] = "";
    if (nearest)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", nearest);
    conf_diags_add(diags, &(ConfDiag){.file = file,
                                      .line = e->line,
                                      .column = e->column,
                                      .section = "metrics.family",
                                      .key = e->key.ptr,
                                      .message = "no such metric family",
                                      .hint = hint});
}

static void load_family(Settings *s, const TomlEntry *e, const char *file, ConfDiags *diags)
{
    if (e->value.type != TOML_TABLE) {
        conf_diags_add(diags, &(ConfDiag){.file = file,
                                          .line = e->line,
                                          .column = e->column,
                                          .section = "metrics.family",
                                          .key = e->key.ptr,
                                          .message = "must be a table"});
        return;
    }
    if (s->catalog && !catalog_find(s->catalog, e->key))
        report_unknown(s, e, file, diags);
    FamilySettings *f = &s->families[s->family_count++];
    conf_keys_init_defaults(&KEYS, f);
    f->name = mem_strdup(e->key.ptr);
    _cleanup_buf_ Buf label = BUF_INIT;
    buf_printf(&label, "metrics.family.%s", f->name);
    conf_keys_apply_table(&KEYS, f, e->value.as.table, "metrics.family", buf_cstr(&label), file, diags);
    f->enabled_given = conf_keys_given(&KEYS, f, &f->enabled, diags);
}

void settings_families_load(Settings *s, const TomlTable *root, const char *file, ConfDiags *diags)
{
    load_catalog(s, diags);
    const TomlTable *metrics = toml_table_get_table(root, "metrics");
    const TomlTable *families = metrics ? toml_table_get_table(metrics, "family") : NULL;
    if (!families)
        return;
    s->families = mem_alloc_array(sizeof(*s->families), toml_table_count(families) + 1);
    for (const TomlEntry *e = toml_table_first(families); e; e = e->next)
        load_family(s, e, file, diags);
}

void settings_families_free(Settings *s)
{
    for (size_t i = 0; i < s->family_count; i++) {
        free(s->families[i].name);
        conf_keys_free(&KEYS, &s->families[i]);
    }
    free(s->families);
    s->families = NULL;
    s->family_count = 0;
}

static bool in_group(const Group *group, const Family *family)
{
    if (group->needs && strcmp(family->needs, group->needs) == 0)
        return true;
    for (size_t i = 0; group->families && group->families[i]; i++) {
        if (strcmp(family->name, group->families[i]) == 0)
            return true;
    }
    return false;
}

bool settings_family(const Settings *s, const Family *family, Usec *ret_interval)
{
    *ret_interval = family->interval_seconds * USEC_PER_SEC;
    bool wanted = family->enabled;
    for (size_t i = 0; i < ARRAY_LENGTH(GROUPS); i++) {
        const bool *on = (const bool *)(const void *)((const char *)s + GROUPS[i].offset);
        if (!*on && in_group(&GROUPS[i], family))
            wanted = false;
    }
    for (size_t i = 0; i < s->family_count; i++) {
        if (strcmp(s->families[i].name, family->name) != 0)
            continue;
        if (s->families[i].enabled_given)
            wanted = s->families[i].enabled; /* the family's own word stands above the switches */
        if (s->families[i].interval)
            *ret_interval = s->families[i].interval;
    }
    return wanted;
}

/* A family file of the user's own may have changed in any way: the same names are not enough. */
static bool families_equal(const Family *a, const Family *b)
{
    if (strcmp(a->name, b->name) != 0 || a->column_count != b->column_count || a->scope != b->scope ||
        a->limit != b->limit || strcmp(a->where, b->where) != 0 || a->query_count != b->query_count)
        return false;
    for (size_t i = 0; i < a->query_count; i++) {
        if (strcmp(a->queries[i].sql, b->queries[i].sql) != 0)
            return false;
    }
    for (size_t i = 0; i < a->column_count; i++) {
        const FamilyColumn *x = &a->columns[i], *y = &b->columns[i];
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind || x->type != y->type ||
            strcmp(x->sql ? x->sql : "", y->sql ? y->sql : "") != 0)
            return false;
    }
    return true;
}

bool settings_families_equal(const Settings *a, const Settings *b)
{
    if (catalog_count(a->catalog) != catalog_count(b->catalog))
        return false;
    for (size_t i = 0; i < catalog_count(a->catalog); i++) {
        const Family *x = catalog_at(a->catalog, i), *y = catalog_at(b->catalog, i);
        Usec interval_before, interval_now;
        bool wanted_before = settings_family(a, x, &interval_before);
        bool wanted_now = settings_family(b, y, &interval_now);
        if (!families_equal(x, y) || wanted_before != wanted_now || interval_before != interval_now)
            return false;
    }
    return true;
}
