#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Between family.c and family_parse.c only. */
#include "lib/catalog/family.h"

/* Reads and checks one family file; everything in @ret lives in @arena. Errors name file, line and column. */
int family_parse(Arena *arena, const char *file_name, Slice text, Family *ret, Err *reterr) MUST_CHECK;
/* The same of a table of a document; @label names it in errors. */
int family_parse_table(Arena *arena, const char *label, const TomlTable *table, Family *ret, Err *reterr) MUST_CHECK;
