#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What PgBouncer's console gives, to rows: columns are found by name, so that any version serves. A column of a family
 * is the first of its sources (`from`) that the result has; where the result has the source's name with _us behind it
 * (maxwait_us), that many microseconds are added. Pure.
 */
#include <libpq-fe.h>

#include "collector/sources/source.h"

/* Where the rows go. */
typedef struct PgbouncerRows {
    SourceFamilies *families;
    size_t index; /* the family */
    const char *source;
    const char *epoch;
} PgbouncerRows;

/* One row for each row of @result; none of the console itself, which is no database of anybody. */
void pgbouncer_read_table(const PgbouncerRows *to, const PGresult *result);
/* @result is (name, value, ...): sets columns of the last row of @rows, where its value is of the column's type. */
void pgbouncer_read_pairs(Rows *rows, const PGresult *result);
