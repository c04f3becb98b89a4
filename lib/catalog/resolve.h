#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A family against what one server has: the statement to run, and which columns it gives. Pure, any thread. */
#include "lib/catalog/family.h"
#include "lib/pg/facts.h"

typedef struct ResolvedFamily {
    const Family *family;
    const char *sql;                    /* one read-only statement; columns in the order of .columns; NULL for hosts */
    const FamilyColumn *const *columns; /* those the server has; labels first */
    size_t column_count;
    size_t label_count;
    const char *when; /* condition without which it has no rows; NULL: it may always have some */
    bool has_epoch;   /* the statement gives one more column behind these: the row's epoch, text */
    bool has_roll_up; /* and one for each label: its value in the row that this one is added up in; NULL: its own */
    bool has_state;   /* and three, int8: which row it is (NULL: it cannot be told), what it is like now, and NULL. The
                         statement has two parameters then, both int8[]: the first numbers of rows that are known, and
                         their second ones. Rows that have both are left out; a known first number that no row has is a
                         row of its own, in its last column */
} ResolvedFamily;

enum {
    RESOLVE_OK,
    RESOLVE_ABSENT, /* this server does not have it (relation, extension, role of the server); *ret_reason says what */
};

/*
 * Column types in the statement are the catalog's: text, int8 or float8. Labels are never NULL ('' stands for none).
 * Host families resolve to all their columns without a statement.
 * Everything in @ret lives in @arena. @ret_reason: text for people, with the statement that mends it where there is one
 * ("create extension pg_stat_statements"). mode texts: the statement has one parameter, text[] of the first label. */
int family_resolve(const Family *family, const PgFacts *facts, Arena *arena, ResolvedFamily *ret,
                   const char **ret_reason, Err *reterr) MUST_CHECK;
