/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server. Start: store, migrations, certificate authority, ingest, maintenance, listener; each says what it did.
 * End: the listener drains, what was accepted is written, then the parts go in the opposite order. Signals are blocked
 * before the first thread starts and taken by the main thread alone, between waits.
 */
#include "backend/serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "backend/api/routes.h"
#include "backend/auth/access.h"
#include "backend/auth/auth.h"
#include "backend/auth/ca.h"
#include "backend/context.h"
#include "backend/http/listener.h"
#include "backend/ingest/ingest.h"
#include "backend/store/maintenance.h"
#include "backend/user_admin.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/io/file.h"

typedef struct Server {
    Program *program;
    Seal seal;
    Ca *ca;
    Auth *auth;
    Ingest *ingest;
    Maintenance *maintenance;
    HttpListener *listener;
    Backend context; /* what handlers see */
    Usec renew_at;   /* wall: when our own CA's server certificate is made anew; USEC_NEVER with files */
    sigset_t signals;
} Server;

enum { PEM_MAX = 1 << 20 };
static const Usec look_interval = 60 * USEC_PER_SEC;
static const Usec migrate_timeout = 600 * USEC_PER_SEC;
static const Usec query_timeout = 10 * USEC_PER_SEC;

static void block_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, ret, NULL);
}

/* The signal that came within @timeout; 0: none. */
static int wait_signal(const Server *s, Usec timeout)
{
    const struct timespec time = {.tv_sec = timeout / USEC_PER_SEC, .tv_nsec = timeout % USEC_PER_SEC * 1000};
    int signal = sigtimedwait(&s->signals, NULL, &time);
    return signal > 0 ? signal : 0;
}

static bool is_end(int signal)
{
    return signal == SIGTERM || signal == SIGINT;
}

/* --- the server certificate --------------------------------------------------------------------------------------- */

typedef struct ServerCertificate {
    Buf certificate_pem;
    Buf key_pem;
    Usec not_before;
    Usec not_after;
} ServerCertificate;

static void certificate_done(ServerCertificate *c)
{
    buf_done(&c->certificate_pem);
    if (c->key_pem.ptr)
        explicit_bzero(c->key_pem.ptr, c->key_pem.len);
    buf_done(&c->key_pem);
}

static int read_certificate(const Server *s, ServerCertificate *ret, Err *reterr)
{
    const BackendSettings *settings = &s->program->settings;
    int r;
    if (settings->tls_cert[0] != '\0') {
        r = file_read_all(settings->tls_cert, PEM_MAX, &ret->certificate_pem, reterr);
        if (r == 0)
            r = file_read_all(settings->tls_key, PEM_MAX, &ret->key_pem, reterr);
    } else {
        char host[256] = "localhost";
        (void)gethostname(host, sizeof host - 1);
        _cleanup_buf_ Buf names = BUF_INIT;
        buf_printf(&names, "%s,%s", settings->tls_names, host);
        r = ca_issue_server(s->ca, buf_cstr(&names), clock_wall(), &ret->certificate_pem, &ret->key_pem, reterr);
    }
    if (r < 0)
        return r;
    TlsCertInfo info;
    r = tls_cert_read(buf_slice(&ret->certificate_pem), &info, reterr);
    ret->not_before = info.not_before;
    ret->not_after = info.not_after;
    return r;
}

static void note_certificate(Server *s, const ServerCertificate *c)
{
    bool issued = s->program->settings.tls_cert[0] == '\0';
    s->renew_at = issued ? c->not_before + (c->not_after - c->not_before) / 3 * 2 : USEC_NEVER;
    char until[CLOCK_ISO_SIZE];
    clock_format_iso(c->not_after, until);
    log_info("server certificate", log_str("from", issued ? "built-in CA" : s->program->settings.tls_cert),
             log_str("valid_until", until));
}

