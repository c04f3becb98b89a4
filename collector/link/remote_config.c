/* SPDX-License-Identifier: PostgreSQL */
/* See remote_config.h. Everything is under .lock, which is never held over a request or a write to disk. */
#include "collector/link/remote_config.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "collector/link/backend_answer.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "lib/catalog/collection.h"
#include "lib/io/file.h"

#define ASK_INTERVAL     (5 * 60 * USEC_PER_SEC)
#define ASK_INTERVAL_MIN (2 * USEC_PER_SEC) /* however much there is to ask for */

enum { ETAG_MAX = 120, REASON_MAX = 400, TRIALS_MAX = 3, FILE_MODE = 0600 };

typedef struct Document {
    Buf text;
    char etag[ETAG_MAX + 1]; /* without quotes; "" when there is none */
    int64_t version;
} Document;

struct RemoteConfig {
    char *good_path;
    char *trial_path;
    void (*on_document)(void *arg);
    void *arg;

    pthread_mutex_t lock;
    Document good;
    Document trial;
    Document pending; /* fetched, not looked at yet */
    bool in_trial;
    char seen[ETAG_MAX + 1]; /* of the last document that came; what is asked for must differ */
    int64_t seen_version;
    int64_t refused; /* 0: none */
    char reason[REASON_MAX + 1];
    bool report_due;
    char tried_etag[ETAG_MAX + 1]; /* of the mark on disk */
    unsigned tried;                /* how often without an end */

    Usec ask_at; /* monotonic */
    Usec asked_at;
    Backoff backoff;
    Complain complain;
};

static void set_text(char *to, size_t size, const char *text)
{
    (void)snprintf(to, size, "%s", text); /* cut to fit */
}

static void document_move(Document *to, Document *from)
{
    buf_done(&to->text);
    *to = *from;
    *from = (Document){.text = BUF_INIT};
}

/* "7-1a2b3c4d" is of version 7. */
static int64_t etag_version(const char *etag)
{
    Slice rest = slice_cstr(etag);
    int64_t version = 0;
    return slice_to_int64(slice_split(&rest, '-'), &version) && version > 0 ? version : 0;
}

/* Nothing that would break a header or a comment. */
static bool etag_is_plain(const char *etag)
{
    for (const char *c = etag; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_' && *c != '.')
            return false;
    }
    return etag[0] != '\0';
}

/* --- on disk ------------------------------------------------------------------------------------------------------ */

static char *path_of(const char *state_dir, const char *name)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", state_dir, name);
    return buf_take(&path);
}

RemoteConfig *remote_config_new(const char *state_dir, void (*on_document)(void *arg), void *arg)
{
    RemoteConfig *c = mem_alloc(sizeof(*c));
    c->good_path = path_of(state_dir, "remote-config.toml");
    c->trial_path = path_of(state_dir, "remote-config.trial");
    c->on_document = on_document;
    c->arg = arg;
    c->backoff = (Backoff){.base = 5 * USEC_PER_SEC, .cap = ASK_INTERVAL};
    (void)pthread_mutex_init(&c->lock, NULL); /* cannot fail without attributes */
    return c;
}

RemoteConfig *remote_config_free(RemoteConfig *c)
{
    if (!c)
        return NULL;
    if (c->in_trial) /* we end because we were told to, not because of the trial */
        (void)unlink(c->trial_path);
    buf_done(&c->good.text);
    buf_done(&c->trial.text);
    buf_done(&c->pending.text);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->good_path);
    free(c->trial_path);
    free(c);
    return NULL;
}

static const char HEAD[] = "# configuration ";

static int load_good(RemoteConfig *c, Err *reterr)
{
    if (!file_exists(c->good_path))
        return 0;
    _cleanup_buf_ Buf text = BUF_INIT;
    Document d = {.text = BUF_INIT};
    int r = file_read_all(c->good_path, COLLECTION_DOCUMENT_MAX + 1024, &text, reterr);
    if (r < 0)
        return err_trace(r);
    Slice rest = buf_slice(&text);
    Slice head = slice_split(&rest, '\n');
    if (slice_starts_with(head, slice_cstr(HEAD)) && head.len < sizeof(HEAD) + ETAG_MAX) {
        (void)snprintf(d.etag, sizeof(d.etag), "%.*s", SLICE_ARG(slice_skip(head, sizeof(HEAD) - 1))); /* fits */
        d.version = etag_version(d.etag);
    }
    if (d.version == 0 || !etag_is_plain(d.etag))
        return err_set(reterr, ERR_CORRUPT, "%s does not begin with its version", c->good_path);
    buf_append(&d.text, rest.ptr ? rest : SLICE_LIT(""));
    document_move(&c->good, &d);
    return 0;
}

