#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A series is what readings follow each other in: a family, or a family of one database. Pure, any thread.
 */
#include "lib/base/buf.h"

/* Its key for a Map, appended. @database: NULL for families that are not of a database. */
void series_append_key(Buf *out, const char *family, const char *database);
