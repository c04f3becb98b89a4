#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The access check that the listener calls before every handler whose route is not ACCESS_ANYONE. Who the caller is
 * comes from the Authorization header, the session cookies or the client certificate; what the route asks for comes
 * from its row. Fills r->principal. Worker threads.
 */
#include "backend/http/http.h"

int auth_check_access(HttpRequest *r, Access access, Err *reterr) MUST_CHECK; /* an HttpAccessFn */

/* A browser says that a page of another site made the request: it must not act with, change or make the cookies of
 * ours. SameSite keeps them from other sites, but not from neighbours below the same domain, nor from being set. */
bool auth_is_from_another_site(const HttpRequest *r);
