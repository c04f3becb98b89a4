#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A server's setting as a metric: a number in base units, with the unit in its name. Pure, any thread. */
#include "lib/base/buf.h"

/* @setting and @unit as in pg_settings: "16384", "8kB". Appends the metric's name ("shared_buffers_bytes") to @name.
 * on and off are 1 and 0; -1, which means off or default, stays -1. False: it is no number, or
 * promtool would not like its name. */
bool setting_value_read(Slice name, Slice setting, Slice unit, Buf *ret_name, double *ret_value);
