#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whose PostgreSQL it is: a server of one's own, or one that a cloud manages, where some statements are not the way to
 * change things. What may not be read there is not asked anyway: relations and functions are found by looking, with the
 * privileges of the role. Stateless.
 */
#include "collector/settings/settings.h"
#include "lib/pg/conn.h"

/* By roles and settings that only exist there. */
int flavour_look(PgConn *conn, Usec timeout, Flavour *ret, Err *reterr) MUST_CHECK;
/* Appends how to switch on setting @name there. */
void flavour_append_set_on(Flavour flavour, const char *name, Buf *out);
