/* SPDX-License-Identifier: PostgreSQL */
/*
 * Registration: a key and a certificate request are made here, the backend's answer is checked before anything is
 * written, and identity.json is written last. One thread.
 */
#include "collector/link/backend_answer.h"
#include "collector/link/certificate.h"
#include "collector/link/identity.h"
#include "collector/version.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/io/http_client.h"
#include "lib/io/tls.h"
#include "lib/json/json.h"

enum {
    PEM_MAX = 64 << 10,
    TOKEN_MAX = 16 << 10,
    ID_MAX = 64,
    ANSWER_DEPTH = 4,
    DIRECTORY_MODE = 0700,
    PUBLIC_MODE = 0644,
    SECRET_MODE = 0600,
};
#define ENROL_TIMEOUT (30 * USEC_PER_SEC)

/* What the backend gave; slices into .doc. */
typedef struct Enrolment {
    Buf key;
    HttpAnswer answer;
    yyjson_doc *doc;
    Slice collector_id;
    Slice token;
    Slice certificate;
    Slice ca_certificate;
} Enrolment;

static void enrolment_done(Enrolment *e)
{
    buf_wipe(&e->key);
    buf_wipe(&e->answer.body);
    http_answer_done(&e->answer);
    yyjson_doc_free(e->doc);
}

static void append_member(Buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_append_char(out, out->len == 0 ? '{' : ',');
    buf_append_json_string(out, slice_cstr(name));
    buf_append_char(out, ':');
    buf_append_json_string(out, slice_cstr(value));
}

