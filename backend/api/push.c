/* SPDX-License-Identifier: PostgreSQL */
/*
 * POST /metrics/push: decompress within bounds, decode, hand to the ingest, answer after commit. The job and its batch
 * live in the request's arena, which is there until the request is finished: after the ingest's answer, even when the
 * client was told long before that it takes too long.
 */
#include <strings.h>

#include "backend/api/api.h"
#include "backend/api/push.h"
#include "backend/ingest/ingest.h"
#include "lib/wire/compress.h"

typedef struct PushJob {
    HttpRequest *request;
    PushBatch batch;
} PushJob;

#define PUSH(code_)                                                                                                    \
    {                                                                                                                  \
        .name = "pganalytics_push_total", .labels = "code=\"" code_ "\"", .help = "Pushes from collectors by outcome." \
    }

/* Outcomes; any other error is counted as "other". */
static const ErrCode outcome_codes[] = {
    ERR_NONE,
    ERR_SYNTAX,
    ERR_BODY_INVALID,
    ERR_TOO_LARGE,
    ERR_UNSUPPORTED_ENCODING,
    ERR_IDENTITY_MISMATCH,
    ERR_UNPROCESSABLE,
    ERR_TOO_MANY_REQUESTS,
    ERR_UNAVAILABLE,
};
static Counter outcomes[] = {
    PUSH("ok"),
    PUSH("syntax"),
    PUSH("body_invalid"),
    PUSH("too_large"),
    PUSH("unsupported_encoding"),
    PUSH("identity_mismatch"),
    PUSH("unprocessable"),
    PUSH("too_many_requests"),
    PUSH("unavailable"),
    PUSH("other"),
};
_Static_assert(ARRAY_LENGTH(outcomes) == ARRAY_LENGTH(outcome_codes) + 1, "a counter for each code, and other");

const TelemetryEntry push_telemetry[] = {
    {TELEMETRY_COUNTER, &outcomes[0]}, {TELEMETRY_COUNTER, &outcomes[1]}, {TELEMETRY_COUNTER, &outcomes[2]},
    {TELEMETRY_COUNTER, &outcomes[3]}, {TELEMETRY_COUNTER, &outcomes[4]}, {TELEMETRY_COUNTER, &outcomes[5]},
    {TELEMETRY_COUNTER, &outcomes[6]}, {TELEMETRY_COUNTER, &outcomes[7]}, {TELEMETRY_COUNTER, &outcomes[8]},
    {TELEMETRY_COUNTER, &outcomes[9]},
};
const size_t push_telemetry_count = ARRAY_LENGTH(push_telemetry);

static void count_outcome(ErrCode code)
{
    size_t i = 0;

    while (i < ARRAY_LENGTH(outcome_codes) && outcome_codes[i] != code)
        i++;
    counter_add(&outcomes[i], 1);
}

static int body_decompress(HttpRequest *r, Buf *ret, Err *reterr)
{
    const char *name = http_request_header(r, "Content-Encoding");
    WireEncoding encoding = WIRE_IDENTITY;

    if (name && !wire_encoding_from_string(slice_cstr(name), &encoding)) {
        http_request_add_header(r, "Accept-Encoding", "zstd, gzip");
        return err_set(reterr, ERR_UNSUPPORTED_ENCODING, "Content-Encoding \"%.40s\" is not zstd, gzip or identity",
                       name);
    }
    return wire_decompress(encoding, r->body, WIRE_TEXT_MAX, ret, reterr);
}

static void on_ingested(void *arg, const PushAnswer *answer, const Err *err)
{
    PushJob *job = arg;
    HttpRequest *r = job->request;

    count_outcome(err ? err->code : ERR_NONE);
    if (err) {
        if (err_code_http_status(err->code) == 503)
            http_request_add_header(r, "Retry-After", "2");
        http_request_finish(r, -err_code_errno(err->code), err);
        return;
    }
    push_answer_encode(answer, &r->answer);
    http_request_finish(r, HTTP_DONE, NULL);
}

/* The text is of no use once it is decoded, and may be long: it does not wait for the store. */
static int body_decode(HttpRequest *r, PushBatch *ret, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT_LIMIT(WIRE_TEXT_MAX);

    int p = body_decompress(r, &text, reterr);
    return p < 0 ? p : push_decode(buf_slice(&text), r->arena, ret, reterr);
}

static int push_begin(HttpRequest *r, Err *reterr)
{
    PushJob *job = arena_new_object(r->arena, PushJob);

    job->request = r;
    int p = body_decode(r, &job->batch, reterr);
    if (p < 0)
        return p;
    if (!slice_eq_cstr(job->batch.collector_id, r->principal.collector_id))
        return err_set(reterr, ERR_IDENTITY_MISMATCH, "collector_id \"%.*s\" is not the one of certificate and token",
                       SLICE_ARG(job->batch.collector_id));
    p = ingest_push(r->backend->ingest, &job->batch, r->principal.collector_id, r->deadline, on_ingested, job, reterr);
    return p < 0 ? p : HTTP_LATER; /* it may be answered and gone already */
}

int push_metrics(HttpRequest *r, Err *reterr)
{
    Err err = ERR_INIT;
    int p = push_begin(r, &err);

    if (p < 0) {
        count_outcome(err.code);
        if (err.code == ERR_TOO_MANY_REQUESTS)
            http_request_add_header(r, "Retry-After", "2");
        if (reterr)
            *reterr = err;
    }
    return p;
}
