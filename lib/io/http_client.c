/* SPDX-License-Identifier: PostgreSQL */
/*
 * HTTPS client: one easy handle, reset before each request (which keeps its connection and TLS session), driven by a
 * multi handle of its own, because curl_multi_wakeup() is what lets http_client_abort() end a transfer at once from
 * another thread. All but abort belongs to one thread at a time.
 */
#include "lib/io/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "lib/base/memory.h"

struct HttpClient {
    CURL *easy;
    CURLM *multi;
    pthread_mutex_t multi_lock; /* an abort comes from another thread while multi may be replaced */
    char *ca_file;
    char *cert_file;
    char *key_file;
    char *user_agent;
    bool verify;
    Usec connect_timeout;
    Usec total_timeout;
    size_t answer_limit;
    _Atomic bool aborted;
    char message[CURL_ERROR_SIZE];
};

/* One request under way. */
typedef struct Transfer {
    const HttpClient *client;
    HttpAnswer *answer;
    struct curl_slist *headers;
    bool too_large;
} Transfer;

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void init_global(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* a failure shows as curl_easy_init()'s */
}

/* Names the file now: with curl it would be a failed request later. */
static int check_readable(const char *what, const char *path, Err *reterr)
{
    if (path && access(path, R_OK) != 0)
        return err_set_errno(reterr, ERR_TLS, errno, "reading the %s %s", what, path);
    return 0;
}

static void replace_string(char **member, const char *value)
{
    char *copy = mem_strdup(value); /* @value may be the member's own */
    free(*member);
    *member = copy;
}

static void drop_handles(CURL *easy, CURLM *multi)
{
    curl_easy_cleanup(easy);
    (void)curl_multi_cleanup(multi); /* the easy handle is out of it between requests */
}

/* New handles know neither the old connection nor its TLS session, which would go on showing the old certificate. */
int http_client_use_files(HttpClient *c, const char *ca_file, const char *cert_file, const char *key_file, Err *reterr)
{
    int r = check_readable("CA certificate", ca_file, reterr);
    if (r == 0)
        r = check_readable("client certificate", cert_file, reterr);
    if (r == 0)
        r = check_readable("client key", key_file, reterr);
    if (r < 0)
        return r;
    CURL *easy = curl_easy_init();
    CURLM *multi = curl_multi_init();
    if (!easy || !multi) {
        drop_handles(easy, multi);                                               /* GCOV_EXCL_LINE */
        return err_set(reterr, ERR_OUT_OF_MEMORY, "setting up the HTTP client"); /* GCOV_EXCL_LINE */
    }
    CURL *old_easy = c->easy;
    CURLM *old_multi = c->multi;
    (void)pthread_mutex_lock(&c->multi_lock);
    c->easy = easy;
    c->multi = multi;
    (void)pthread_mutex_unlock(&c->multi_lock);
    drop_handles(old_easy, old_multi);
    replace_string(&c->ca_file, ca_file);
    replace_string(&c->cert_file, cert_file);
    replace_string(&c->key_file, key_file);
    return 0;
}

int http_client_new(HttpClient **ret, const HttpClientOptions *options, Err *reterr)
{
    (void)pthread_once(&global_once, init_global); /* cannot fail with a valid once */
    _cleanup_(http_client_freep) HttpClient *c = mem_alloc(sizeof(*c));
    (void)pthread_mutex_init(&c->multi_lock, NULL); /* cannot fail without attributes */
    int r = http_client_use_files(c, options->ca_file, options->cert_file, options->key_file, reterr);
    if (r < 0)
        return r;
    c->user_agent = mem_strdup(options->user_agent ? options->user_agent : "pganalytics");
    c->verify = options->verify;
    c->connect_timeout = options->connect_timeout > 0 ? options->connect_timeout : 10 * USEC_PER_SEC;
    c->total_timeout = options->total_timeout > 0 ? options->total_timeout : 60 * USEC_PER_SEC;
    c->answer_limit = options->answer_limit > 0 ? options->answer_limit : 1024 * 1024;
    *ret = TAKE_PTR(c);
    return 0;
}