/* What would break the header apart, or be cut off by it, is not sent. */
static int check_secret(const char *secret, Err *reterr)
{
    if (!secret || !secret[0])
        return err_set(reterr, ERR_USAGE, "the registration secret is empty");
    for (const char *c = secret; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
            return err_set(reterr, ERR_USAGE, "the registration secret has characters other than printable ASCII");
    return 0;
}

static int send_request(const EnrolOptions *options, const char *csr, HttpAnswer *ret, Err *reterr)
{
    const HttpClientOptions client = {
        .ca_file = options->ca_file,
        .verify = options->verify,
        .total_timeout = ENROL_TIMEOUT,
        .user_agent = "pganalytics/" COLLECTOR_VERSION,
    };
    _cleanup_(http_client_freep) HttpClient *http = NULL;
    int r = http_client_new(&http, &client, reterr);
    if (r < 0)
        return err_trace(r);

    _cleanup_buf_ Buf body = BUF_INIT;
    append_member(&body, "name", options->name);
    append_member(&body, "hostname", options->hostname);
    append_member(&body, "region", options->region);
    append_member(&body, "version", COLLECTOR_VERSION);
    append_member(&body, "csr", csr);
    buf_append_char(&body, '}');
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%s/api/v1/collectors/register", options->api_url);
    _cleanup_(buf_wipe) Buf secret = BUF_INIT;
    buf_printf(&secret, "X-Registration-Secret: %s", options->secret);
    const char *const headers[] = {"Content-Type: application/json", buf_cstr(&secret), NULL};
    const HttpClientRequest request = {
        .method = "POST", .url = buf_cstr(&url), .headers = headers, .body = buf_slice(&body)};
    return err_trace(http_client_send(http, &request, ret, reterr));
}

/* What a person at a terminal needs to know next. */
static void hint_connection(const EnrolOptions *options, Err *reterr)
{
    if (reterr && reterr->code == ERR_TLS && options->verify)
        err_hint(reterr,
                 "if the backend's certificate is of its own CA, pass --ca FILE with that CA's certificate; if it "
                 "does not name this host, add the name to the backend's TLS_NAMES");
    else if (reterr && (reterr->code == ERR_CONNECT || reterr->code == ERR_TIMEOUT))
        err_hint(reterr, "is the backend running, and is %s its address?", options->api_url);
}

static int fail_refused(const EnrolOptions *options, const HttpAnswer *answer, Err *reterr)
{
    BackendError error;
    backend_error_read(answer, &error);
    const int r = backend_error_set(reterr, "registering", answer);
    if (!error.ours)
        return r;
    if (answer->status == 401 || answer->status == 403)
        err_hint(reterr, "the secret must be the backend's REGISTRATION_SECRET");
    else if (answer->status == 409)
        err_hint(reterr, "\"%s\" is another collector's name: choose one with --name", options->name);
    return r;
}

static int read_answer(Enrolment *e, Err *reterr)
{
    const JsonLimits limits = {.bytes = PEM_MAX * 4, .depth = ANSWER_DEPTH};
    int r = json_parse(buf_slice(&e->answer.body), limits, &e->doc, reterr);
    if (r < 0) {
        err_prefix(reterr, "registering: answer %d is not the backend's", e->answer.status);
        return err_trace(r);
    }
    JsonReader reader;
    json_reader_init(&reader, yyjson_doc_get_root(e->doc), "", reterr);
    e->collector_id = json_take_string(&reader, "collector_id", 1, ID_MAX);
    e->token = json_take_string(&reader, "token", 1, TOKEN_MAX);
    e->certificate = json_take_string(&reader, "certificate", 1, PEM_MAX);
    e->ca_certificate = json_take_string(&reader, "ca_certificate", 1, PEM_MAX);
    if (reader.result < 0) { /* members that a later backend adds are fine, so the reader is not finished */
        err_prefix(reterr, "registering: answer %d is not the backend's", e->answer.status);
        return err_trace(reader.result);
    }

    TlsCertInfo ca;
    r = tls_cert_check_key(e->certificate, buf_slice(&e->key), reterr);
    if (r == 0)
        r = tls_cert_read(e->ca_certificate, &ca, reterr);
    if (r < 0)
        err_prefix(reterr, "registering: the backend's answer");
    return err_trace(r);
}

static int write_file(const char *state_dir, const char *name, mode_t mode, Slice content, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", state_dir, name);
    return err_trace(file_write_atomic(buf_cstr(&path), mode, content, reterr));
}

/*
 * By whom the backend is trusted from now on: as it was for this request, so that what worked goes on working; and by
 * the backend's own CA, which may sign its next certificate. Where the system's authorities vouched for it, they go on.
 */
static int write_ca(const EnrolOptions *options, const Enrolment *e, Err *reterr)
{
    _cleanup_buf_ Buf bundle = BUF_INIT;
    if (!options->ca_file && options->verify) {
        _cleanup_buf_ Buf path = BUF_INIT;
        buf_printf(&path, "%s/ca.crt", options->state_dir);
        (void)unlink(buf_cstr(&path)); /* of an earlier registration, if any; dir_fsync by the files written next */
        return 0;
    }
    if (options->ca_file) {
        const int r = file_read_all(options->ca_file, PEM_MAX * 4, &bundle, reterr);
        if (r < 0)
            return err_trace(r);
        if (bundle.len > 0 && bundle.ptr[bundle.len - 1] != '\n')
            buf_append_char(&bundle, '\n');
    }
    if (slice_find(buf_slice(&bundle), slice_trim(e->ca_certificate)) < 0)
        buf_append(&bundle, e->ca_certificate);
    return write_file(options->state_dir, "ca.crt", PUBLIC_MODE, buf_slice(&bundle), reterr);
}

static int write_identity(const EnrolOptions *options, const Enrolment *e, Err *reterr)
{
    int r = certificate_finish(options->state_dir, reterr); /* a renewal under way would stand above what comes now */
    if (r == 0)
        r = write_file(options->state_dir, "collector.key", SECRET_MODE, buf_slice(&e->key), reterr);
    if (r == 0)
        r = write_file(options->state_dir, "collector.crt", PUBLIC_MODE, e->certificate, reterr);
    if (r == 0)
        r = write_ca(options, e, reterr);
    if (r == 0)
        r = write_file(options->state_dir, "token", SECRET_MODE, e->token, reterr);
    if (r < 0)
        return err_trace(r);

    _cleanup_free_ char *id = mem_dup(e->collector_id.ptr, e->collector_id.len);
    _cleanup_buf_ Buf json = BUF_INIT;
    append_member(&json, "collector_id", id);
    append_member(&json, "api_url", options->api_url);
    append_member(&json, "name", options->name);
    buf_append_cstr(&json, "}\n");
    return write_file(options->state_dir, "identity.json", PUBLIC_MODE, buf_slice(&json), reterr);
}

static int enrol(const EnrolOptions *options, Enrolment *e, Err *reterr)
{
    int r = check_secret(options->secret, reterr);
    if (r == 0) /* before the backend makes credentials that could not be kept */
        r = dir_ensure(options->state_dir, DIRECTORY_MODE, reterr);
    if (r == 0)
        r = tls_key_generate(&e->key, reterr);
    _cleanup_buf_ Buf csr = BUF_INIT;
    if (r == 0)
        r = tls_csr_make(buf_slice(&e->key), options->name, &csr, reterr);
    if (r < 0)
        return err_trace(r);

    r = send_request(options, buf_cstr(&csr), &e->answer, reterr);
    if (r < 0) {
        hint_connection(options, reterr);
        return err_trace(r);
    }
    if (e->answer.status != 201 && e->answer.status != 200)
        return fail_refused(options, &e->answer, reterr);
    r = read_answer(e, reterr);
    if (r < 0)
        return err_trace(r);
    r = write_identity(options, e, reterr);
    if (r < 0)
        err_hint(reterr, "registered, but not kept: mend this and register again");
    return err_trace(r);
}

/* "https://host:port" without what a person may have copied behind it. */
static char *plain_url(const char *url)
{
    Slice s = slice_trim(slice_cstr(url));
    while (s.len > 0 && s.ptr[s.len - 1] == '/')
        s.len--;
    return mem_dup(s.ptr, s.len);
}

int enrol_register(const EnrolOptions *options, Identity *ret, Err *reterr)
{
    _cleanup_free_ char *url = plain_url(options->api_url);
    EnrolOptions plain = *options;
    plain.api_url = url;
    _cleanup_(enrolment_done) Enrolment e = {.answer = HTTP_ANSWER_INIT};
    const int r = enrol(&plain, &e, reterr);
    if (r < 0)
        return err_trace(r);
    *ret = (Identity){
        .collector_id = mem_dup(e.collector_id.ptr, e.collector_id.len),
        .api_url = TAKE_PTR(url),
        .token = mem_dup(e.token.ptr, e.token.len),
    };
    return 0;
}
