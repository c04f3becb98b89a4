#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Arrays in the server's binary form, for parameters of PG_FORMAT_BINARY (array_recv() in its sources). Any thread. */
#include "lib/base/buf.h"

/* Begins an int8[] of @count elements, which are appended next. */
void pg_array_begin_int8(Buf *out, size_t count);
void pg_array_add_int8(Buf *out, int64_t value);
