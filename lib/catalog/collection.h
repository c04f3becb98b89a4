#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What is collected, as far as it may be said from afar: the keys that stand in a collector's file and in the document
 * that an administrator gives it through the API (docs/remote-configuration.md). A key is one row of the lists below;
 * the collector takes the rows into its own key table (collector/settings/settings.c), so that a row put here is known
 * to both programs. Never here: how servers and backend are reached, secrets, paths of the host.
 *
 * Pure; a document is read by one thread.
 */
#include "lib/base/clock.h"
#include "lib/catalog/family.h"
#include "lib/conf/keys.h"

typedef enum Preset { PRESET_STANDARD, PRESET_MINIMAL, PRESET_FULL, _PRESET_MAX } Preset;
extern const char *const PRESET_NAMES[]; /* NULL-terminated, by Preset */
extern const char *const PARTITION_NAMES[];

/* KEY(section, name, type, C type of the member, member, the other fields of ConfKey...); a list for each section. */
#define COLLECTION_COLLECTOR_KEYS(KEY)                                                                                 \
    KEY("collector", "interval", CONF_DURATION, Usec, interval, .otherwise = "60", .min = USEC_PER_SEC,                \
        .max = 3600 * USEC_PER_SEC, .flags = CONF_RELOADABLE,                                                          \
        .help = "How often the servers are read. Families may have their own.")
#define COLLECTION_METRICS_KEYS(KEY)                                                                                   \
    KEY("metrics", "preset", CONF_ENUM, Preset, preset, .otherwise = "standard", .choices = PRESET_NAMES,              \
        .flags = CONF_RELOADABLE,                                                                                      \
        .help = "`minimal`: a dozen cheap families, once a minute; `standard`: all but those that are off unless "     \
                "they are asked for; `full`: these as well. `[metrics.family.NAME]` stands above it.")                 \
    KEY("metrics", "enable_pg_stat_statements", CONF_BOOL, bool, enable_pg_stat_statements, .otherwise = "true",       \
        .flags = CONF_RELOADABLE, .help = "Numbers and texts of statements.")                                          \
    KEY("metrics", "enable_replication", CONF_BOOL, bool, enable_replication, .otherwise = "true",                     \
        .flags = CONF_RELOADABLE, .help = "Replication connections and slots.")                                        \
    KEY("metrics", "enable_wal_level", CONF_BOOL, bool, enable_wal_level, .otherwise = "true",                         \
        .flags = CONF_RELOADABLE, .help = "Write-ahead log and archiving.")                                            \
    KEY("metrics", "partitions", CONF_ENUM, bool, roll_up_partitions, .otherwise = "roll_up",                          \
        .choices = PARTITION_NAMES, .flags = CONF_RELOADABLE,                                                          \
        .help = "`roll_up`: tables and indexes that are partitions are added up under their root; `each`: they are "   \
                "shown one by one. Scrapes show each.")
#define COLLECTION_SAMPLING_KEYS(KEY)                                                                                  \
    KEY("sampling", "enabled", CONF_BOOL, bool, sampling_enabled, .otherwise = "true", .flags = CONF_RELOADABLE,       \
        .help = "Look every second which sessions are active, on a connection of its own, and send counts every 10 "   \
                "seconds.")                                                                                            \
    KEY("sampling", "interval", CONF_DURATION, Usec, sampling_interval, .otherwise = "1", .min = USEC_PER_SEC,         \
        .max = 10 * USEC_PER_SEC, .flags = CONF_RELOADABLE, .help = "How often they are looked at.")                   \
    KEY("sampling", "max_rows", CONF_INT, int64_t, sampling_max_rows, .otherwise = "200", .min = 10, .max = 2000,      \
        .flags = CONF_RELOADABLE,                                                                                      \
        .help = "Most rows for 10 seconds. The less frequent ones are summed up by kind of wait and state.")           \
    KEY("sampling", "long_transaction", CONF_DURATION, Usec, sampling_long_transaction, .otherwise = "300",            \
        .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC, .flags = CONF_RELOADABLE,                                    \
        .help = "Transactions open for longer are listed once a minute, the oldest ten.")                              \
    KEY("sampling", "idle_in_transaction", CONF_DURATION, Usec, sampling_idle_in_transaction, .otherwise = "60",       \
        .min = USEC_PER_SEC, .max = 86400 * USEC_PER_SEC, .flags = CONF_RELOADABLE,                                    \
        .help = "The same for those that have been idle within a transaction for longer.")
#define COLLECTION_KEYS(KEY)                                                                                           \
    COLLECTION_COLLECTOR_KEYS(KEY)                                                                                     \
    COLLECTION_METRICS_KEYS(KEY)                                                                                       \
    COLLECTION_SAMPLING_KEYS(KEY)

/* For the struct that holds them. */
#define COLLECTION_MEMBER(section_, name_, type_, CType, member, ...) CType member;

enum {
    COLLECTION_DOCUMENT_MAX = 256 << 10, /* bytes */
    COLLECTION_OWN_FAMILIES_MAX = 64,    /* of [[family]] in one document */
    COLLECTION_MINIMAL_INTERVAL_S = 60,
};

/* [metrics.family.NAME] */
typedef struct FamilySettings {
    char *name;
    bool enabled;
    bool enabled_given; /* the file says so */
    Usec interval;      /* 0: the family's own */
    int64_t top;        /* -1: the family's own */
} FamilySettings;

typedef struct FamilySettingsList {
    FamilySettings *items; /* owned; zeroed is empty */
    size_t count;
} FamilySettingsList;

/* Reads [metrics.family.NAME] of a document. A family that the list has already keeps the keys that are not given now,
 * so that a later document stands above an earlier one. @catalog: the families there are; NULL: not known. */
void collection_read_families(FamilySettingsList *list, const Catalog *catalog, const TomlTable *root, const char *file,
                              ConfDiags *diags);
void collection_free_families(FamilySettingsList *list);
/* Adds [[family]] of a document to the catalog. The first fault of each family goes to @diags. */
void collection_add_own_families(Catalog *catalog, const TomlTable *root, const char *file, ConfDiags *diags);

/* Whether PRESET_MINIMAL has it. */
bool collection_is_minimal(const Family *f);

/* Checks a document that came from afar: only the keys above, [metrics.family.NAME] of built-in families and of its
 * own, [[family]]. All faults go to @diags under the name @file. */
void collection_check(Slice text, const char *file, ConfDiags *diags);
