/* SPDX-License-Identifier: PostgreSQL */
/*
 * Environment variables, or files that look like them, into a settings struct. An empty variable counts as not given:
 * compose files pass those on for what nobody set. The caller's thread.
 */
#include <string.h>

#include "lib/conf/conf_private.h"

static const char *environment_get(const void *arg, const char *name, uint32_t *ret_line)
{
    (void)ret_line; /* variables have no lines */
    size_t length = strlen(name);
    for (const char *const *v = arg; v && *v; v++)
        if (strncmp(*v, name, length) == 0 && (*v)[length] == '=')
            return *v + length + 1;
    return NULL;
}

ConfSource conf_source_environment(const char *const *environment)
{
    return (ConfSource){.get = environment_get, .arg = environment};
}

static const char *source_get(const ConfSource *source, const char *name, ConfPlace *ret_place)
{
    *ret_place = (ConfPlace){.file = source->file ? source->file : "environment", .environment = true};
    const char *text = source->get(source->arg, name, &ret_place->line);
    return text && *text ? text : NULL;
}

static void apply_text(const ConfSpot *spot, const ConfKey *key, void *settings, const char *text)
{
    Slice given = slice_cstr(text);
    _cleanup_conf_value_ ConfValue value = {0};
    conf_diags_set_place(spot->diags, settings, key, &spot->place);
    if (conf_value_parse(key, given, &value))
        conf_apply_value(spot, key, settings, &value, text);
    else
        conf_fault_not_allowed(spot, key, text, given, NULL);
}

/* NAME, or NAME_FILE. */
static void apply_secret(const ConfKey *key, void *settings, const ConfSource *source, ConfDiags *diags)
{
    _cleanup_buf_ Buf file_name = BUF_INIT;
    buf_printf(&file_name, "%s_FILE", key->env);
    ConfSpot by_text = {.name = {"", key->env}, .diags = diags};
    ConfSpot by_file = {.name = {"", buf_cstr(&file_name)}, .diags = diags};
    const char *text = source_get(source, key->env, &by_text.place);
    const char *path = source_get(source, buf_cstr(&file_name), &by_file.place);
    if (path) {
        conf_diags_set_place(diags, settings, key, &by_file.place);
        if (text)
            conf_fault(&by_file, key, NULL, "the secret itself is given, too", "give only one of them");
        else
            conf_apply_secret_file(&by_file, key, settings, path);
    } else if (text) {
        apply_text(&by_text, key, settings, text);
    }
}

void conf_keys_apply_environment(const ConfKeys *keys, void *settings, const ConfSource *source, ConfDiags *diags)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (!key->env)
            continue;
        if (key->type == CONF_SECRET) {
            apply_secret(key, settings, source, diags);
            continue;
        }
        ConfSpot spot = {.name = {"", key->env}, .diags = diags};
        const char *text = source_get(source, key->env, &spot.place);
        if (text)
            apply_text(&spot, key, settings, text);
    }
}
