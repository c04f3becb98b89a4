/* SPDX-License-Identifier: PostgreSQL */
/* The route table. Rows of one noun stand together, in the order of docs/api.md. */
#include "backend/api/routes.h"

#include "backend/api/api.h"
#include "backend/api/health.h"
#include "backend/web/web.h"
#include "lib/wire/push.h"

#define V1 "/api/v1"

/* method, pattern, access, handler, most bytes of a body, summary, inline */
const HttpRoute backend_routes[] = {
    {HTTP_GET, V1 "/health", ACCESS_ANYONE, health_get, 0, "Whether all parts work", true},
    {HTTP_GET, "/metrics", ACCESS_SCRAPE, metrics_get, 0, "The backend's own metrics, Prometheus text", false},

    {HTTP_GET, "/{path...}", ACCESS_ANYONE, web_get, 0, "The web interface", true},
};
const size_t backend_route_count = ARRAY_LENGTH(backend_routes);
