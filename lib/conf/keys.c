/* SPDX-License-Identifier: PostgreSQL */
/*
 * Key tables as a whole: defaults, freeing, copying, comparing, required keys, and the faults that all sources of
 * values share. A settings struct belongs to the thread that fills it.
 */
#include "lib/conf/keys.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "lib/conf/conf_private.h"
#include "lib/io/file.h"

enum { SECRET_FILE_BYTES_MAX = 64 << 10 };

void conf_keys_init_defaults(const ConfKeys *keys, void *settings)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        memset((char *)settings + key->offset, 0, key->size);
        _cleanup_conf_value_ ConfValue value = {0};
        bool ok = true;
        if (key->otherwise || conf_type_is_text(key->type))
            ok = conf_value_parse(key, slice_cstr(key->otherwise ? key->otherwise : ""), &value);
        assert(ok && "the default of a row is not of its type");
        (void)ok; /* without assertions: zero */
        conf_value_store(key, settings, &value);
    }
}

void conf_keys_free(const ConfKeys *keys, void *settings)
{
    for (size_t i = 0; i < keys->count; i++)
        conf_value_clear(&keys->rows[i], settings);
}

void conf_keys_dup(const ConfKeys *keys, void *ret_settings, const void *settings)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        _cleanup_conf_value_ ConfValue value = {0};
        memset((char *)ret_settings + key->offset, 0, key->size);
        conf_value_load(key, settings, &value);
        conf_value_store(key, ret_settings, &value);
    }
}

void conf_keys_changed(const ConfKeys *keys, const void *before, const void *after,
                       void (*on_change)(void *arg, const ConfKey *key), void *arg)
{
    for (size_t i = 0; i < keys->count; i++)
        if (!conf_value_equal(&keys->rows[i], before, after))
            on_change(arg, &keys->rows[i]);
}

/* ---- faults ---- */

ConfName conf_key_name(const ConfKey *key, bool environment)
{
    if (environment || !key->name)
        return (ConfName){.section = "", .key = key->env};
    return (ConfName){.section = key->section, .key = key->name};
}

void conf_fault(const ConfSpot *spot, const ConfKey *key, const char *value, const char *message, const char *hint)
{
    conf_diags_add(spot->diags, &(ConfDiag){.file = spot->place.file,
                                            .line = spot->place.line,
                                            .column = spot->place.column,
                                            .section = spot->name.section,
                                            .key = spot->name.key,
                                            .value = key->type == CONF_SECRET ? NULL : value,
                                            .message = message,
                                            .hint = hint});
}

void conf_fault_not_allowed(const ConfSpot *spot, const ConfKey *key, const char *value, Slice given,
                            const char *instead)
{
    _cleanup_buf_ Buf message = BUF_INIT;
    buf_append_cstr(&message, "must be ");
    conf_key_write_allowed(key, &message);
    if (instead)
        buf_printf(&message, ", not %s", instead);

    _cleanup_buf_ Buf hint = BUF_INIT;
    if (key->type == CONF_ENUM && given.ptr) {
        ConfNearest nearest = conf_nearest(given);
        for (size_t i = 0; key->choices[i]; i++)
            conf_nearest_offer(&nearest, slice_cstr(key->choices[i]));
        if (nearest.best.ptr)
            buf_printf(&hint, "did you mean \"%.*s\"?", SLICE_ARG(nearest.best));
    }
    conf_fault(spot, key, value, buf_cstr(&message), buf_cstr(&hint));
}

/* Text that must not reach a C string or a log as it is; NULL: fine. */
static const char *text_fault(const ConfKey *key, Slice s)
{
    if (s.len > 0 && memchr(s.ptr, '\0', s.len))
        return "must not hold a NUL character";
    if (key->type != CONF_PATH && key->type != CONF_SECRET && !slice_is_utf8(s)) /* those may be any bytes */
        return "must be valid UTF-8";
    return NULL;
}

