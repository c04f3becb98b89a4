#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Takes values out of text before it touches the disk or the network. Deny by default: what cannot be told apart from a
 * value is removed, and the rest of a text that ends inside a literal or comment (cut by the server) goes with it.
 * Linear in the text. Pure, any thread.
 */
#include "lib/base/buf.h"

/* SQL: string, bit, number and dollar-quoted literals become "?", comments a space; parameters ($1), identifiers and
 * everything else stay. @backslash_escapes: the server runs with standard_conforming_strings off. */
void redact_sql(Slice sql, bool backslash_escapes, Buf *out);

/* Any text (settings, commands, connection strings): values behind words such as password, secret or token, and the
 * password of a URL, become "***". */
void redact_credentials(Slice text, Buf *out);
