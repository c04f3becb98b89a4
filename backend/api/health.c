/* SPDX-License-Identifier: PostgreSQL */
/* Health and own metrics. Parts that are not there yet (a test, an early start) are left out. */
#include "backend/api/health.h"

#include "backend/api/collectors.h"
#include "backend/api/push.h"
#include "backend/auth/auth.h"
#include "backend/context.h"
#include "backend/http/listener.h"
#include "backend/ingest/ingest.h"
#include "backend/store/store.h"
#include "lib/telemetry/telemetry.h"

int health_get(HttpRequest *r, Err *reterr UNUSED)
{
    Store *store = r->backend ? r->backend->store : NULL;
    if (store && !store_is_healthy(store, NULL)) {
        r->status = 503;
        buf_append_cstr(&r->answer, "{\"status\":\"failing\",\"failing\":[\"store\"]}\n");
    } else {
        buf_append_cstr(&r->answer, "{\"status\":\"ok\"}\n");
    }
    return HTTP_DONE;
}

int metrics_get(HttpRequest *r, Err *reterr UNUSED)
{
    r->content_type = exposition_content_type(EXPOSITION_TEXT);
    size_t count = 0;
    const TelemetryEntry *entries = store_telemetry(&count);
    telemetry_write_text(&r->answer, entries, count);
    entries = ingest_telemetry(&count);
    telemetry_write_text(&r->answer, entries, count);
    telemetry_write_text(&r->answer, push_telemetry, push_telemetry_count);
    telemetry_write_text(&r->answer, collectors_telemetry, collectors_telemetry_count);
    telemetry_write_text(&r->answer, auth_telemetry, auth_telemetry_count);
    HttpListener *listener = http_request_listener(r);
    if (listener)
        http_listener_write_metrics(listener, &r->answer);
    telemetry_write_process(&r->answer, EXPOSITION_TEXT);
    return HTTP_DONE;
}
