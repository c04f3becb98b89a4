#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Inside of the key table: what diags.c, key_value.c, keys.c, keys_toml.c, keys_environment.c and keys_docs.c share. */
#include "lib/base/vec.h"
#include "lib/conf/keys.h"

/* ---- diags.c: where settings were given ---- */

typedef struct ConfPlace {
    const char *file;
    uint32_t line;
    uint32_t column;
    bool environment; /* given by the variable, not by the TOML key */
} ConfPlace;

/* The latest place of a setting; @place.file is copied. */
void conf_diags_set_place(ConfDiags *d, const void *settings, const ConfKey *key, const ConfPlace *place);
const ConfPlace *conf_diags_place(const ConfDiags *d, const void *settings, const ConfKey *key); /* NULL: not given */

/* ---- key_value.c: one value ---- */

DEFINE_VEC(SliceVec, slice_vec, Slice)

/* A value on its way into the settings; borrows its texts. */
typedef struct ConfValue {
    int64_t number; /* bool, integer, bytes, microseconds, index of the choice */
    Slice text;     /* string, path, secret */
    SliceVec items; /* list */
} ConfValue;

static inline void conf_value_done(ConfValue *v)
{
    slice_vec_done(&v->items);
}
#define _cleanup_conf_value_ _cleanup_(conf_value_done)

/* From text, as in the environment; false: not of that type. */
bool conf_value_parse(const ConfKey *key, Slice text, ConfValue *ret);
/* Of CONF_DECIMAL; false for what is no number, or none that anybody means. */
bool conf_decimal_from_double(double number, int64_t *ret);
bool conf_value_in_bounds(const ConfKey *key, const ConfValue *value);
/* What is in the settings, borrowed from them. */
void conf_value_load(const ConfKey *key, const void *settings, ConfValue *ret);
/* Frees what was there. @value must not be borrowed from it. */
void conf_value_store(const ConfKey *key, void *settings, const ConfValue *value);
void conf_value_clear(const ConfKey *key, void *settings);          /* frees, wipes secrets, zeroes */
bool conf_value_is_empty(const ConfKey *key, const void *settings); /* "", no items; false for other types */
bool conf_value_equal(const ConfKey *key, const void *a, const void *b);
bool conf_type_is_text(ConfType type); /* the member is a string */
const char *conf_string_at(const ConfKey *key, const void *settings);

/* The choice or name nearest to @given, for "did you mean": offer candidates one by one. */
typedef struct ConfNearest {
    Slice given;
    Slice best; /* absent: none was near enough */
    size_t distance;
} ConfNearest;

ConfNearest conf_nearest(Slice given);
void conf_nearest_offer(ConfNearest *n, Slice candidate);

/* ---- keys.c ---- */

/* What a key is called: by file or by variable. */
typedef struct ConfName {
    const char *section;
    const char *key;
} ConfName;

ConfName conf_key_name(const ConfKey *key, bool environment);
/* Where a value stands and what it is called: the first half of a fault. */
typedef struct ConfSpot {
    ConfPlace place;
    ConfName name;
    ConfDiags *diags;
} ConfSpot;

/* A fault of a value; @value may be NULL, and of secrets is never shown. */
void conf_fault(const ConfSpot *spot, const ConfKey *key, const char *value, const char *message, const char *hint);
/* The fault "must be ...[, not @instead]". @given: what was written, for the nearest choice of an enum. */
void conf_fault_not_allowed(const ConfSpot *spot, const ConfKey *key, const char *value, Slice given,
                            const char *instead);
/* Checks bounds and characters, then stores, or adds the fault. @shown: the value in messages. */
void conf_apply_value(const ConfSpot *spot, const ConfKey *key, void *settings, const ConfValue *value,
                      const char *shown);
/* The secret in the file @path. */
void conf_apply_secret_file(const ConfSpot *spot, const ConfKey *key, void *settings, const char *path);
