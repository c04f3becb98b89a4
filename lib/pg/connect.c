/* SPDX-License-Identifier: PostgreSQL */
/*
 * Opening a connection. libpq's asynchronous connect has no time limit per host, so several hosts are tried here one by
 * one, each with its share of the time that is left: a host that accepts and then hangs does not hide the next one.
 * Messages are made fit to be logged: no password, no LOCATION line. The caller's thread; name resolution blocks in it.
 */
#include <errno.h>
#include <linux/tcp.h> /* the C library's description of TCP_INFO ends before tcpi_min_rtt */
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/pg/conn_private.h"

enum { PARAMS_MAX = 16, HOSTS_MAX = 16, CONNECT_TIMEOUT_S = 10 };

typedef struct Params {
    const char *names[PARAMS_MAX];
    const char *values[PARAMS_MAX];
    size_t count;
} Params;

static void params_add(Params *p, const char *name, const char *value)
{
    if (!value || p->count + 1 >= PARAMS_MAX) /* room for the NULL that ends the list; all callers are below */
        return;
    p->names[p->count] = name;
    p->values[p->count++] = value;
}

static const char *find_option(const PQconninfoOption *options, const char *name)
{
    for (const PQconninfoOption *o = options; o && o->keyword; o++) {
        if (strcmp(o->keyword, name) == 0 && o->val && *o->val)
            return o->val;
    }
    return NULL;
}

/* " -c name=value" for each setting, behind what the user already asks for. Spaces and backslashes are escaped. */
static void append_settings(Buf *out, const char *users, const char *const *settings)
{
    if (users)
        buf_append_cstr(out, users);
    for (const char *const *s = settings; s && *s; s++) {
        buf_append_cstr(out, out->len ? " -c " : "-c ");
        for (const char *at = *s; *at; at++) {
            if (*at == ' ' || *at == '\\')
                buf_append_char(out, '\\');
            buf_append_char(out, *at);
        }
    }
}

static void append_without(Buf *out, Slice text, const char *secret)
{
    Slice needle = slice_cstr(secret);
    for (ptrdiff_t at; needle.len > 0 && (at = slice_find(text, needle)) >= 0;) {
        buf_append(out, slice_from(text.ptr, (size_t)at));
        buf_append_cstr(out, "********");
        text = slice_skip(text, (size_t)at + needle.len);
    }
    buf_append(out, text);
}

/* libpq's message in verbose form, "... FATAL:  28P01: text\nLOCATION:  ...": takes the SQLSTATE out, joins the lines.
 */
