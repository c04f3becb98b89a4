/* SPDX-License-Identifier: PostgreSQL */
/* Collectors: registration, renewal of certificates and tokens, lists, revocation. */
#include "backend/api/collectors.h"

#include "backend/api/api.h"
#include "backend/auth/auth.h"
#include "backend/auth/ca.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/json/json.h"

enum { CSR_MAX = 16 << 10 };

#define ISSUED(what_)                                                                                                  \
    {                                                                                                                  \
        .name = "pganalytics_credentials_issued_total", .labels = "what=\"" what_ "\"",                                \
        .help = "Credentials given to collectors."                                                                     \
    }

static Counter registered = ISSUED("registration");
static Counter renewed_certificates = ISSUED("certificate");
static Counter renewed_tokens = ISSUED("token");

const TelemetryEntry collectors_telemetry[] = {
    {TELEMETRY_COUNTER, &registered},
    {TELEMETRY_COUNTER, &renewed_certificates},
    {TELEMETRY_COUNTER, &renewed_tokens},
};
const size_t collectors_telemetry_count = ARRAY_LENGTH(collectors_telemetry);

typedef struct Registration {
    const char *name;
    const char *hostname;
    const char *address; /* NULL: not given, as those below */
    const char *region;
    const char *version;
    Slice csr;
} Registration;

typedef struct Credentials {
    Buf certificate;
    Buf private_key; /* empty when a request was sent */
    Buf token;
    Usec token_expires;
} Credentials;

static void credentials_done(Credentials *c)
{
    buf_done(&c->certificate);
    buf_done(&c->private_key);
    buf_done(&c->token);
}

static const char *optional(HttpRequest *r, JsonReader *reader, const char *name, size_t max)
{
    Slice s = json_take_optional_string(reader, name, max);

    return s.ptr && s.len ? arena_dup(r->arena, s).ptr : NULL;
}

static int registration_read(HttpRequest *r, Registration *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    JsonReader reader;

    int j = json_parse(r->body, (JsonLimits){.bytes = API_BODY_MAX, .depth = 4}, &doc, reterr);
    if (j < 0)
        return j;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    *ret = (Registration){
        .name = arena_dup(r->arena, json_take_string(&reader, "name", 1, 200)).ptr,
        .hostname = arena_dup(r->arena, json_take_string(&reader, "hostname", 1, 255)).ptr,
        .address = optional(r, &reader, "address", 255),
        .region = optional(r, &reader, "region", 100),
        .version = optional(r, &reader, "version", 100),
        .csr = arena_dup(r->arena, json_take_optional_string(&reader, "csr", CSR_MAX)),
    };
    return json_reader_finish(&reader);
}

static int issue_token(HttpRequest *r, const char *collector_id, const char *token_id, Buf *ret, Usec *ret_expires,
                       Err *reterr)
{
    Usec now = clock_wall();

    *ret_expires = now + (Usec)AUTH_COLLECTOR_SECONDS * USEC_PER_SEC;
    return jwt_sign(&r->backend->auth->keys,
                    &(JwtClaims){.audience = JWT_COLLECTOR,
                                 .subject = collector_id,
                                 .token_id = token_id,
                                 .issued = now,
                                 .expires = *ret_expires},
                    ret, reterr);
}

static int issue_certificate(HttpRequest *r, const char *collector_id, Slice csr, Credentials *c, Err *reterr)
{
    _cleanup_buf_ Buf own_csr = BUF_INIT;

    if (!csr.ptr) {
        int k = tls_key_generate(&c->private_key, reterr);
        if (k < 0)
            return k;
        k = tls_csr_make(buf_slice(&c->private_key), collector_id, &own_csr, reterr);
        if (k < 0)
            return k;
        csr = buf_slice(&own_csr);
    }
    return ca_issue_client(r->backend->ca, csr, collector_id, clock_wall(), &c->certificate, reterr);
}

static int credentials_issue(HttpRequest *r, const char *collector_id, Slice csr, Credentials *c, Err *reterr)
{
    char token_id[RANDOM_UUID_SIZE];
    _cleanup_buf_ Buf kept = BUF_INIT;
    TlsCertInfo info;

    int i = issue_certificate(r, collector_id, csr, c, reterr);
    if (i < 0)
        return i;
    i = tls_cert_read(buf_slice(&c->certificate), &info, reterr);
    if (i < 0)
        return i;
    random_uuid(token_id);
    i = issue_token(r, collector_id, token_id, &c->token, &c->token_expires, reterr);
    if (i < 0)
        return i;
    return store_query(r->backend->store, "collector_credentials_replace",
                       STORE_PARAMS(collector_id, info.serial, api_iso(r, info.not_after), token_id,
                                    api_iso(r, c->token_expires), r->remote_address),
                       r->deadline, &kept, reterr);
}

