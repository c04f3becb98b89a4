/* SPDX-License-Identifier: PostgreSQL */
/* What is collected: see collection.h. */
#include "lib/catalog/collection.h"

#include <stdio.h>

#include "lib/base/memory.h"

const char *const PRESET_NAMES[] = {"standard", "minimal", "full", NULL};
const char *const PARTITION_NAMES[] = {"each", "roll_up", NULL};

/* Those that answer "is it up, is it busy, is it full" and cost next to nothing. */
static const char *const MINIMAL[] = {
    "collector_family",
    "pg_database",
    "pg_server",
    "pg_replication_slots",
    "pg_stat_archiver",
    "pg_stat_bgwriter",
    "pg_stat_checkpointer",
    "pg_stat_activity_waits",
    "pg_stat_database",
    "pg_stat_replication",
    "system_cpu",
    "system_filesystem",
    "system_load",
    "system_memory",
};

typedef struct Collection {
    COLLECTION_KEYS(COLLECTION_MEMBER)
} Collection;

#define ROW(section_, name_, type_, CType, member, ...)                                                                \
    {section_, name_, type_, CONF_FIELD(Collection, member), __VA_ARGS__},
static const ConfKey ROWS[] = {COLLECTION_KEYS(ROW)};
static const char *const ELSEWHERE[] = {"metrics.family", "family", NULL};
static const ConfKeys KEYS = {ROWS, ARRAY_LENGTH(ROWS), ELSEWHERE};

#define FAMILY(member) CONF_FIELD(FamilySettings, member)

static const ConfKey FAMILY_ROWS[] = {
    {"metrics.family", "enabled", CONF_BOOL, FAMILY(enabled), .otherwise = "true", .help = "Read the family at all."},
    {"metrics.family", "interval", CONF_DURATION, FAMILY(interval), .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC,
     .help = "How often; default: the family's own interval, or the collector's."},
    {"metrics.family", "top", CONF_INT, FAMILY(top), .otherwise = "-1", .min = -1, .max = 100000,
     .help =
         "Of the rows that changed so many are sent, those that changed most; the rest is one row \"(other)\". 0: all;"
         " -1: as the family says."},
};
static const ConfKeys FAMILY_KEYS = {FAMILY_ROWS, ARRAY_LENGTH(FAMILY_ROWS), NULL};

bool collection_is_minimal(const Family *f)
{
    for (size_t i = 0; i < ARRAY_LENGTH(MINIMAL); i++) {
        if (strcmp(f->name, MINIMAL[i]) == 0)
            return true;
    }
    return false;
}

/* --- [metrics.family.NAME] ---------------------------------------------------------------------------------------- */

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

static void fault_at(const TomlEntry *e, const char *file, const char *section, const char *message, const char *hint,
                     ConfDiags *diags)
{
    conf_diags_add(diags, &(ConfDiag){.file = file,
                                      .line = e->line,
                                      .column = e->column,
                                      .section = section,
                                      .key = e->key.ptr,
                                      .message = message,
                                      .hint = hint});
}

static void report_unknown(const Catalog *catalog, const TomlEntry *e, const char *file, ConfDiags *diags)
{
    const char *nearest = nearest_family(catalog, e->key);
    char hint[128] = "";
    if (nearest)
        (void)snprintf(hint, sizeof(hint), "did you mean %s?", nearest);
    fault_at(e, file, "metrics.family", "no such metric family", hint, diags);
}

static FamilySettings *find_or_add(FamilySettingsList *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    }
    FamilySettings *f = &list->items[list->count++];
    conf_keys_init_defaults(&FAMILY_KEYS, f);
    f->name = mem_strdup(name);
    return f;
}

