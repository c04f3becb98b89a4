#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The access check that the listener calls before every handler whose route is not ACCESS_ANYONE. Who the caller is
 * comes from the Authorization header, the session cookies or the client certificate; what the route asks for comes
 * from its row. Fills r->principal. Worker threads.
 */
#include "backend/http/http.h"

int auth_check_access(HttpRequest *r, Access access, Err *reterr) MUST_CHECK; /* an HttpAccessFn */
