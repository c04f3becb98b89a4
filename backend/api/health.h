#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* How the backend is: for load balancers (health) and Prometheus (metrics). */
#include "backend/http/http.h"

int health_get(HttpRequest *r, Err *reterr);  /* 200, or 503 with the failing parts; inline, waits for nothing */
int metrics_get(HttpRequest *r, Err *reterr); /* Prometheus text of all parts */
