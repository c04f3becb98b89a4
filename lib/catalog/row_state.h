#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Row state: of a family with a row_id only what changed is asked for. Each row gets a number that says which one it
 * is, and one made of the columns that show a change; where both are as the statement is told, the row is left out.
 * Pure, any thread.
 */
#include "lib/base/buf.h"
#include "lib/catalog/resolve.h"

/* @sql, which gives the columns of @family and an "id" (int8) behind them, becomes the statement that resolve.h tells
 * of for .has_state, which is set. */
void row_state_leave_out_known(Buf *sql, ResolvedFamily *family);
