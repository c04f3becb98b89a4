#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the handlers share: reading parameters, answering with one statement's JSON. Handlers are declared at the end,
 * one file per noun; the route table (routes.c) names them. Worker threads.
 */
#include "backend/context.h"
#include "backend/http/http.h"
#include "backend/store/store.h"

enum { API_BODY_MAX = 64 << 10, API_PAGE_DEFAULT = 100, API_PAGE_MAX = 1000 };

/* Runs a statement and makes its JSON the answer. No row: ERR_NOT_FOUND with @missing ("server 7"). */
int api_answer_query(HttpRequest *r, const char *query, StoreParams params, const char *missing,
                     Err *reterr) MUST_CHECK;

/* Query parameters. Absent: @otherwise. ERR_PARAMETER_INVALID names the parameter, its value and what is allowed. */
int api_param_int(const HttpRequest *r, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *ret,
                  Err *reterr) MUST_CHECK;
/* Text without control characters, at most @max bytes. *ret NULL when absent. */
int api_param_text(const HttpRequest *r, const char *name, size_t max, const char **ret, Err *reterr) MUST_CHECK;
/* `from` and `to`: RFC 3339, "now", "-1h". Default the last hour; at most 400 days, from before to. */
typedef struct ApiRange {
    Usec from;
    Usec to;
} ApiRange;
int api_param_range(const HttpRequest *r, Usec now, ApiRange *ret, Err *reterr) MUST_CHECK;
/* For statement parameters, in the request's arena. */
const char *api_iso(HttpRequest *r, Usec wall);
const char *api_int(HttpRequest *r, int64_t value);
bool api_is_uuid(Slice s);
/* A path value that is a uuid / a positive int32; anything else is ERR_NOT_FOUND. */
int api_path_uuid(const HttpRequest *r, size_t index, const char *what, Err *reterr) MUST_CHECK;
int api_path_int(const HttpRequest *r, size_t index, const char *what, const char **ret, Err *reterr) MUST_CHECK;

int session_login(HttpRequest *r, Err *reterr);
int session_refresh(HttpRequest *r, Err *reterr);
int session_logout(HttpRequest *r, Err *reterr);
int session_me(HttpRequest *r, Err *reterr);

int collector_register(HttpRequest *r, Err *reterr);
int collector_refresh_token(HttpRequest *r, Err *reterr);
int collector_renew_certificate(HttpRequest *r, Err *reterr);
int collector_list(HttpRequest *r, Err *reterr);
int collector_get(HttpRequest *r, Err *reterr);
int collector_delete(HttpRequest *r, Err *reterr);

int config_get(HttpRequest *r, Err *reterr);
int config_put(HttpRequest *r, Err *reterr);
int config_versions(HttpRequest *r, Err *reterr);

int push_metrics(HttpRequest *r, Err *reterr);

int server_list(HttpRequest *r, Err *reterr);
int server_get(HttpRequest *r, Err *reterr);
int server_metrics(HttpRequest *r, Err *reterr);
int server_statements(HttpRequest *r, Err *reterr);
int server_activity(HttpRequest *r, Err *reterr);
int server_activity_history(HttpRequest *r, Err *reterr);
int family_list(HttpRequest *r, Err *reterr);