static void append_message(Buf *out, const char *message, const char *password, char ret_sqlstate[6])
{
    Slice text = slice_cstr(message);
    ptrdiff_t location = slice_find(text, SLICE_LIT("\nLOCATION:"));
    if (location >= 0)
        text.len = (size_t)location;
    text = slice_trim(text);

    _cleanup_buf_ Buf plain = BUF_INIT;
    for (size_t i = 0; i < text.len; i++) {
        size_t state = strspn(text.ptr + i, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        bool is_state = i >= 3 && memcmp(text.ptr + i - 3, ":  ", 3) == 0 && state == 5 && text.len - i > 7 &&
                        memcmp(text.ptr + i + 5, ": ", 2) == 0;
        if (is_state) {
            memcpy(ret_sqlstate, text.ptr + i, 5);
            ret_sqlstate[5] = '\0';
            i += 6;
        } else if (text.ptr[i] == '\n' || text.ptr[i] == '\t') {
            buf_append_cstr(&plain, text.ptr[i] == '\n' ? "; " : "");
        } else {
            buf_append_char(&plain, text.ptr[i]);
        }
    }
    append_without(out, buf_slice(&plain), password);
}

/* The shortest way there and back that was seen; 0 where there is no network in between. */
static Usec journey(const PGconn *pg)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    if (getsockopt(PQsocket(pg), IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || info.tcpi_min_rtt == UINT32_MAX)
        return 0;
    return info.tcpi_min_rtt;
}

/* Drives the handshake to its end: true, connected; false, failed or out of time (*ret_late). *ret_cost: how long the
 * server took for its answers, their journeys taken off. */
static bool poll_handshake(PGconn *pg, Usec deadline, Usec *ret_cost, bool *ret_late)
{
    for (PostgresPollingStatusType want = PGRES_POLLING_WRITING;;) {
        if (want == PGRES_POLLING_OK)
            return true;
        if (want == PGRES_POLLING_FAILED)
            return false;
        const Usec now = clock_monotonic(), left = deadline - now;
        struct pollfd fd = {.fd = PQsocket(pg), .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        /* Looked at even when it is too late: then it may be us who were. */
        int n = poll(&fd, 1, left <= 0 ? 0 : (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
        if (n == 0) {
            *ret_late = true;
            return false;
        }
        const Usec cost = clock_monotonic() - now - journey(pg);
        if (want == PGRES_POLLING_READING && cost > 0)
            *ret_cost += cost;
        if (n > 0 || errno != EINTR)
            want = PQconnectPoll(pg);
    }
}

/* What is asked of one attempt, over all hosts. */
typedef struct Attempt {
    const PgConnOptions *options;
    const PQconninfoOption *given, *defaults;
    const char *password;
    Usec deadline;
    Buf reasons; /* of each host that failed */
    char sqlstate[6];
    Usec cost; /* of those that answered: see pg_conn_connect_cost() */
} Attempt;

static void ignore_notice(void *arg, const PGresult *notice)
{
    (void)arg, (void)notice; /* else libpq writes it to our standard error */
}

/* One host (or libpq's own choice). On failure appends the reason to the attempt's. */
static PGconn *connect_once(Attempt *a, const Params *params, Usec deadline)
{
    PGconn *pg = PQconnectStartParams(params->names, params->values, 1);
    if (!pg) {
        buf_append_cstr(&a->reasons, "not enough memory");
        return NULL;
    }
    PQsetErrorVerbosity(pg, PQERRORS_VERBOSE); /* the only way to learn the SQLSTATE of a refused connection */
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    bool late = false;
    if (PQstatus(pg) != CONNECTION_BAD && poll_handshake(pg, deadline, &a->cost, &late)) {
        PQsetErrorVerbosity(pg, PQERRORS_DEFAULT);
        return pg;
    }

    if (a->reasons.len)
        buf_append_cstr(&a->reasons, "; ");
    if (late) {
        const char *host = PQhost(pg);
        buf_printf(&a->reasons, "connection to \"%s\" port %s: no answer in time", host ? host : "", PQport(pg));
    } else {
        append_message(&a->reasons, PQerrorMessage(pg), a->password, a->sqlstate);
    }
    PQfinish(pg);
    return NULL;
}

/* The host, hostaddr and port lists of @given (or the environment), cut at commas. */
typedef struct HostList {
    Arena *arena;
    const char *host[HOSTS_MAX], *hostaddr[HOSTS_MAX], *port[HOSTS_MAX];
    size_t count;
} HostList;

static size_t split_list(Arena *arena, const char *list, const char *ret[HOSTS_MAX])
{
    size_t n = 0;
    for (Slice rest = slice_cstr(list); rest.ptr && n < HOSTS_MAX;)
        ret[n++] = arena_dup(arena, slice_split(&rest, ',')).ptr;
    return n;
}

static void host_list_fill(HostList *l, const PQconninfoOption *given, const PQconninfoOption *defaults)
{
    const char *lists[3];
    static const char *const names[3] = {"host", "hostaddr", "port"};
    for (size_t i = 0; i < 3; i++) {
        lists[i] = find_option(given, names[i]);
        if (!lists[i])
            lists[i] = find_option(defaults, names[i]);
    }
    size_t hosts = split_list(l->arena, lists[0], l->host);
    size_t addresses = split_list(l->arena, lists[1], l->hostaddr);
    size_t ports = split_list(l->arena, lists[2], l->port);
    l->count = hosts > addresses ? hosts : addresses;
    for (size_t i = ports; ports > 0 && i < l->count; i++)
        l->port[i] = l->port[ports - 1];
}

/* Every host in turn. "prefer-standby" over single hosts means: a standby among all of them, else any. */
static PGconn *connect_hosts(Attempt *a, const Params *base, const HostList *hosts, const char *target)
{
    bool prefer = target && strcmp(target, "prefer-standby") == 0;
    for (int pass = 0; pass < (prefer ? 2 : 1); pass++) {
        for (size_t i = 0; i < hosts->count; i++) {
            Params p = *base;
            params_add(&p, "host", hosts->host[i]);
            params_add(&p, "hostaddr", hosts->hostaddr[i]);
            params_add(&p, "port", hosts->port[i]);
            if (prefer)
                params_add(&p, "target_session_attrs", pass == 0 ? "standby" : "any");
            Usec now = clock_monotonic();
            Usec share = (a->deadline - now) / (Usec)(hosts->count - i + (prefer && pass == 0 ? hosts->count : 0));
            PGconn *pg = connect_once(a, &p, now + share);
            if (pg)
                return pg;
        }
    }
    return NULL;
}

/* The caller's, else the connection string's, else ours. */
static Usec connect_timeout(const PgConnOptions *options, const PQconninfoOption *given)
{
    if (options->connect_timeout > 0)
        return options->connect_timeout;
    int64_t seconds = 0;
    if (slice_to_int64(slice_cstr(find_option(given, "connect_timeout")), &seconds) && seconds > 0 && seconds <= 3600)
        return seconds * USEC_PER_SEC;
    return CONNECT_TIMEOUT_S * USEC_PER_SEC;
}

static void conninfo_freep(PQconninfoOption **o)
{
    PQconninfoFree(*o);
}

/* libpq asks whether the session is read only, which ours are by our own setting: what is meant is the server's role.
 */
static const char *target_role(const char *target, const char *const *settings)
{
    for (const char *const *s = settings; target && s && *s; s++) {
        if (strcmp(*s, "default_transaction_read_only=on") != 0)
            continue;
        if (strcmp(target, "read-write") == 0)
            return "primary";
        if (strcmp(target, "read-only") == 0)
            return "standby";
    }
    return target;
}

static PGconn *attempt(Attempt *a, bool with_settings)
{
    const PgConnOptions *options = a->options;
    _cleanup_buf_ Buf settings = BUF_INIT;
    const char *users_options = find_option(a->given, "options");
    const char *const *ours = with_settings ? options->settings : NULL;
    append_settings(&settings, users_options ? users_options : find_option(a->defaults, "options"), ours);
    const char *target = find_option(a->given, "target_session_attrs");
    target = target_role(target ? target : find_option(a->defaults, "target_session_attrs"), ours);

    /* libpq: the last value of a keyword that is not empty wins, so what stands before dbname can be overridden. */
    Params params = {0};
    params_add(&params, "keepalives_idle", "60");
    params_add(&params, "fallback_application_name", "pganalytics");
    params_add(&params, "dbname", options->conninfo ? options->conninfo : "");
    params_add(&params, "dbname", options->database);
    params_add(&params, "password", options->password);
    params_add(&params, "application_name", options->application_name);
    params_add(&params, "client_encoding", "UTF8");
    params_add(&params, "options", settings.len ? buf_cstr(&settings) : NULL);
    params_add(&params, "target_session_attrs", target);

    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HostList hosts = {.arena = arena};
    host_list_fill(&hosts, a->given, a->defaults);
    buf_clear(&a->reasons);
    a->sqlstate[0] = '\0';
    return hosts.count > 1 ? connect_hosts(a, &params, &hosts, target) : connect_once(a, &params, a->deadline);
}

/* Poolers refuse `options` as a violation of the protocol or as a feature they lack; no server refuses ours so. */
static bool is_refusal_of_options(const Attempt *a)
{
    return strcmp(a->sqlstate, "08P01") == 0 || strcmp(a->sqlstate, "0A000") == 0;
}

/* A pooler that took the options may have ignored them. It gives every client a process id that it made up. */
static int look_at_route(PgConn *c, const Attempt *a, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    /* As long again: of a busy server, which has let us in, nothing may be left, and a cancel is a line in its log. */
    PgQuery query = {.sql = "select pg_catalog.pg_backend_pid()",
                     .shape = PG_SHAPE_ONE,
                     .timeout = connect_timeout(a->options, a->given)};
    int r = pg_conn_query_plain(c, &query, &row, reterr);
    if (r < 0)
        return err_trace(r);
    int64_t pid = 0;
    if (!slice_to_int64(slice_cstr(PQgetvalue(row, 0, 0)), &pid) || pid != pg_conn_backend_pid(c))
        pg_conn_wrap(c, a->options->settings);
    return 0;
}

static int open_parsed(PgConn **ret, Attempt *a, Err *reterr)
{
    bool pooled = a->options->route == PG_ROUTE_POOLED;
    PGconn *pg = attempt(a, !pooled);
    if (!pg && a->options->route == PG_ROUTE_LOOK && is_refusal_of_options(a)) {
        pooled = true;
        pg = attempt(a, false);
    }
    if (!pg) {
        int r = err_set(reterr, ERR_CONNECT, "%s", buf_cstr(&a->reasons));
        if (reterr)
            memcpy(reterr->sqlstate, a->sqlstate, sizeof(a->sqlstate));
        return err_trace(r);
    }
    _cleanup_(pg_conn_closep) PgConn *c = pg_conn_adopt(pg);
    c->connect_cost = a->cost;
    if (pooled) {
        pg_conn_wrap(c, a->options->settings);
    } else if (a->options->route == PG_ROUTE_LOOK) {
        int r = look_at_route(c, a, reterr);
        if (r < 0)
            return err_trace(r);
    }
    *ret = TAKE_PTR(c);
    return 0;
}

int pg_conn_open(PgConn **ret, const PgConnOptions *options, Err *reterr)
{
    _cleanup_(conninfo_freep) PQconninfoOption *given = NULL;
    _cleanup_(conninfo_freep) PQconninfoOption *defaults = PQconndefaults();
    char *parse_error = NULL;
    given = PQconninfoParse(options->conninfo ? options->conninfo : "", &parse_error);
    if (!given) {
        PQfreemem(parse_error); /* may quote a piece of the password */
        err_set(reterr, ERR_CONNECT, "the connection string is not valid");
        err_hint(reterr, "use postgres://user@host:port/database or key=value pairs; quote values with spaces");
        return err_trace(-err_code_errno(ERR_CONNECT));
    }
    Attempt a = {
        .options = options,
        .given = given,
        .defaults = defaults,
        .password = options->password ? options->password : find_option(given, "password"),
        .deadline = clock_monotonic() + connect_timeout(options, given),
    };
    int r = open_parsed(ret, &a, reterr);
    buf_done(&a.reasons);
    return err_trace(r);
}
