#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The route table of the backend: every path it answers, who may use it and what handles it. Constant. */
#include "backend/http/http.h"

extern const HttpRoute backend_routes[];
extern const size_t backend_route_count;
