/* SPDX-License-Identifier: PostgreSQL */
/* Credentials of a running collector; see keeper.h. */
#include "collector/link/keeper.h"

#include <sys/stat.h>

#include "collector/link/certificate.h"
#include "collector/link/token.h"
#include "collector/version.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"

#define DAY                  (86400 * USEC_PER_SEC)
#define TOKEN_RETRY_INTERVAL (3600 * USEC_PER_SEC)
#define TEND_INTERVAL        (60 * USEC_PER_SEC)
#define TEND_LEAST           (USEC_PER_SEC / 2)
#define RETRY_BASE           USEC_PER_SEC
#define RETRY_CAP            (3600 * USEC_PER_SEC)
enum { RETRY_SHARE = 20, PEM_FILE_MAX = 1 << 20, TOKEN_FILE_MAX = 64 << 10 };

/* Tells that a file was replaced. Zero: it is not there. */
typedef struct Stamp {
    ino_t inode;
    off_t size;
    struct timespec modified;
} Stamp;

typedef enum Watched { WATCHED_CA, WATCHED_CERT, WATCHED_KEY, WATCHED_TOKEN, _WATCHED_MAX } Watched;

struct Keeper {
    HttpClient *http;
    char *api_url;
    char *collector_id;
    char *state_dir;
    char *token;
    char *paths[_WATCHED_MAX]; /* NULL: there is none */
    Stamp stamps[_WATCHED_MAX];
    bool renew_certificate;

    Usec not_before, not_after; /* wall, of the certificate in use; 0: none, or not readable */
    Usec try_at;                /* monotonic: the certificate is not renewed before */
    Backoff backoff;
    Buf pending;       /* a renewed key and certificate that could not be written yet */
    int64_t warned;    /* days that were warned of; INT64_MAX: not yet */
    Usec token_try_at; /* monotonic: not renewed on our own account before */
    Complain certificate_complain, token_complain, file_complain;
    KeeperStats stats;
};

/* --- Files -------------------------------------------------------------------------------------------------------- */

static Stamp stamp_of(const char *path)
{
    struct stat status;
    if (!path || stat(path, &status) != 0)
        return (Stamp){0};
    return (Stamp){.inode = status.st_ino, .size = status.st_size, .modified = status.st_mtim};
}

