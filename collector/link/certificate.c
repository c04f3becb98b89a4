/* SPDX-License-Identifier: PostgreSQL */
/* The client certificate's renewal; see certificate.h. A key never gets into a log line or an error. */
#include "collector/link/certificate.h"

#include <errno.h>

#include "collector/link/backend_answer.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"
#include "lib/json/json.h"

enum { PEM_MAX = 64 << 10, ANSWER_DEPTH = 4, SECRET_MODE = 0600, PUBLIC_MODE = 0644 };

static const char renewed_name[] = "renewed.pem";

Usec certificate_due(Usec not_before, Usec not_after)
{
    return not_before + (not_after - not_before) / 3 * 2;
}

bool certificate_is_due(Usec not_before, Usec not_after, Usec now)
{
    return now >= certificate_due(not_before, not_after);
}

static int read_answer(const HttpAnswer *answer, Buf *pem, Err *reterr)
{
    if (answer->status != 200)
        return backend_error_set(reterr, "renewing the certificate", answer);
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = PEM_MAX * 4, .depth = ANSWER_DEPTH};
    int r = json_parse(buf_slice(&answer->body), limits, &doc, reterr);
    if (r == 0) {
        JsonReader reader; /* not finished: members that a later backend adds are fine */
        json_reader_init(&reader, yyjson_doc_get_root(doc), "", reterr);
        const Slice certificate = json_take_string(&reader, "certificate", 1, PEM_MAX);
        r = reader.result < 0 ? reader.result : tls_cert_check_key(certificate, buf_slice(pem), reterr);
        if (r == 0)
            buf_append(pem, certificate);
    }
    if (r < 0)
        err_prefix(reterr, "renewing the certificate: the backend's answer");
    return err_trace(r);
}

static int send_request(const CertificateRequest *request, Slice csr, HttpAnswer *ret, Err *reterr)
{
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%s/api/v1/collectors/%s/certificate", request->api_url, request->collector_id);
    _cleanup_buf_ Buf body = BUF_INIT;
    buf_append_cstr(&body, "{\"csr\":");
    buf_append_json_string(&body, csr);
    buf_append_char(&body, '}');
    _cleanup_(buf_wipe) Buf authorization = BUF_INIT;
    buf_printf(&authorization, "Authorization: Bearer %s", request->token);
    const char *const headers[] = {buf_cstr(&authorization), "Content-Type: application/json", NULL};
    const HttpClientRequest post = {
        .method = "POST", .url = buf_cstr(&url), .headers = headers, .body = buf_slice(&body)};
    return err_trace(http_client_send(request->http, &post, ret, reterr));
}

int certificate_request(const CertificateRequest *request, Buf *ret_pem, Err *reterr)
{
    _cleanup_(buf_wipe) Buf pem = BUF_INIT;
    buf_reserve(&pem, PEM_MAX * 2); /* growing would leave copies of the key behind */
    _cleanup_buf_ Buf csr = BUF_INIT;
    int r = tls_key_generate(&pem, reterr);
    if (r == 0)
        r = tls_csr_make(buf_slice(&pem), request->collector_id, &csr, reterr);
    _cleanup_(http_answer_donep) HttpAnswer answer = HTTP_ANSWER_INIT;
    if (r == 0)
        r = send_request(request, buf_slice(&csr), &answer, reterr);
    if (r == 0)
        r = read_answer(&answer, &pem, reterr);
    if (r < 0)
        return err_trace(r);
    *ret_pem = pem;
    pem = BUF_INIT;
    return 0;
}

static Buf path_in(const char *state_dir, const char *name)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", state_dir, name);
    return path;
}

static int write_in(const char *state_dir, const char *name, mode_t mode, Slice content, Err *reterr)
{
    _cleanup_buf_ Buf path = path_in(state_dir, name);
    return err_trace(file_write_atomic(buf_cstr(&path), mode, content, reterr));
}

int certificate_keep(const char *state_dir, Slice pem, Err *reterr)
{
    return write_in(state_dir, renewed_name, SECRET_MODE, pem, reterr);
}

/* Where the certificate begins behind the key; negative: it is not there. */
static ptrdiff_t find_certificate(Slice pem)
{
    return slice_find(pem, SLICE_LIT("-----BEGIN CERTIFICATE-----"));
}

/* @pem stays empty when there is no usable renewed.pem. */
static int read_renewed(const char *path, Buf *pem, Err *reterr)
{
    if (!file_exists(path))
        return 0;
    int r = file_read_all(path, PEM_MAX * 2, pem, reterr);
    if (r == 0)
        r = tls_cert_check_key(buf_slice(pem), buf_slice(pem), reterr);
    if (r == 0 && find_certificate(buf_slice(pem)) < 0)
        r = err_set(reterr, ERR_TLS, "it has no certificate");
    if (r < 0) {
        err_prefix(reterr, "%s", path);
        buf_wipe(pem);
    }
    return err_trace(r);
}

int certificate_finish(const char *state_dir, Err *reterr)
{
    _cleanup_buf_ Buf path = path_in(state_dir, renewed_name);
    _cleanup_(buf_wipe) Buf pem = BUF_INIT;
    int r = read_renewed(buf_cstr(&path), &pem, reterr);
    if (r < 0 || pem.len == 0)
        return err_trace(r);
    const size_t at = (size_t)find_certificate(buf_slice(&pem));
    r = write_in(state_dir, "collector.key", SECRET_MODE, slice_from(pem.ptr, at), reterr);
    if (r == 0)
        r = write_in(state_dir, "collector.crt", PUBLIC_MODE, slice_skip(buf_slice(&pem), at), reterr);
    if (r < 0)
        return err_trace(r);
    if (unlink(buf_cstr(&path)) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "removing %s", buf_cstr(&path));
    return err_trace(dir_fsync(state_dir, reterr));
}

static char *if_there(const char *state_dir, const char *name)
{
    Buf path = path_in(state_dir, name);
    if (file_exists(buf_cstr(&path)))
        return buf_take(&path);
    buf_done(&path);
    return NULL;
}

void certificate_files(const char *state_dir, char **ret_cert_file, char **ret_key_file)
{
    _cleanup_buf_ Buf renewed = path_in(state_dir, renewed_name);
    _cleanup_(buf_wipe) Buf pem = BUF_INIT;
    if (read_renewed(buf_cstr(&renewed), &pem, NULL) == 0 && pem.len > 0) {
        *ret_cert_file = mem_strdup(buf_cstr(&renewed));
        *ret_key_file = mem_strdup(buf_cstr(&renewed));
        return;
    }
    *ret_cert_file = if_there(state_dir, "collector.crt");
    *ret_key_file = if_there(state_dir, "collector.key");
}