static void append_member(Buf *out, const char *name, Slice value)
{
    buf_append_char(out, out->len ? ',' : '{');
    buf_append_json_string(out, slice_cstr(name));
    buf_append_char(out, ':');
    buf_append_json_string(out, value);
}

static void credentials_answer(HttpRequest *r, const char *collector_id, const Credentials *c)
{
    append_member(&r->answer, "collector_id", slice_cstr(collector_id));
    append_member(&r->answer, "token", buf_slice(&c->token));
    append_member(&r->answer, "certificate", buf_slice(&c->certificate));
    if (c->private_key.len)
        append_member(&r->answer, "private_key", buf_slice(&c->private_key));
    append_member(&r->answer, "ca_certificate", ca_certificate_pem(r->backend->ca));
    append_member(&r->answer, "expires_at", slice_cstr(api_iso(r, c->token_expires)));
    buf_append_char(&r->answer, '}');
}

int collector_register(HttpRequest *r, Err *reterr)
{
    _cleanup_(credentials_done) Credentials credentials = {0};
    _cleanup_buf_ Buf collector_id = BUF_INIT;
    char new_id[RANDOM_UUID_SIZE];
    Registration reg = {0};

    int j = registration_read(r, &reg, reterr);
    if (j < 0)
        return j;
    random_uuid(new_id);
    j = store_query(r->backend->store, "collector_reserve",
                    STORE_PARAMS(new_id, reg.name, reg.hostname, reg.address, reg.region, reg.version), r->deadline,
                    &collector_id, reterr);
    if (j < 0)
        return j;
    j = credentials_issue(r, buf_cstr(&collector_id), reg.csr, &credentials, reterr);
    if (j < 0)
        return j;
    credentials_answer(r, buf_cstr(&collector_id), &credentials);
    r->status = 201;
    counter_add(&registered, 1);
    log_info("collector registered", log_str("collector_id", buf_cstr(&collector_id)), log_str("name", reg.name),
             log_str("hostname", reg.hostname), log_str("address", r->remote_address));
    return HTTP_DONE;
}

int collector_refresh_token(HttpRequest *r, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    _cleanup_buf_ Buf token = BUF_INIT;
    _cleanup_buf_ Buf kept = BUF_INIT;
    char token_id[RANDOM_UUID_SIZE];
    JsonReader reader;
    Usec expires;

    int j = json_parse(r->body, (JsonLimits){.bytes = API_BODY_MAX, .depth = 4}, &doc, reterr);
    if (j < 0)
        return j;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    Slice collector_id = json_take_string(&reader, "collector_id", 1, 64);
    j = json_reader_finish(&reader);
    if (j < 0)
        return j;
    if (!slice_eq_cstr(collector_id, r->principal.collector_id))
        return err_set(reterr, ERR_IDENTITY_MISMATCH, "collector_id is not the one that the token belongs to");
    random_uuid(token_id);
    j = issue_token(r, r->principal.collector_id, token_id, &token, &expires, reterr);
    if (j < 0)
        return j;
    j = store_query(r->backend->store, "collector_token_insert",
                    STORE_PARAMS(token_id, r->principal.collector_id, api_iso(r, expires)), r->deadline, &kept, reterr);
    if (j < 0)
        return j;
    counter_add(&renewed_tokens, 1);
    append_member(&r->answer, "token", buf_slice(&token));
    append_member(&r->answer, "expires_at", slice_cstr(api_iso(r, expires)));
    buf_append_char(&r->answer, '}');
    return HTTP_DONE;
}

static int csr_read(HttpRequest *r, Slice *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    JsonReader reader;

    int j = json_parse(r->body, (JsonLimits){.bytes = API_BODY_MAX, .depth = 4}, &doc, reterr);
    if (j < 0)
        return j;
    json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
    *ret = arena_dup(r->arena, json_take_string(&reader, "csr", 1, CSR_MAX));
    return json_reader_finish(&reader);
}

