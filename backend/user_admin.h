#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Users from the command line, and the first one at start. Main thread. */
#include "backend/http/http.h"
#include "backend/store/store.h"

/* ERR_CONFLICT when the login is taken; ERR_UNPROCESSABLE for a password that is too short. */
int user_admin_add(Store *s, const char *login, Slice password, Role role, const char *actor, Usec deadline,
                   Err *reterr) MUST_CHECK;
/* Also ends the user's sessions. ERR_NOT_FOUND. */
int user_admin_set_password(Store *s, const char *login, Slice password, Usec deadline, Err *reterr) MUST_CHECK;
/* Appends one line per user. */
int user_admin_list(Store *s, Usec deadline, Buf *ret, Err *reterr) MUST_CHECK;
/* Makes the administrator @login when there are no users yet and @password is not ""; without one says how to. */
int user_admin_ensure_first(Store *s, const char *login, const char *password, Usec deadline, Err *reterr) MUST_CHECK;