static const char *texts_fault(const ConfKey *key, const ConfValue *value)
{
    const char *fault = text_fault(key, value->text);
    for (size_t i = 0; !fault && i < value->items.len; i++)
        fault = text_fault(key, value->items.items[i]);
    return fault;
}

void conf_apply_value(const ConfSpot *spot, const ConfKey *key, void *settings, const ConfValue *value,
                      const char *shown)
{
    const char *fault = texts_fault(key, value);
    if (fault)
        conf_fault(spot, key, NULL, fault, NULL);
    else if (!conf_value_in_bounds(key, value))
        conf_fault_not_allowed(spot, key, shown, SLICE_NULL, NULL);
    else
        conf_value_store(key, settings, value);
}

void conf_apply_secret_file(const ConfSpot *spot, const ConfKey *key, void *settings, const char *path)
{
    Buf content = BUF_INIT;
    buf_reserve(&content, SECRET_FILE_BYTES_MAX + 1); /* at once: growing would leave copies behind */
    Err err = ERR_INIT;
    if (file_read_all(path, SECRET_FILE_BYTES_MAX, &content, &err) < 0) {
        conf_fault(spot, key, NULL, err.detail, err.hint);
    } else {
        Slice secret = buf_slice(&content);
        while (secret.len > 0 && (secret.ptr[secret.len - 1] == '\n' || secret.ptr[secret.len - 1] == '\r'))
            secret.len--;
        if (secret.len == 0)
            conf_fault(spot, key, NULL, "the file is empty", path);
        else
            conf_apply_value(spot, key, settings, &(ConfValue){.text = secret}, NULL);
    }
    explicit_bzero(content.ptr, content.capacity);
    buf_done(&content);
}

/* ---- checks after reading ---- */

/* Where a setting was given; or, when it was not, where it belongs. */
static ConfSpot setting_spot(const ConfKey *key, const void *settings, const char *file, ConfDiags *diags)
{
    const ConfPlace *place = conf_diags_place(diags, settings, key);
    ConfSpot spot = {.diags = diags, .name = conf_key_name(key, place && place->environment)};
    if (place)
        spot.place = *place;
    else
        spot.place.file = key->name ? file : "environment";
    return spot;
}

void conf_keys_check_required(const ConfKeys *keys, const void *settings, const char *section, const char *file,
                              ConfDiags *diags)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (!(key->flags & CONF_REQUIRED) || !conf_value_is_empty(key, settings))
            continue;
        if (section && strcmp(section, key->section) != 0)
            continue;
        ConfSpot spot = setting_spot(key, settings, file, diags);
        _cleanup_buf_ Buf hint = BUF_INIT;
        if (key->name && key->env)
            buf_printf(&hint, "or set %s in the environment", key->env);
        conf_fault(&spot, key, NULL, "is required", buf_cstr(&hint));
    }
}

static const ConfKey *find_member(const ConfKeys *keys, const void *settings, const void *member)
{
    size_t offset = (size_t)((const char *)member - (const char *)settings);
    size_t i = 0;
    while (i < keys->count && keys->rows[i].offset != offset)
        i++;
    assert(i < keys->count && "no row has this member");
    return &keys->rows[i];
}

void conf_keys_fault(const ConfKeys *keys, const void *settings, const void *member, const char *file, ConfDiags *diags,
                     const char *hint, const char *format, ...)
{
    _cleanup_buf_ Buf message = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&message, format, args);
    va_end(args);

    const ConfKey *key = find_member(keys, settings, member);
    ConfSpot spot = setting_spot(key, settings, file, diags);
    _cleanup_buf_ Buf value = BUF_INIT;
    conf_key_write_value(key, settings, &value);
    conf_fault(&spot, key, value.len > 0 ? buf_cstr(&value) : NULL, buf_cstr(&message), hint);
}

bool conf_keys_given(const ConfKeys *keys, const void *settings, const void *member, const ConfDiags *diags)
{
    return conf_diags_place(diags, settings, find_member(keys, settings, member)) != NULL;
}
