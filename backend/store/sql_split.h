#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Cuts a script into statements, because connections run one statement at a time. Knows strings ('', E'', with
 * standard_conforming_strings), quoted identifiers, dollar quotes, line comments and nested block comments. Pure.
 */
#include <stdbool.h>

#include "lib/base/slice.h"

/* The next statement of *@rest without its semicolon, white space and comments before it kept out; *@rest moves on.
 * False at the end. What is not terminated (a string, a comment) reaches to the end of the text. */
bool sql_split_next(Slice *rest, Slice *ret_statement);