static void read_family(FamilySettingsList *list, const Catalog *catalog, const TomlEntry *e, const char *file,
                        ConfDiags *diags)
{
    if (e->value.type != TOML_TABLE) {
        fault_at(e, file, "metrics.family", "must be a table", NULL, diags);
        return;
    }
    if (catalog && !catalog_find(catalog, e->key)) {
        report_unknown(catalog, e, file, diags);
        return;
    }
    FamilySettings *f = find_or_add(list, e->key.ptr);
    _cleanup_buf_ Buf label = BUF_INIT;
    buf_printf(&label, "metrics.family.%s", f->name);
    conf_keys_apply_table(&FAMILY_KEYS, f, e->value.as.table, "metrics.family", buf_cstr(&label), file, diags);
    f->enabled_given |= toml_table_get(e->value.as.table, "enabled") != NULL;
}

void collection_read_families(FamilySettingsList *list, const Catalog *catalog, const TomlTable *root, const char *file,
                              ConfDiags *diags)
{
    const TomlTable *metrics = toml_table_get_table(root, "metrics");
    const TomlValue *value = metrics ? toml_table_get(metrics, "family") : NULL;
    if (!value)
        return;
    if (value->type != TOML_TABLE) {
        conf_diags_add(diags, &(ConfDiag){.file = file,
                                          .line = value->line,
                                          .column = value->column,
                                          .section = "metrics.family",
                                          .message = "must be tables, [metrics.family.NAME]"});
        return;
    }
    const TomlTable *families = value->as.table;
    FamilySettings *items = mem_alloc_array(sizeof(*items), list->count + toml_table_count(families) + 1);
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof(*items));
    free(list->items);
    list->items = items;
    for (const TomlEntry *e = toml_table_first(families); e; e = e->next)
        read_family(list, catalog, e, file, diags);
}

void collection_free_families(FamilySettingsList *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        conf_keys_free(&FAMILY_KEYS, &list->items[i]);
    }
    free(list->items);
    *list = (FamilySettingsList){0};
}

/* --- [[family]] --------------------------------------------------------------------------------------------------- */

void collection_add_own_families(Catalog *catalog, const TomlTable *root, const char *file, ConfDiags *diags)
{
    const TomlValue *list = toml_table_get(root, "family");
    if (!list)
        return;
    size_t count = conf_section_count(root, "family");
    if (count == 0 || count > COLLECTION_OWN_FAMILIES_MAX) {
        char message[64];
        (void)snprintf(message, sizeof(message), "must be 1 to %d tables, [[family]]", COLLECTION_OWN_FAMILIES_MAX);
        conf_diags_add(
            diags,
            &(ConfDiag){
                .file = file, .line = list->line, .column = list->column, .section = "family", .message = message});
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const TomlTable *table = conf_section_at(root, "family", i);
        _cleanup_buf_ Buf label = BUF_INIT;
        const TomlEntry *first = toml_table_first(table);
        buf_printf(&label, "[[family]] %zu", i + 1);
        Err err = ERR_INIT;
        if (catalog_add_own_table(catalog, buf_cstr(&label), table, &err) >= 0)
            continue;
        if (err.line == 0 && first)
            err_at(&err, first->line, first->column);
        conf_diags_add_err(diags, file, &err);
    }
}

/* --- a document from afar ----------------------------------------------------------------------------------------- */

void collection_check(Slice text, const char *file, ConfDiags *diags)
{
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    const TomlLimits limits = {.bytes = COLLECTION_DOCUMENT_MAX};
    Err err = ERR_INIT;
    if (toml_parse(text, &limits, &doc, &err) < 0 || catalog_new_builtin(&catalog, &err) < 0) {
        conf_diags_add_err(diags, file, &err);
        return;
    }
    Collection collection;
    FamilySettingsList families = {0};
    conf_keys_init_defaults(&KEYS, &collection);
    conf_keys_apply_toml(&KEYS, &collection, toml_root(doc), file, diags);
    collection_add_own_families(catalog, toml_root(doc), file, diags);
    collection_read_families(&families, catalog, toml_root(doc), file, diags);
    collection_free_families(&families);
    conf_keys_free(&KEYS, &collection);
}