/* The certificate that is shown stays good until the new one is first used: see collector_credentials.sql. */
int collector_renew_certificate(HttpRequest *r, Err *reterr)
{
    _cleanup_buf_ Buf certificate = BUF_INIT;
    _cleanup_buf_ Buf kept = BUF_INIT;
    const char *id = r->principal.collector_id;
    TlsCertInfo info;
    Slice csr;

    if (!slice_eq_cstr(r->path_values[0], id))
        return err_set(reterr, ERR_IDENTITY_MISMATCH, "the credentials are those of another collector than %.60s",
                       r->path_values[0].ptr);
    int c = csr_read(r, &csr, reterr);
    if (c < 0)
        return c;
    c = ca_issue_client(r->backend->ca, csr, id, clock_wall(), &certificate, reterr);
    if (c < 0)
        return c;
    c = tls_cert_read(buf_slice(&certificate), &info, reterr);
    if (c < 0)
        return c;
    const char *expires = api_iso(r, info.not_after);
    c = store_query(r->backend->store, "collector_certificate_insert",
                    STORE_PARAMS(id, info.serial, expires, r->certificate_serial, r->remote_address), r->deadline,
                    &kept, reterr);
    if (c < 0)
        return c;
    if (c == STORE_EMPTY)
        return err_set(reterr, ERR_CERTIFICATE_INVALID, "the client certificate was revoked a moment ago");
    counter_add(&renewed_certificates, 1);
    log_info("certificate renewed", log_str("collector_id", id), log_str("serial", info.serial),
             log_str("expires_at", expires));
    append_member(&r->answer, "certificate", buf_slice(&certificate));
    append_member(&r->answer, "ca_certificate", ca_certificate_pem(r->backend->ca));
    append_member(&r->answer, "expires_at", slice_cstr(expires));
    buf_append_char(&r->answer, '}');
    return HTTP_DONE;
}

/* A cursor is what the last page gave as next_cursor: ["name","id"]. */
static int param_cursor(const HttpRequest *r, const char **ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;

    int j = api_param_text(r, "cursor", 1000, ret, reterr);
    if (j < 0 || !*ret)
        return j;
    j = json_parse(slice_cstr(*ret), (JsonLimits){.bytes = 1000, .depth = 2}, &doc, NULL);
    yyjson_val *root = j == 0 ? yyjson_doc_get_root(doc) : NULL;
    yyjson_val *name = yyjson_arr_get(root, 0);
    yyjson_val *id = yyjson_arr_get(root, 1);
    bool fits = yyjson_arr_size(root) == 2 && yyjson_is_str(name) && yyjson_is_str(id) &&
                !memchr(yyjson_get_str(name), '\0', yyjson_get_len(name)) &&
                api_is_uuid(slice_from(yyjson_get_str(id), yyjson_get_len(id)));
    if (!fits)
        return err_set(reterr, ERR_PARAMETER_INVALID, "cursor is not one that a list gave as next_cursor");
    return 0;
}

int collector_list(HttpRequest *r, Err *reterr)
{
    const char *cursor;
    int64_t limit;

    int p = api_param_int(r, "limit", 1, API_PAGE_MAX, API_PAGE_DEFAULT, &limit, reterr);
    if (p < 0)
        return p;
    p = param_cursor(r, &cursor, reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "collectors", STORE_PARAMS(api_int(r, limit), cursor), "the list", reterr);
}

int collector_get(HttpRequest *r, Err *reterr)
{
    int p = api_path_uuid(r, 0, "collector", reterr);
    if (p < 0)
        return p;
    return api_answer_query(r, "collector", STORE_PARAMS(r->path_values[0].ptr),
                            arena_printf(r->arena, "collector %s", r->path_values[0].ptr), reterr);
}

int collector_delete(HttpRequest *r, Err *reterr)
{
    int p = api_path_uuid(r, 0, "collector", reterr);
    if (p < 0)
        return p;
    p = api_answer_query(r, "collector_revoke",
                         STORE_PARAMS(r->path_values[0].ptr, r->principal.login, r->remote_address),
                         arena_printf(r->arena, "collector %s", r->path_values[0].ptr), reterr);
    if (p < 0)
        return p;
    buf_clear(&r->answer);
    r->status = 204;
    r->content_type = NULL;
    return HTTP_DONE;
}