static void renew_certificate(Server *s)
{
    if (!s->program->settings.tls_enabled)
        return;
    Err err = ERR_INIT;
    ServerCertificate c = {0};
    int r = read_certificate(s, &c, &err);
    if (r == 0)
        r = http_listener_set_certificate(s->listener, buf_slice(&c.certificate_pem), buf_slice(&c.key_pem), &err);
    if (r == 0)
        note_certificate(s, &c);
    else
        log_fail("the server certificate stays as it was", log_error_field(&err));
    certificate_done(&c);
}

/* --- start -------------------------------------------------------------------------------------------------------- */

enum { MIGRATED, SIGNALLED }; /* results of starting */

/* Waits for a store that is away: it may start after us. */
static int migrate(Server *s, Err *reterr)
{
    Backoff backoff = {.base = USEC_PER_SEC / 2, .cap = 10 * USEC_PER_SEC};
    Complain complain = {0};
    for (;;) {
        Err err = ERR_INIT;
        int r = store_migrate(s->program->store, clock_monotonic() + migrate_timeout, &err);
        if (r == 0)
            return MIGRATED;
        if (err.code != ERR_CONNECT && err.code != ERR_UNAVAILABLE) {
            *reterr = err;
            return r;
        }
        if (complain_due(&complain, clock_monotonic()))
            log_warn("the store is away: waiting for it", log_error_field(&err));
        if (is_end(wait_signal(s, backoff_next(&backoff))))
            return SIGNALLED;
    }
}

static int open_ca(Server *s, Err *reterr)
{
    const BackendSettings *settings = &s->program->settings;
    seal_init(&s->seal, settings->encryption_key_bytes);
    const CaOptions options = {.cert_file = settings->ca_cert,
                               .key_file = settings->ca_key,
                               .store = s->program->store,
                               .seal = &s->seal,
                               .data_dir = settings->data_dir,
                               .now = clock_wall(),
                               .client_lifetime = settings->cert_lifetime};
    int r = dir_ensure(settings->data_dir, 0700, reterr);
    return r < 0 ? r : ca_open(&s->ca, &options, reterr);
}

static int start_workers(Server *s, Err *reterr)
{
    const BackendSettings *settings = &s->program->settings;
    const AuthOptions auth = {.jwt_secret = settings->jwt_secret,
                              .jwt_secret_previous = settings->jwt_secret_previous,
                              .registration_secret = settings->registration_secret,
                              .scrape_token = settings->scrape_token};
    s->auth = auth_new(&auth);
    const IngestOptions ingest = {.store = s->program->store,
                                  .catalog = s->program->catalog,
                                  .retention = settings->retention_raw,
                                  .writers = settings->ingest_writers,
                                  .queue_batches = settings->ingest_queue};
    int r = ingest_new(&s->ingest, &ingest, reterr);
    return r < 0 ? r : maintenance_start(&s->maintenance, s->program->store, reterr);
}

static int start_listener(Server *s, Err *reterr)
{
    const BackendSettings *settings = &s->program->settings;
    s->context = (Backend){.settings = settings,
                           .catalog = s->program->catalog,
                           .store = s->program->store,
                           .ca = s->ca,
                           .auth = s->auth,
                           .ingest = s->ingest};
    ServerCertificate c = {0};
    int r = settings->tls_enabled ? read_certificate(s, &c, reterr) : 0;
    if (r == 0) {
        const HttpListenerOptions options = {
            .routes = backend_routes,
            .route_count = backend_route_count,
            .on_access = auth_check_access,
            .backend = &s->context,
            .address = settings->listen_address,
            .port = settings->port,
            .tls = settings->tls_enabled,
            .certificate_pem = buf_slice(&c.certificate_pem),
            .key_pem = buf_slice(&c.key_pem),
            /* not from a certificate of our own: browsers would hold every localhost to it for a year */
            .hsts = settings->environment == ENVIRONMENT_PRODUCTION,
            .client_ca_pem = ca_certificate_pem(s->ca),
            .cors_origins = settings->cors_origins,
            .trusted_proxies = settings->trusted_proxies,
            .client_cert_header = settings->client_cert_header,
            .workers = settings->workers,
            .connections_max = settings->max_connections,
            .connections_per_address = settings->max_connections_per_address,
            .handler_timeout = settings->request_timeout,
        };
        r = http_listener_start(&s->listener, &options, reterr);
    }
    s->renew_at = USEC_NEVER;
    if (r == 0 && settings->tls_enabled)
        note_certificate(s, &c);
    certificate_done(&c);
    return r;
}

