#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The spools of all servers by name, those included that are in the settings no more and still have batches to send.
 * Owns them. Not locked: see parts.h.
 */
#include "collector/settings/settings.h"
#include "collector/spool/spool.h"

typedef struct Spools Spools;

Spools *spools_new(void);
Spools *spools_free(Spools *s); /* closes all; NULL allowed; returns NULL */
void spools_clear(Spools *s);   /* closes all */

/* Opens the spool of server @name where it is not open yet. */
int spools_open(Spools *s, const Settings *settings, const char *name, Err *reterr) MUST_CHECK;
/* Opens what state_dir has besides. What cannot be opened is logged and left alone. */
void spools_open_left_behind(Spools *s, const Settings *settings);

Spool *spools_find(const Spools *s, const char *name); /* borrowed; NULL: it is not open */
size_t spools_count(const Spools *s);
Spool *spools_at(const Spools *s, size_t i);
const char *spools_name(const Spools *s, size_t i); /* of the server */
