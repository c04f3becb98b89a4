#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Between connect.c and conn.c only. */
#include "lib/pg/conn.h"

/* Takes over a connection that is ready for use. */
PgConn *pg_conn_adopt(PGconn *pg);