/* "etag count" of a trial that had no end. */
static void load_mark(RemoteConfig *c)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int64_t tried = 0;
    if (!file_exists(c->trial_path) || file_read_all(c->trial_path, 1024, &text, NULL) < 0)
        return;
    Slice rest = slice_trim(buf_slice(&text));
    Slice etag = slice_split(&rest, ' ');
    if (etag.len == 0 || etag.len > ETAG_MAX || !slice_to_int64(rest, &tried) || tried < 1)
        return;
    (void)snprintf(c->tried_etag, sizeof(c->tried_etag), "%.*s", SLICE_ARG(etag)); /* fits */
    c->tried = tried < TRIALS_MAX ? (unsigned)tried : TRIALS_MAX;
}

int remote_config_load(RemoteConfig *c, Err *reterr)
{
    load_mark(c);
    int r = load_good(c, reterr);
    set_text(c->seen, sizeof(c->seen), c->good.etag);
    c->seen_version = c->good.version;
    c->report_due = true;
    return err_trace(r);
}

/* Version 0 is the backend's word for "none": nothing is kept of it. */
static void save_good(const char *path, const Document *d)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    Err err = ERR_INIT;
    if (d->version == 0) {
        (void)unlink(path);
        return;
    }
    buf_printf(&text, "%s%s\n", HEAD, d->etag);
    buf_append(&text, buf_slice(&d->text));
    if (file_write_atomic(path, FILE_MODE, buf_slice(&text), &err) < 0)
        log_warn("configuration could not be kept: it is asked for again at the next start", log_error_field(&err));
}

static void save_mark(const char *path, const char *etag, unsigned tried)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    Err err = ERR_INIT;
    buf_printf(&text, "%s %u\n", etag, tried);
    if (file_write_atomic(path, FILE_MODE, buf_slice(&text), &err) < 0)
        log_warn("the trial of a configuration could not be noted", log_error_field(&err));
}

/* --- trying ------------------------------------------------------------------------------------------------------- */

int64_t remote_config_current(RemoteConfig *c, Buf *ret)
{
    (void)pthread_mutex_lock(&c->lock);
    const Document *d = c->in_trial ? &c->trial : &c->good;
    buf_append(ret, buf_slice(&d->text));
    int64_t version = d->version;
    (void)pthread_mutex_unlock(&c->lock);
    return version;
}

static void refuse(RemoteConfig *c, int64_t version, const char *reason)
{
    c->refused = version;
    set_text(c->reason, sizeof(c->reason), reason);
    c->report_due = true;
}

bool remote_config_try(RemoteConfig *c)
{
    char etag[ETAG_MAX + 1] = "";
    unsigned tried = 0;
    (void)pthread_mutex_lock(&c->lock);
    bool is_there = c->pending.etag[0] != '\0';
    if (is_there) {
        document_move(&c->trial, &c->pending);
        c->in_trial = true;
        tried = strcmp(c->tried_etag, c->trial.etag) == 0 ? c->tried + 1 : 1;
        set_text(c->tried_etag, sizeof(c->tried_etag), c->trial.etag);
        set_text(etag, sizeof(etag), c->trial.etag);
        c->tried = tried;
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (is_there && tried > TRIALS_MAX) {
        remote_config_refuse(c, "the collector ended three times while it tried this version");
        return false;
    }
    if (is_there)
        save_mark(c->trial_path, etag, tried);
    return is_there;
}

static void end_trial(RemoteConfig *c)
{
    c->in_trial = false;
    c->tried = 0;
    c->tried_etag[0] = '\0';
    c->report_due = true;
}

void remote_config_accept(RemoteConfig *c)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    Document kept = {.text = BUF_INIT};
    (void)pthread_mutex_lock(&c->lock);
    document_move(&c->good, &c->trial);
    end_trial(c);
    c->refused = 0;
    buf_append(&kept.text, buf_slice(&c->good.text));
    kept.version = c->good.version;
    set_text(kept.etag, sizeof(kept.etag), c->good.etag);
    log_info("configuration is in force", log_int("version", c->good.version));
    (void)pthread_mutex_unlock(&c->lock);
    save_good(c->good_path, &kept);
    buf_done(&kept.text);
    (void)unlink(c->trial_path);
}

void remote_config_refuse(RemoteConfig *c, const char *reason)
{
    (void)pthread_mutex_lock(&c->lock);
    log_fail("configuration is refused, the one before is in force", log_int("version", c->trial.version),
             log_int("in_force", c->good.version), log_str("reason", reason));
    refuse(c, c->trial.version, reason);
    end_trial(c);
    (void)pthread_mutex_unlock(&c->lock);
    (void)unlink(c->trial_path);
}

void remote_config_reject_good(RemoteConfig *c, const char *reason)
{
    (void)pthread_mutex_lock(&c->lock);
    refuse(c, c->good.version, reason);
    document_move(&c->good, &(Document){.text = BUF_INIT});
    (void)pthread_mutex_unlock(&c->lock);
}

