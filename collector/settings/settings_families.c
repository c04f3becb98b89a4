/* SPDX-License-Identifier: PostgreSQL */
/* See settings_families.h. */
#include "collector/settings/settings_families.h"

#include <dirent.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/io/file.h"

enum { FAMILY_FILE_MAX = 256 << 10 };

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
        catalog_add_own(s->catalog, buf_cstr(&path), buf_slice(&text), &err) < 0)
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

void settings_families_load(Settings *s, const SettingsDocument *documents, size_t count, ConfDiags *diags)
{
    load_catalog(s, diags);
    for (size_t i = 0; s->catalog && i < count; i++) {
        if (documents[i].root)
            collection_add_own_families(s->catalog, documents[i].root, documents[i].name, diags);
    }
    for (size_t i = 0; i < count; i++) {
        if (documents[i].root)
            collection_read_families(&s->families, s->catalog, documents[i].root, documents[i].name, diags);
    }
}

void settings_families_free(Settings *s)
{
    collection_free_families(&s->families);
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

/* A user's own family is always asked for: it was written down. */
static bool preset_wants(Preset preset, const Family *family)
{
    if (preset == PRESET_MINIMAL && !family->own)
        return collection_is_minimal(family);
    return family->enabled || (preset == PRESET_FULL && !family->own);
}

bool settings_family(const Settings *s, const Family *family, Usec *ret_interval)
{
    static const Usec MINIMAL_INTERVAL = COLLECTION_MINIMAL_INTERVAL_S * USEC_PER_SEC;
    *ret_interval = family->interval_seconds * USEC_PER_SEC;
    if (s->preset == PRESET_MINIMAL && !family->own && *ret_interval < MINIMAL_INTERVAL)
        *ret_interval = MINIMAL_INTERVAL;
    bool wanted = preset_wants(s->preset, family);
    for (size_t i = 0; i < ARRAY_LENGTH(GROUPS); i++) {
        const bool *on = (const bool *)(const void *)((const char *)s + GROUPS[i].offset);
        if (!*on && in_group(&GROUPS[i], family))
            wanted = false;
    }
    for (size_t i = 0; i < s->families.count; i++) {
        const FamilySettings *f = &s->families.items[i];
        if (strcmp(f->name, family->name) != 0)
            continue;
        if (f->enabled_given)
            wanted = f->enabled; /* the family's own word stands above preset and switches */
        if (f->interval)
            *ret_interval = f->interval;
    }
    return wanted;
}

size_t settings_family_top(const Settings *s, const Family *family)
{
    size_t top = (size_t)family->top;
    for (size_t i = 0; i < s->families.count; i++) {
        if (strcmp(s->families.items[i].name, family->name) == 0 && s->families.items[i].top >= 0)
            top = (size_t)s->families.items[i].top;
    }
    return top;
}

bool settings_families_equal(const Settings *a, const Settings *b)
{
    if (catalog_count(a->catalog) != catalog_count(b->catalog) || a->roll_up_partitions != b->roll_up_partitions)
        return false;
    for (size_t i = 0; i < catalog_count(a->catalog); i++) {
        const Family *x = catalog_at(a->catalog, i), *y = catalog_at(b->catalog, i);
        Usec interval_before, interval_now;
        bool wanted_before = settings_family(a, x, &interval_before);
        bool wanted_now = settings_family(b, y, &interval_now);
        if (family_fingerprint(x) != family_fingerprint(y) ||
            family_metrics_fingerprint(x) != family_metrics_fingerprint(y) || wanted_before != wanted_now ||
            interval_before != interval_now || settings_family_top(a, x) != settings_family_top(b, y))
            return false;
    }
    return true;
}
