#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading the keys of a family file with faults that name the place. Used by family_parse.c only. Texts that are taken
 * are trimmed and live in the parser's arena. Pure, any thread.
 */
#include "lib/catalog/family.h"
#include "lib/conf/toml.h"

typedef struct FamilyParser {
    Arena *arena;
    const char *file_name; /* or what else names the place in messages */
    bool named_by_file;    /* the file must be called as the family is */
    Err *reterr;
} FamilyParser;

typedef struct FamilyKey {
    const char *name;
    enum { KEY_TEXT, KEY_LIST, KEY_INTEGER, KEY_BOOL, KEY_TABLES } type; /* LIST: a string or an array of strings */
} FamilyKey;

/* A fault at @value; of the whole file when it is NULL. Returns the negative number to return. */
int family_keys_fail(const FamilyParser *p, const TomlValue *value, const char *format, ...) PRINTF_LIKE(3, 4);

/* Every key is known and of its type. */
int family_keys_check(const FamilyParser *p, const TomlTable *table, const FamilyKey *keys, size_t count) MUST_CHECK;

const char *family_keys_text(const FamilyParser *p, const TomlTable *table, const char *key); /* "" when absent */
/* NULL-terminated; NULL when absent. */
const char *const *family_keys_list(const FamilyParser *p, const TomlTable *table, const char *key);
/* Index of the value of @key in @names (a NULL-terminated list); 0 when the key is absent; -1 after a fault. */
int family_keys_choice(const FamilyParser *p, const TomlTable *table, const char *key, const char *const *names);
/* Between 0 and @max; 0 when absent. */
int family_keys_integer(const FamilyParser *p, const TomlTable *table, const char *key, int max, int *ret) MUST_CHECK;

/* Texts are put between others in one line of SQL: no comment may swallow what follows, no second statement. */
int family_keys_check_sql(const FamilyParser *p, const TomlTable *table, const char *key, const Family *f) MUST_CHECK;

/* Names of source columns ("x" or "alias.x"), settings, extensions: nothing that would have to be quoted. */
#define FAMILY_KEYS_WORD "abcdefghijklmnopqrstuvwxyz0123456789_"
bool family_keys_made_of(const char *text, const char *allowed);
int family_keys_check_words(const FamilyParser *p, const TomlTable *table, const char *key, const char *const *list,
                            const char *allowed) MUST_CHECK;
