#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Row state: of a family with a row_id only what changed is asked for. Each row gets a hash of its id and of the
 * columns that show a change, and is left out where the hash is among those that the statement is told. Pure, any
 * thread.
 */
#include "lib/base/buf.h"
#include "lib/catalog/resolve.h"

/* @sql, which gives the columns of @family and an "id" (int8) behind them, becomes the statement that resolve.h tells
 * of for .has_state, which is set. */
void row_state_leave_out_known(Buf *sql, ResolvedFamily *family);
