/* SPDX-License-Identifier: PostgreSQL */
/* The route table. Rows of one noun stand together, in the order of docs/api.md. */
#include "backend/api/routes.h"

#include "backend/api/api.h"
#include "backend/api/health.h"
#include "backend/web/web.h"
#include "lib/catalog/collection.h"
#include "lib/wire/push.h"

#define V1 "/api/v1"

/* method, pattern, access, handler, most bytes of a body, summary, inline */
const HttpRoute backend_routes[] = {
    {HTTP_GET, V1 "/health", ACCESS_ANYONE, health_get, 0, "Whether all parts work", true},
    {HTTP_GET, "/metrics", ACCESS_SCRAPE, metrics_get, 0, "The backend's own metrics, Prometheus text", false},

    {HTTP_POST, V1 "/auth/login", ACCESS_ANYONE, session_login, API_BODY_MAX, "Log in", false},
    {HTTP_POST, V1 "/auth/refresh", ACCESS_ANYONE, session_refresh, API_BODY_MAX,
     "Trade a refresh token for new tokens", false},
    {HTTP_POST, V1 "/auth/logout", ACCESS_ANYONE, session_logout, API_BODY_MAX, "End the session", false},
    {HTTP_GET, V1 "/auth/me", ACCESS_VIEWER, session_me, 0, "Who is logged in", false},

    {HTTP_POST, V1 "/collectors/register", ACCESS_REGISTRATION, collector_register, API_BODY_MAX,
     "Register a collector: certificate and token", false},
    {HTTP_POST, V1 "/collectors/refresh-token", ACCESS_COLLECTOR_TOKEN, collector_refresh_token, API_BODY_MAX,
     "A new token for a collector", false},
    {HTTP_POST, V1 "/collectors/{id}/certificate", ACCESS_COLLECTOR, collector_renew_certificate, API_BODY_MAX,
     "A renewed certificate for a collector", false},
    {HTTP_GET, V1 "/collectors", ACCESS_VIEWER, collector_list, 0, "Collectors with their status", false},
    {HTTP_GET, V1 "/collectors/{id}", ACCESS_VIEWER, collector_get, 0, "One collector", false},
    {HTTP_DELETE, V1 "/collectors/{id}", ACCESS_ADMIN, collector_delete, 0, "Revoke a collector", false},
    {HTTP_GET, V1 "/config/{collector_id}", ACCESS_COLLECTOR_OR_ADMIN, config_get, 0,
     "What a collector is told to collect, as TOML", false},
    {HTTP_PUT, V1 "/config/{collector_id}", ACCESS_ADMIN, config_put, COLLECTION_DOCUMENT_MAX,
     "Tell a collector what to collect", false},
    {HTTP_GET, V1 "/config/{collector_id}/versions", ACCESS_ADMIN, config_versions, 0,
     "The versions of a collector's configuration", false},
    {HTTP_POST, V1 "/metrics/push", ACCESS_COLLECTOR, push_metrics, WIRE_BODY_MAX, "Readings from a collector", false},

    {HTTP_GET, V1 "/servers", ACCESS_VIEWER, server_list, 0, "Monitored servers with headline figures", false},
    {HTTP_GET, V1 "/servers/{id}", ACCESS_VIEWER, server_get, 0, "One monitored server", false},
    {HTTP_GET, V1 "/servers/{id}/metrics", ACCESS_VIEWER, server_metrics, 0, "Time series", false},
    {HTTP_GET, V1 "/servers/{id}/statements", ACCESS_VIEWER, server_statements, 0, "Statements of a time range", false},
    {HTTP_GET, V1 "/servers/{id}/activity", ACCESS_VIEWER, server_activity, 0, "Sessions at the latest reading", false},
    {HTTP_GET, V1 "/servers/{id}/activity/history", ACCESS_VIEWER, server_activity_history, 0,
     "Average active sessions over time", false},
    {HTTP_GET, V1 "/families", ACCESS_VIEWER, family_list, 0, "What is collected", false},

    {HTTP_GET, "/{path...}", ACCESS_ANYONE, web_get, 0, "The web interface", true},
};
const size_t backend_route_count = ARRAY_LENGTH(backend_routes);