static bool stamp_equal(const Stamp *a, const Stamp *b)
{
    return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

/* Remembers the file as it is now; true when it is another one than before. */
static bool note_stamp(Keeper *k, Watched which)
{
    const Stamp now = stamp_of(k->paths[which]);
    const bool changed = !stamp_equal(&now, &k->stamps[which]);
    k->stamps[which] = now;
    return changed;
}

static int read_pair(const Keeper *k, TlsCertInfo *ret, Err *reterr)
{
    _cleanup_buf_ Buf certificate = BUF_INIT;
    _cleanup_(buf_wipe) Buf key = BUF_INIT;
    int r = file_read_all(k->paths[WATCHED_CERT], PEM_FILE_MAX, &certificate, reterr);
    if (r == 0)
        r = file_read_all(k->paths[WATCHED_KEY], PEM_FILE_MAX, &key, reterr);
    if (r == 0)
        r = tls_cert_check_key(buf_slice(&certificate), buf_slice(&key), reterr);
    if (r == 0)
        r = tls_cert_read(buf_slice(&certificate), ret, reterr);
    return err_trace(r);
}

static void set_life(Keeper *k, const TlsCertInfo *info)
{
    k->not_before = info->not_before;
    k->not_after = info->not_after;
    k->warned = INT64_MAX;
    atomic_store(&k->stats.certificate_not_after, info->not_after);
    atomic_store(&k->stats.certificate_due, certificate_due(info->not_before, info->not_after));
}

/* Shows the files as they are now from the next request on. */
static int use_files(Keeper *k, Err *reterr)
{
    TlsCertInfo info = {0};
    int r = k->paths[WATCHED_CERT] && k->paths[WATCHED_KEY] ? read_pair(k, &info, reterr) : 0;
    if (r == 0)
        r = http_client_use_files(k->http, k->paths[WATCHED_CA], k->paths[WATCHED_CERT], k->paths[WATCHED_KEY], reterr);
    if (r == 0)
        set_life(k, &info);
    return err_trace(r);
}

/* Half of a pair may be there already and the other half not yet: then what is in use stays. */
static void take_replaced_files(Keeper *k, Usec now)
{
    bool changed = false;
    for (Watched w = WATCHED_CA; w <= WATCHED_KEY; w++)
        changed = note_stamp(k, w) || changed;
    if (!changed)
        return;
    Err err = ERR_INIT;
    if (use_files(k, &err) < 0) {
        if (complain_due(&k->file_complain, now))
            log_warn("replaced certificate cannot be used, the one before stays in use", log_error_field(&err));
        return;
    }
    (void)complain_recovered(&k->file_complain, now); /* the line below says it */
    atomic_fetch_add(&k->stats.files_replaced, 1);
    log_info("replaced certificate files are used");
}

static void set_token(Keeper *k, char *token)
{
    token_wipe(k->token);
    k->token = token;
    atomic_store(&k->stats.token_expiry, token_expiry(slice_cstr(token)));
}

/* Registering anew, or somebody, wrote a token that lasts longer than ours. */
static void take_replaced_token(Keeper *k)
{
    if (!note_stamp(k, WATCHED_TOKEN))
        return;
    _cleanup_(buf_wipe) Buf text = BUF_INIT;
    if (file_read_all(k->paths[WATCHED_TOKEN], TOKEN_FILE_MAX, &text, NULL) < 0)
        return; /* gone: ours is as good as before */
    const Slice token = slice_trim(buf_slice(&text));
    if (token_expiry(token) <= atomic_load(&k->stats.token_expiry))
        return;
    set_token(k, mem_dup(token.ptr, token.len));
    atomic_fetch_add(&k->stats.files_replaced, 1);
    log_info("replaced token is used");
}

/* --- The token ---------------------------------------------------------------------------------------------------- */

bool keeper_renew_token(Keeper *k)
{
    const TokenRenewal renewal = {.http = k->http,
                                  .api_url = k->api_url,
                                  .collector_id = k->collector_id,
                                  .token = k->token,
                                  .state_dir = k->state_dir};
    char *token = NULL;
    Err err = ERR_INIT;
    Err unwritten = ERR_INIT;
    const Usec now = clock_monotonic();
    k->token_try_at = now + TOKEN_RETRY_INTERVAL;
    if (token_renew(&renewal, &token, &unwritten, &err) < 0) {
        atomic_fetch_add(&k->stats.token_failures, 1);
        if (complain_due(&k->token_complain, now))
            log_warn("token could not be renewed", log_error_field(&err),
                     log_str("hint", "when it has ended, register this collector again"));
        return false;
    }
    (void)complain_recovered(&k->token_complain, now); /* the line below says it */
    set_token(k, token);
    (void)note_stamp(k, WATCHED_TOKEN); /* it is ours */
    atomic_fetch_add(&k->stats.tokens_renewed, 1);
    if (unwritten.code == ERR_NONE)
        log_info("token renewed");
    else
        log_warn("token renewed, but it could not be written: a restart will use the old one",
                 log_error_field(&unwritten));
    return true;
}

/* --- The certificate ---------------------------------------------------------------------------------------------- */

/* The next one is on the disk: from here on it is the one in use, whatever comes. */
static int use_renewed(Keeper *k, Err *reterr)
{
    Err unfinished = ERR_INIT;
    if (certificate_finish(k->state_dir, &unfinished) < 0)
        log_warn("renewed certificate is in renewed.pem and could not be put in its place yet",
                 log_error_field(&unfinished));
    free(k->paths[WATCHED_CERT]);
    free(k->paths[WATCHED_KEY]);
    certificate_files(k->state_dir, &k->paths[WATCHED_CERT], &k->paths[WATCHED_KEY]);
    (void)note_stamp(k, WATCHED_CERT);
    (void)note_stamp(k, WATCHED_KEY);
    return err_trace(use_files(k, reterr));
}

/* Asked for once: what cannot be written is kept, and only the writing is tried again. */
static int renew_certificate(Keeper *k, Err *reterr)
{
    if (k->pending.len == 0) {
        const CertificateRequest request = {
            .http = k->http, .api_url = k->api_url, .collector_id = k->collector_id, .token = k->token};
        const int r = certificate_request(&request, &k->pending, reterr);
        if (r < 0)
            return err_trace(r);
    }
    const int r = certificate_keep(k->state_dir, buf_slice(&k->pending), reterr);
    if (r < 0)
        return err_trace(r);
    buf_wipe(&k->pending);
    return err_trace(use_renewed(k, reterr));
}

static void try_renewal(Keeper *k, Usec now, Usec now_wall)
{
    Err err = ERR_INIT;
    if (renew_certificate(k, &err) == 0) {
        char ends[CLOCK_ISO_SIZE];
        clock_format_iso(k->not_after, ends);
        backoff_reset(&k->backoff);
        (void)complain_recovered(&k->certificate_complain, now); /* the line below says it */
        atomic_fetch_add(&k->stats.certificates_renewed, 1);
        log_info("certificate renewed", log_str("expires_at", ends));
        return;
    }
    atomic_fetch_add(&k->stats.certificate_failures, 1);
    const Usec share = (k->not_after - now_wall) / RETRY_SHARE; /* of what is left: the nearer, the more often */
    k->backoff.cap = share < RETRY_BASE ? RETRY_BASE : share < RETRY_CAP ? share : RETRY_CAP;
    k->try_at = now + TEND_LEAST + backoff_next(&k->backoff);
    if (complain_due(&k->certificate_complain, now))
        log_warn("certificate could not be renewed", log_error_field(&err),
                 log_int("days_left", (k->not_after - now_wall) / DAY));
}

/* At 30 and 7 days and at the end, once each. Where renewal works none is reached, however short the life. */
static void warn_of_end(Keeper *k, Usec now_wall)
{
    static const int64_t thresholds[] = {0, 7, 30};
    const Usec left = k->not_after - now_wall;
    for (size_t i = 0; i < ARRAY_LENGTH(thresholds); i++) {
        if (left > thresholds[i] * DAY)
            continue;
        if (thresholds[i] < k->warned) {
            k->warned = thresholds[i];
            log_warn(left > 0 ? "certificate ends soon" : "certificate has ended: the backend refuses all batches",
                     log_int("days_left", left > 0 ? left / DAY : 0), log_str("file", k->paths[WATCHED_CERT]),
                     log_str("hint", !k->renew_certificate ? "put a new certificate and its key in place of the files"
                                     : left > 0            ? "its renewal fails, see above"
                                                           : "register this collector again"));
        }
        return;
    }
}

static void tend_certificate(Keeper *k, Usec now, Usec now_wall)
{
    if (k->not_after == 0 || !certificate_is_due(k->not_before, k->not_after, now_wall))
        return;
    if (k->renew_certificate && now_wall < k->not_after && now >= k->try_at)
        try_renewal(k, now, now_wall);
    if (certificate_is_due(k->not_before, k->not_after, now_wall))
        warn_of_end(k, now_wall);
}

/* --- From outside ------------------------------------------------------------------------------------------------- */

Usec keeper_tend(Keeper *k, Usec now, Usec now_wall)
{
    take_replaced_files(k, now);
    take_replaced_token(k);
    tend_certificate(k, now, now_wall);
    if (token_is_due(atomic_load(&k->stats.token_expiry), now_wall) && now >= k->token_try_at)
        (void)keeper_renew_token(k); /* it complains itself; the present one still works */

    Usec next = now + TEND_INTERVAL;
    if (k->renew_certificate && k->not_after > now_wall) {
        const Usec due = certificate_due(k->not_before, k->not_after);
        const Usec renewal = due > now_wall ? now + (due - now_wall) : k->try_at;
        next = renewal < next ? renewal : next;
    }
    return next < now + TEND_LEAST ? now + TEND_LEAST : next;
}

HttpClient *keeper_http(const Keeper *k)
{
    return k->http;
}

const char *keeper_token(const Keeper *k)
{
    return k->token;
}

void keeper_abort(Keeper *k)
{
    http_client_abort(k->http);
}

const KeeperStats *keeper_stats(const Keeper *k)
{
    return &k->stats;
}

Keeper *keeper_free(Keeper *k)
{
    if (!k)
        return NULL;
    http_client_free(k->http);
    token_wipe(k->token);
    buf_wipe(&k->pending);
    for (Watched w = WATCHED_CA; w < _WATCHED_MAX; w++)
        free(k->paths[w]);
    free(k->api_url);
    free(k->collector_id);
    free(k->state_dir);
    free(k);
    return NULL;
}

static void init_paths(Keeper *k, const KeeperOptions *options)
{
    Buf token = BUF_INIT;
    buf_printf(&token, "%s/token", options->state_dir);
    k->paths[WATCHED_TOKEN] = buf_take(&token);
    k->paths[WATCHED_CA] = mem_strdup(options->ca_file);
    k->paths[WATCHED_CERT] = mem_strdup(options->cert_file);
    k->paths[WATCHED_KEY] = mem_strdup(options->key_file);
    for (Watched w = WATCHED_CA; w < _WATCHED_MAX; w++)
        (void)note_stamp(k, w);
}

int keeper_new(Keeper **ret, const KeeperOptions *options, Err *reterr)
{
    _cleanup_(keeper_freep) Keeper *k = mem_alloc(sizeof(*k));
    k->api_url = mem_strdup(options->api_url);
    k->collector_id = mem_strdup(options->collector_id);
    k->state_dir = mem_strdup(options->state_dir);
    k->renew_certificate = options->renew_certificate;
    k->backoff = (Backoff){.base = RETRY_BASE, .cap = RETRY_CAP};
    k->warned = INT64_MAX;
    set_token(k, mem_strdup(options->token));
    init_paths(k, options);
    const HttpClientOptions http = {.ca_file = options->ca_file,
                                    .cert_file = options->cert_file,
                                    .key_file = options->key_file,
                                    .verify = options->verify,
                                    .user_agent = "pganalytics/" COLLECTOR_VERSION};
    const int r = http_client_new(&k->http, &http, reterr);
    if (r < 0)
        return err_trace(r);
    TlsCertInfo info = {0};
    Err err = ERR_INIT;
    if (k->paths[WATCHED_CERT] && k->paths[WATCHED_KEY]) {
        if (read_pair(k, &info, &err) < 0)
            log_warn("certificate cannot be read", log_error_field(&err));
        else
            set_life(k, &info);
    }
    *ret = TAKE_PTR(k);
    return 0;
}
