/* SPDX-License-Identifier: PostgreSQL */
/* See credentials.h. */
#include "collector/link/credentials.h"

#include "collector/link/certificate.h"
#include "collector/link/identity.h"
#include "collector/link/token.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"

enum { PEM_FILE_MAX = 1 << 20 };
#define USEC_PER_DAY (24 * 3600 * USEC_PER_SEC)

/* What the settings name, or the file of that name in state_dir when it is there. */
static char *choose_file(const Settings *settings, const char *given, const char *name)
{
    if (given[0])
        return mem_strdup(given);
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", settings->state_dir, name);
    if (!file_exists(buf_cstr(&path))) {
        buf_done(&path);
        return NULL;
    }
    return buf_take(&path);
}

static void choose_certificate(Credentials *c, const Settings *settings)
{
    if (settings->tls_cert[0] || settings->tls_key[0]) {
        c->cert_file = choose_file(settings, settings->tls_cert, "collector.crt");
        c->key_file = choose_file(settings, settings->tls_key, "collector.key");
        return;
    }
    certificate_files(settings->state_dir, &c->cert_file, &c->key_file);
    c->own_certificate = c->cert_file && c->key_file;
}

void credentials_done(Credentials *c)
{
    if (c->token)
        explicit_bzero(c->token, strlen(c->token));
    free(c->collector_id);
    free(c->api_url);
    free(c->token);
    free(c->cert_file);
    free(c->key_file);
    free(c->ca_file);
    *c = (Credentials){0};
}

static void without_trailing_slash(char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
}

/* The token of the settings, unless the one in state_dir lasts longer: the sender renews that one. */
static const char *choose_token(const Settings *settings, const Identity *identity)
{
    const char *given = settings->jwt_token, *kept = identity->token ? identity->token : "";

    if (!given[0] || !kept[0])
        return given[0] ? given : kept;
    return token_expiry(slice_cstr(kept)) > token_expiry(slice_cstr(given)) ? kept : given;
}

int credentials_load(Credentials *ret, const Settings *settings, Err *reterr)
{
    Identity identity = {0};
    int r = identity_read(settings->state_dir, &identity, reterr);
    if (r < 0)
        return err_trace(r);
    Credentials c = {.registered = r == IDENTITY_OK};
    const char *token = choose_token(settings, &identity);
    bool has_token = token[0] != '\0';
    bool has_url = settings->backend_url[0] || (identity.api_url && identity.api_url[0]);
    if (has_token && has_url) {
        c.collector_id = mem_strdup(c.registered ? identity.collector_id : settings->id);
        c.api_url = mem_strdup(settings->backend_url[0] ? settings->backend_url : identity.api_url);
        without_trailing_slash(c.api_url);
        c.token = mem_strdup(token);
        choose_certificate(&c, settings);
        c.ca_file = choose_file(settings, settings->ca_cert, "ca.crt");
    }
    identity_done(&identity);
    if (c.api_url) {
        *ret = c;
        return CREDENTIALS_OK;
    }
    if (settings->prometheus_listen[0] && !has_url && !has_token && !c.registered)
        return CREDENTIALS_NONE;
    r = err_set(reterr, ERR_CONFIG,
                has_url ? "this collector is not registered: no token in %s"
                        : "no backend is known: neither backend.url nor an identity in %s",
                settings->state_dir);
    err_hint(reterr, "pganalytics register --api https://HOST --secret-file FILE");
    return r;
}

int credentials_check(const Credentials *c, Usec now_wall, int64_t *ret_days_left, Err *reterr)
{
    *ret_days_left = INT64_MAX;
    if (!c->cert_file && !c->key_file)
        return 0;
    if (!c->cert_file || !c->key_file)
        return err_set(reterr, ERR_TLS, "there is a client %s but no %s", c->cert_file ? "certificate" : "key",
                       c->cert_file ? "key" : "certificate");
    _cleanup_buf_ Buf cert = BUF_INIT, key = BUF_INIT;
    TlsCertInfo info;
    int r = file_read_all(c->cert_file, PEM_FILE_MAX, &cert, reterr);
    if (r >= 0)
        r = file_read_all(c->key_file, PEM_FILE_MAX, &key, reterr);
    if (r >= 0)
        r = tls_cert_read(buf_slice(&cert), &info, reterr);
    if (r >= 0)
        r = tls_cert_check_key(buf_slice(&cert), buf_slice(&key), reterr);
    if (key.len)
        explicit_bzero(key.ptr, key.len);
    if (r < 0)
        return err_trace(r);
    *ret_days_left = (info.not_after - now_wall) / USEC_PER_DAY;
    if (now_wall >= info.not_after)
        return err_set(reterr, ERR_TLS, "%s has expired", c->cert_file);
    if (now_wall < info.not_before)
        return err_set(reterr, ERR_TLS, "%s is not valid yet: is the clock right?", c->cert_file);
    return 0;
}