HttpClient *http_client_free(HttpClient *c)
{
    if (!c)
        return NULL;
    drop_handles(c->easy, c->multi);
    (void)pthread_mutex_destroy(&c->multi_lock);
    free(c->ca_file);
    free(c->cert_file);
    free(c->key_file);
    free(c->user_agent);
    free(c);
    return NULL;
}

void http_client_abort(HttpClient *c)
{
    atomic_store(&c->aborted, true);
    (void)pthread_mutex_lock(&c->multi_lock);
    (void)curl_multi_wakeup(c->multi); /* if it cannot, the transfer ends at its deadline */
    (void)pthread_mutex_unlock(&c->multi_lock);
}

void http_answer_done(HttpAnswer *a)
{
    buf_done(&a->body);
    *a = HTTP_ANSWER_INIT;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
    Transfer *t = arg;
    Buf *body = &t->answer->body;
    t->too_large = len > t->client->answer_limit - body->len;
    if (t->too_large || one != 1)
        return CURL_WRITEFUNC_ERROR;
    buf_append(body, slice_from(bytes, len));
    return len;
}

/* curl's setopt fails only for options it was built without, which curl_easy_perform's failure then shows. */
#define SET(easy, option, value) ((void)curl_easy_setopt((easy), (option), (value)))

static void set_connection(HttpClient *c)
{
    SET(c->easy, CURLOPT_NOSIGNAL, 1L);
    SET(c->easy, CURLOPT_ERRORBUFFER, c->message);
    SET(c->easy, CURLOPT_PROTOCOLS_STR, "https,http");
    SET(c->easy, CURLOPT_DEFAULT_PROTOCOL, "https");
    SET(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    SET(c->easy, CURLOPT_SSL_VERIFYPEER, c->verify ? 1L : 0L);
    SET(c->easy, CURLOPT_SSL_VERIFYHOST, c->verify ? 2L : 0L);
    if (c->ca_file) {
        SET(c->easy, CURLOPT_CAINFO, c->ca_file);
        SET(c->easy, CURLOPT_CAPATH, NULL); /* this one, not this one and the system's */
    }
    if (c->cert_file)
        SET(c->easy, CURLOPT_SSLCERT, c->cert_file);
    if (c->key_file)
        SET(c->easy, CURLOPT_SSLKEY, c->key_file);
    SET(c->easy, CURLOPT_USERAGENT, c->user_agent);
    SET(c->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->connect_timeout / USEC_PER_MSEC));
    SET(c->easy, CURLOPT_TIMEOUT_MS, (long)(c->total_timeout / USEC_PER_MSEC));
}

static bool add_header(Transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (longer)
        t->headers = longer;
    return longer != NULL;
}

static bool set_headers(HttpClient *c, const HttpClientRequest *request, Transfer *t)
{
    bool ok = add_header(t, "Expect:"); /* do not wait for "100 Continue" before a larger body */
    bool has_type = false;
    for (const char *const *h = request->headers; h && *h; h++) {
        ok = add_header(t, *h) && ok;
        has_type = has_type || strncasecmp(*h, "content-type:", strlen("content-type:")) == 0;
    }
    if (!has_type)
        ok = add_header(t, "Content-Type:") && ok; /* curl would claim a form */
    SET(c->easy, CURLOPT_HTTPHEADER, t->headers);
    return ok;
}

