#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The part of the settings that is about metric families. Used by settings.c alone. */
#include "collector/settings/settings.h"

/* The file, and what the backend says; a later one stands above an earlier one. */
typedef struct SettingsDocument {
    const TomlTable *root; /* NULL: there is none */
    const char *name;
} SettingsDocument;

/* Loads the catalog with the user's own families (metrics.d, [[family]]), and [metrics.family.NAME]. Faults go to
 * @diags. */
void settings_families_load(Settings *s, const SettingsDocument *documents, size_t count, ConfDiags *diags);
void settings_families_free(Settings *s);
/* The same families at the same intervals with the same metrics, as far as the settings decide it. */
bool settings_families_equal(const Settings *a, const Settings *b);