static void say_listening(const Server *s)
{
    const BackendSettings *settings = &s->program->settings;
    const char *host = settings->listen_address[0] ? settings->listen_address : "localhost";
    bool v6 = strchr(host, ':') != NULL;
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%s://%s%s%s:%u/", settings->tls_enabled ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "",
               http_listener_port(s->listener));
    log_info("listening", log_str("url", buf_cstr(&url)),
             log_str("environment", environment_to_string(settings->environment)));
}

/* MIGRATED: everything runs. SIGNALLED: asked to end before that. */
static int start(Server *s, Err *reterr)
{
    Program *p = s->program;
    log_info("starting", log_str("store", p->settings.database_url[0] ? "DATABASE_URL" : "private cluster"));
    int r = settings_ensure_secrets(&p->settings, reterr);
    if (r == 0)
        r = program_open_store(p, PROGRAM_SERVER, reterr);
    if (r == 0)
        r = migrate(s, reterr);
    if (r != MIGRATED)
        return r;
    r = user_admin_ensure_first(p->store, p->settings.admin_login, p->settings.admin_password,
                                clock_monotonic() + query_timeout, reterr);
    if (r >= 0)
        r = open_ca(s, reterr);
    if (r >= 0)
        r = start_workers(s, reterr);
    if (r >= 0)
        r = start_listener(s, reterr);
    if (r < 0)
        return r;
    say_listening(s);
    return MIGRATED;
}

/* --- run and end -------------------------------------------------------------------------------------------------- */

static void reload(Server *s)
{
    Program *p = s->program;
    BackendSettings fresh;
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    _cleanup_buf_ Buf restart = BUF_INIT;
    Err err = ERR_INIT;
    int r = settings_read(&fresh, &p->source, &faults, &warnings, &err);
    if (r == 0)
        r = settings_ensure_secrets(&fresh, &err);
    if (r == 0) {
        settings_reload(&p->settings, &fresh, &restart);
        log_set_level(p->settings.log_level);
        log_info("settings read again", log_str("log_level", log_level_to_string(p->settings.log_level)));
        if (restart.len > 0)
            log_warn("some settings need a restart", log_slice("keys", buf_slice(&restart)));
        settings_done(&fresh);
    } else {
        log_fail("the settings stay as they were", log_error_field(&err));
    }
    renew_certificate(s);
}

static void run(Server *s)
{
    for (;;) {
        int signal = wait_signal(s, look_interval);
        if (is_end(signal)) {
            log_info("stopping", log_str("signal", strsignal(signal)));
            return;
        }
        if (signal == SIGHUP)
            reload(s);
        else if (clock_wall() >= s->renew_at)
            renew_certificate(s);
    }
}

static void stop(Server *s)
{
    if (s->listener)
        http_listener_stop(s->listener, s->program->settings.shutdown_timeout);
    s->ingest = ingest_free(s->ingest); /* writes what waits and finishes its requests: the listener waits for them */
    s->listener = http_listener_free(s->listener);
    s->maintenance = maintenance_stop(s->maintenance);
    s->auth = auth_free(s->auth);
    s->ca = ca_free(s->ca);
    seal_done(&s->seal);
}

int serve_run(Program *p)
{
    Server s = {.program = p};
    block_signals(&s.signals);
    Err err = ERR_INIT;
    int r = start(&s, &err);
    if (r < 0)
        (void)program_fail("the backend cannot start", &err);
    else if (s.listener)
        run(&s);
    stop(&s);
    if (r >= 0)
        log_info("stopped");
    return r < 0 ? EXIT_FAILED : EXIT_WELL;
}