static void set_request(HttpClient *c, const HttpClientRequest *request, Transfer *t)
{
    SET(c->easy, CURLOPT_URL, request->url);
    bool may_have_body =
        request->body.ptr || strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0;
    if (may_have_body) { /* "Content-Length: 0" when there is none */
        SET(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        SET(c->easy, CURLOPT_POSTFIELDS, request->body.ptr ? request->body.ptr : "");
    } else if (strcmp(request->method, "HEAD") == 0) {
        SET(c->easy, CURLOPT_NOBODY, 1L);
    }
    SET(c->easy, CURLOPT_CUSTOMREQUEST, request->method);
    SET(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(c->easy, CURLOPT_WRITEDATA, t);
}

/* Runs the transfer to its end or to an abort. */
static CURLcode perform(HttpClient *c)
{
    enum { POLL_MS = 10000 }; /* only a bound: what happens wakes the poll, and so does an abort */
    CURLMcode m = curl_multi_add_handle(c->multi, c->easy);
    CURLcode result = CURLE_FAILED_INIT;
    for (int running = 1; m == CURLM_OK && running > 0;) {
        if (atomic_load(&c->aborted)) {
            result = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
        m = curl_multi_perform(c->multi, &running);
        if (m == CURLM_OK && running > 0)
            m = curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL);
    }
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(c->multi, &left)) != NULL;)
        if (msg->msg == CURLMSG_DONE)
            result = msg->data.result;
    (void)curl_multi_remove_handle(c->multi, c->easy); /* it is in there, or it never was */
    return result;
}

static ErrCode code_of(const Transfer *t, CURLcode result)
{
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        return ERR_UNAVAILABLE;
    case CURLE_WRITE_ERROR:
        return t->too_large ? ERR_TOO_LARGE : ERR_INTERNAL;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return ERR_CONFIG;
    case CURLE_OUT_OF_MEMORY:     /* GCOV_EXCL_LINE: it cannot be made to happen */
        return ERR_OUT_OF_MEMORY; /* GCOV_EXCL_LINE */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return ERR_TLS;
    default:
        /* With TLS 1.3 a server refuses a client's certificate after the handshake: curl calls it a receive error. */
        return strstr(t->client->message, "SSL routines") ? ERR_TLS : ERR_CONNECT;
    }
}

static int fail(const HttpClient *c, const HttpClientRequest *request, const Transfer *t, CURLcode result, Err *reterr)
{
    ErrCode code = code_of(t, result);
    if (code == ERR_TOO_LARGE)
        return err_set(reterr, code, "%s: the answer has more than %zu bytes", request->url, c->answer_limit);
    if (code == ERR_UNAVAILABLE)
        return err_set(reterr, code, "%s: the request was given up because the program is stopping", request->url);
    return err_set(reterr, code, "%s: %s", request->url, c->message[0] ? c->message : curl_easy_strerror(result));
}

/* Status, Retry-After, Date, ETag. A tag that does not fit is none: a cut one would match nothing. */
static void read_head(HttpClient *c, HttpAnswer *ret)
{
    static const curl_off_t retry_after_most = 86400; /* seconds; a server's slip must not silence us for a year */
    long status = 0;
    curl_off_t seconds = 0;
    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status); /* these fail for unknown names only */
    (void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &seconds);
    ret->status = (int)status;
    if (seconds > 0)
        ret->retry_after = (Usec)(seconds < retry_after_most ? seconds : retry_after_most) * USEC_PER_SEC;

    struct curl_header *date;
    if (curl_easy_header(c->easy, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        const time_t at = curl_getdate(date->value, NULL);
        ret->date = at > 0 ? (Usec)at * USEC_PER_SEC : 0;
    }
    struct curl_header *etag;
    if (curl_easy_header(c->easy, "ETag", 0, CURLH_HEADER, -1, &etag) != CURLHE_OK)
        return;
    size_t len = strlen(etag->value);
    if (len < sizeof(ret->etag))
        memcpy(ret->etag, etag->value, len + 1);
}

int http_client_send(HttpClient *c, const HttpClientRequest *request, HttpAnswer *ret, Err *reterr)
{
    http_answer_done(ret);
    Transfer t = {.client = c, .answer = ret};
    c->message[0] = '\0';
    curl_easy_reset(c->easy);
    set_connection(c);
    set_request(c, request, &t);
    CURLcode result = set_headers(c, request, &t) ? perform(c) : CURLE_OUT_OF_MEMORY;
    if (result == CURLE_OK)
        read_head(c, ret);
    curl_slist_free_all(t.headers);
    if (result == CURLE_OK)
        return 0;
    http_answer_done(ret);
    return fail(c, request, &t, result, reterr);
}