void remote_config_retry(RemoteConfig *c)
{
    (void)pthread_mutex_lock(&c->lock);
    if (c->refused != 0) {
        c->refused = 0;
        set_text(c->seen, sizeof(c->seen), c->good.etag);
        c->ask_at = 0;
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

bool remote_config_is_due(RemoteConfig *c, Usec now, int64_t announced)
{
    (void)pthread_mutex_lock(&c->lock);
    bool wanted = c->report_due || now >= c->ask_at || (announced >= 0 && announced != c->seen_version);
    bool is_due = wanted && (c->asked_at == 0 || now >= c->asked_at + ASK_INTERVAL_MIN) &&
                  (c->backoff.attempt == 0 || now >= c->ask_at);
    (void)pthread_mutex_unlock(&c->lock);
    return is_due;
}

static void append_encoded(Buf *out, const char *text)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (isalnum(*p) || *p == '-' || *p == '.' || *p == '_') {
            buf_append_char(out, (char)*p);
            continue;
        }
        buf_append_char(out, '%');
        buf_append_char(out, HEX[*p >> 4]);
        buf_append_char(out, HEX[*p & 15]);
    }
}

/* What is said of the versions that came; the caller sends it. */
static void write_question(RemoteConfig *c, const RemoteAsk *ask, Buf *url, Buf *tag)
{
    (void)pthread_mutex_lock(&c->lock);
    buf_printf(url, "%s/api/v1/config/%s?applied=%lld", ask->api_url, ask->collector_id, (long long)c->good.version);
    if (c->refused > 0) {
        buf_printf(url, "&refused=%lld&reason=", (long long)c->refused);
        append_encoded(url, c->reason);
    }
    if (c->seen[0])
        buf_printf(tag, "If-None-Match: \"%s\"", c->seen);
    c->report_due = false;
    (void)pthread_mutex_unlock(&c->lock);
}

static int send_question(RemoteConfig *c, const RemoteAsk *ask, HttpAnswer *ret, Err *reterr)
{
    _cleanup_buf_ Buf url = BUF_INIT, tag = BUF_INIT, authorization = BUF_INIT;
    write_question(c, ask, &url, &tag);
    buf_printf(&authorization, "Authorization: Bearer %s", ask->token);
    const char *const headers[] = {buf_cstr(&authorization), tag.len > 0 ? buf_cstr(&tag) : NULL, NULL};
    const HttpClientRequest request = {.method = "GET", .url = buf_cstr(&url), .headers = headers};
    int r = http_client_send(ask->http, &request, ret, reterr);
    explicit_bzero(authorization.ptr, authorization.len);
    return err_trace(r);
}

/* A document of the backend. False: it is not one of ours (a proxy's page with status 200 has no such tag). */
static bool take_document(RemoteConfig *c, const HttpAnswer *answer)
{
    Slice quoted = slice_cstr(answer->etag);
    if (slice_starts_with(quoted, SLICE_LIT("W/")))
        quoted = slice_skip(quoted, 2);
    if (quoted.len < 3 || quoted.len > ETAG_MAX || quoted.ptr[0] != '"')
        return false;
    Document d = {.text = BUF_INIT};
    (void)snprintf(d.etag, sizeof(d.etag), "%.*s", (int)quoted.len - 2, quoted.ptr + 1); /* fits */
    if (!etag_is_plain(d.etag))
        return false;
    d.version = etag_version(d.etag);
    buf_append(&d.text, buf_slice(&answer->body));

    (void)pthread_mutex_lock(&c->lock);
    set_text(c->seen, sizeof(c->seen), d.etag);
    c->seen_version = d.version;
    bool is_new = strcmp(d.etag, c->good.etag) != 0 && (d.version > 0 || c->good.version > 0);
    if (is_new)
        document_move(&c->pending, &d);
    (void)pthread_mutex_unlock(&c->lock);
    buf_done(&d.text);
    if (is_new)
        c->on_document(c->arg);
    return true;
}

/* 404 without our words: a backend that has no configurations. */
static int judge(RemoteConfig *c, const HttpAnswer *answer, Err *reterr)
{
    if (answer->status == 304)
        return 0;
    if (answer->status == 200 && take_document(c, answer))
        return 0;
    return backend_error_set(reterr, "asking for the configuration", answer);
}

void remote_config_ask(RemoteConfig *c, const RemoteAsk *ask, Usec now)
{
    _cleanup_(http_answer_donep) HttpAnswer answer = HTTP_ANSWER_INIT;
    Err err = ERR_INIT;
    int r = send_question(c, ask, &answer, &err);
    if (r >= 0)
        r = judge(c, &answer, &err);

    (void)pthread_mutex_lock(&c->lock);
    c->asked_at = now;
    if (r >= 0) {
        backoff_reset(&c->backoff);
        c->ask_at = now + ASK_INTERVAL + (Usec)random_below(ASK_INTERVAL / 5);
        (void)complain_recovered(&c->complain, now); /* so that the next one is told at once */
    } else {
        c->report_due = true;
        c->ask_at = now + USEC_PER_SEC + backoff_next(&c->backoff);
        if (complain_due(&c->complain, now))
            log_warn("configuration could not be asked for, the last good one is in force", log_error_field(&err));
    }
    (void)pthread_mutex_unlock(&c->lock);
}
