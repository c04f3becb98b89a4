/* SPDX-License-Identifier: PostgreSQL */
/*
 * The supervisor thread owns the server: it starts it (a child asks to be told of its parent's death, and the parent is
 * the thread that forked), watches it through a pidfd, starts it again, and stops it in the end. cluster_start() only
 * prepares directories and waits for the thread's first result.
 *
 * Layout of DATA_DIR/postgres (mode 0700, of the server's user):
 *   data/       the cluster; made as data.new and renamed, so that it is complete or not there
 *   run/        the socket (in /tmp where the path is too long)
 *   start.log   what the server said before its own log in data/log began
 */
#include "backend/store/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "backend/store/cluster_place.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/io/file.h"
#include "lib/io/process.h"
#include "lib/pg/conn.h"

static const Usec INITDB_TIMEOUT = 300 * USEC_PER_SEC;
static const Usec READY_TIMEOUT = 600 * USEC_PER_SEC; /* crash recovery of a large cluster */
static const Usec STOP_TIMEOUT = 60 * USEC_PER_SEC;
static const Usec STEADY_AFTER = 60 * USEC_PER_SEC; /* having run that long, the next restart is at once again */
enum { READY_POLL_MS = 50, PID_FILE_MAX = 4096, LOG_TAIL_BYTES = 2000 };

typedef enum ClusterState {
    CLUSTER_STARTING, /* no result yet */
    CLUSTER_RUNNING,  /* was ready at least once */
    CLUSTER_FAILED,   /* the first start failed: the thread has ended */
    _CLUSTER_STATE_MAX
} ClusterState;

struct Cluster {
    char *dir;  /* DATA_DIR/postgres, absolute, without links */
    char *data; /* dir/data */
    char *socket_dir;
    char *bin_dir;
    const char *user; /* constant string, or NULL: as ourselves */
    char *conninfo;
    char *admin_conninfo; /* to the database that is always there */

    pthread_t thread;
    int stop_fd; /* eventfd: readable once stopping */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    ClusterState state; /* under the lock */
    Err failure;        /* under the lock, once CLUSTER_FAILED */

    /* of the supervisor thread */
    pid_t pid;
    bool is_child; /* or adopted */
    int pid_fd;
};

static char *make_string(const char *format, ...) PRINTF_LIKE(1, 2);
static char *make_string(const char *format, ...)
{
    Buf b = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    return buf_take(&b);
}

/* --- directories and initdb --------------------------------------------------------------------------------------- */

static int give_to_user(const char *path, const char *user, Err *reterr)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (!user)
        return 0;
    if (getpwnam_r(user, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return err_set(reterr, ERR_CONFIG, "user %s is not there any more", user);
    if (lchown(path, found->pw_uid, found->pw_gid) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "giving %s to user %s", path, user);
    return 0;
}

/* The server's user must pass through DATA_DIR, which the backend keeps closed otherwise: its group may, then. */
static int open_way(const char *data_dir, const char *user, Err *reterr)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    struct stat st;
    _cleanup_free_ char *inside = make_string("%s/", data_dir);
    if (!user || cluster_check_reachable(inside, user, NULL) >= 0)
        return 0;
    if (stat(data_dir, &st) == 0 && st.st_uid == 0 && !(st.st_mode & S_IRWXG) &&
        getpwnam_r(user, &entry, buffer, sizeof buffer, &found) == 0 && found &&
        (chown(data_dir, 0, found->pw_gid) != 0 || chmod(data_dir, (st.st_mode & 07777) | S_IXGRP) != 0))
        return err_set_errno(reterr, ERR_IO, errno, "letting user %s pass %s", user, data_dir);
    return 0;
}

/* A directory of our own with mode 0700; one that is there must be the user's already (in /tmp it may be anyone's). */
static int ensure_private_dir(const char *path, const char *user, Err *reterr)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return give_to_user(path, user, reterr);
    if (errno != EEXIST)
        return err_set_errno(reterr, ERR_IO, errno, "making %s", path);
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (lstat(path, &st) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "looking at %s", path);
    uid_t owner = geteuid();
    if (user && getpwnam_r(user, &entry, buffer, sizeof buffer, &found) == 0 && found)
        owner = found->pw_uid;
    if (!S_ISDIR(st.st_mode) || st.st_uid != owner || (st.st_mode & 077))
        return err_set(reterr, ERR_CONFIG, "%s is there, but is not a directory of user %u with mode 0700", path,
                       owner);
    return 0;
}

static int prepare_dirs(Cluster *c, const char *data_dir, Err *reterr)
{
    int r = cluster_choose_user(&c->user, reterr);
    if (r >= 0)
        r = dir_ensure(data_dir, 0700, reterr);
    if (r < 0)
        return err_trace(r);
    char real[PATH_MAX];
    if (!realpath(data_dir, real))
        return err_set_errno(reterr, ERR_IO, errno, "looking for %s", data_dir);
    c->dir = make_string("%s/postgres", real);
    c->data = make_string("%s/data", c->dir);
    Buf socket_dir = BUF_INIT;
    cluster_socket_dir(c->dir, &socket_dir);
    c->socket_dir = buf_take(&socket_dir);

    r = open_way(real, c->user, reterr);
    if (r >= 0)
        r = cluster_check_reachable(c->dir, c->user, reterr);
    if (r >= 0)
        r = ensure_private_dir(c->dir, c->user, reterr);
    if (r >= 0)
        r = ensure_private_dir(c->socket_dir, c->user, reterr);
    return err_trace(r);
}

/* Major version of the cluster that is there; 0: none. */
static int cluster_major(const Cluster *c)
{
    _cleanup_free_ char *path = make_string("%s/PG_VERSION", c->data);
    _cleanup_buf_ Buf text = BUF_INIT;
    Err ignored = ERR_INIT;
    int64_t major = 0;
    if (!file_exists(path) || file_read_all(path, 64, &text, &ignored) < 0 ||
        !slice_to_int64(slice_trim(buf_slice(&text)), &major))
        return 0;
    return (int)major;
}

static int run_as_user(const Cluster *c, const char *const *argv, Err *reterr)
{
    ProcessOptions options = {.argv = argv, .directory = c->dir, .user = c->user};
    return err_trace(process_run(&options, INITDB_TIMEOUT, NULL, reterr));
}

static int run_initdb(Cluster *c, Err *reterr)
{
    _cleanup_free_ char *initdb = make_string("%s/initdb", c->bin_dir);
    _cleanup_free_ char *new_dir = make_string("%s/data.new", c->dir);
    static const char *const LOCALES[] = {"--locale=C.UTF-8", "--locale=C"}; /* the former is not on every system */
    int r = 0;
    log_info("making a private PostgreSQL cluster", log_str("directory", c->data), log_str("programs", c->bin_dir));
    for (size_t i = 0; i < ARRAY_LENGTH(LOCALES); i++) {
        r = run_as_user(c, (const char *const[]){"rm", "-rf", "--", new_dir, NULL}, reterr);
        if (r < 0)
            return err_trace(r);
        r = run_as_user(c,
                        (const char *const[]){initdb, "-D", new_dir, "--username=pganalytics", "--encoding=UTF8",
                                              LOCALES[i], "--auth-local=trust", "--auth-host=reject",
                                              "--data-checksums", NULL},
                        reterr);
        if (r >= 0)
            break;
    }
    if (r < 0)
        return err_trace(r);
    r = io_rename(new_dir, c->data);
    if (r < 0)
        return err_set_errno(reterr, ERR_IO, -r, "renaming %s to %s", new_dir, c->data);
    return err_trace(dir_fsync(c->dir, reterr));
}

static void append_conninfo_value(Buf *out, const char *value)
{
    buf_append_char(out, '\'');
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *value);
    }
    buf_append_char(out, '\'');
}

static char *make_conninfo(const char *socket_dir, const char *database)
{
    Buf b = BUF_INIT;
    buf_append_cstr(&b, "host=");
    append_conninfo_value(&b, socket_dir);
    buf_printf(&b, " port=5432 user=pganalytics dbname=%s", database);
    return buf_take(&b);
}

static int prepare(Cluster *c, const ClusterOptions *options, Err *reterr)
{
    int r = prepare_dirs(c, options->data_dir, reterr);
    if (r < 0)
        return err_trace(r);
    int major = cluster_major(c);
    Buf bin_dir = BUF_INIT;
    r = cluster_find_programs(options->bin_dir, major, &bin_dir, reterr);
    c->bin_dir = buf_take(&bin_dir);
    if (r >= 0 && major == 0)
        r = run_initdb(c, reterr);
    c->conninfo = make_conninfo(c->socket_dir, "pganalytics");
    c->admin_conninfo = make_conninfo(c->socket_dir, "postgres");
    return err_trace(r);
}

/* --- the server's process ----------------------------------------------------------------------------------------- */

static bool stopping(const Cluster *c)
{
    struct pollfd p = {.fd = c->stop_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Waits until the server ended (true), or to be stopped, or @timeout. */
static bool wait_end(Cluster *c, Usec timeout, bool heed_stop)
{
    struct pollfd p[] = {{.fd = c->pid_fd, .events = POLLIN}, {.fd = heed_stop ? c->stop_fd : -1, .events = POLLIN}};
    Usec deadline = timeout == USEC_NEVER ? USEC_NEVER : clock_monotonic() + timeout;
    for (;;) {
        Usec left = timeout == USEC_NEVER ? 3600 * USEC_PER_SEC : deadline - clock_monotonic();
        int n = poll(p, ARRAY_LENGTH(p), left <= 0 ? 0 : (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
        if (n > 0)
            return p[0].revents != 0;
        if (n == 0 && timeout != USEC_NEVER)
            return false;
    }
}

static void forget_process(Cluster *c)
{
    int status = 0;
    if (c->is_child)
        (void)process_poll(c->pid, &status); /* reaps; how it ended stands in its log */
    if (c->pid_fd >= 0)
        (void)close(c->pid_fd); /* nothing is written to it */
    c->pid_fd = -1;
    c->pid = 0;
}

static int take_process(Cluster *c, pid_t pid, bool is_child, Err *reterr)
{
    c->pid = pid;
    c->is_child = is_child;
    c->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (c->pid_fd < 0)
        return err_set_errno(reterr, ERR_IO, errno, "watching process %d", (int)pid);
    return 0;
}

/* The process of a server that runs on our directory already; 0: none. Removes a postmaster.pid whose number now
 * belongs to another program, which would keep the server from starting; one of a dead process is the server's to
 * judge, because only it knows whether children of the dead one are still there. */
static pid_t find_running(const Cluster *c)
{
    _cleanup_free_ char *path = make_string("%s/postmaster.pid", c->data);
    _cleanup_buf_ Buf content = BUF_INIT;
    Err ignored = ERR_INIT;
    if (!file_exists(path) || file_read_all(path, PID_FILE_MAX, &content, &ignored) < 0)
        return 0;
    pid_t pid = cluster_parse_pid(buf_slice(&content));
    if (pid > 0 && cluster_pid_is_server(pid, c->data))
        return pid;
    if (pid > 0 && kill(pid, 0) == 0) {
        log_warn("removing a stale postmaster.pid: its process is another program", log_str("file", path),
                 log_int("pid", pid));
        (void)unlink(path); /* the server's start tells if it did not work */
    }
    return 0;
}

static unsigned shared_buffers_mb(void)
{
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t mb = bytes / 16 / (1 << 20);
    return mb < 64 ? 64 : mb > 1024 ? 1024 : (unsigned)mb;
}

static int spawn_server(Cluster *c, Err *reterr)
{
    _cleanup_free_ char *program = make_string("%s/postgres", c->bin_dir);
    _cleanup_free_ char *sockets = make_string("unix_socket_directories=\"%s\"", c->socket_dir);
    _cleanup_free_ char *buffers = make_string("shared_buffers=%uMB", shared_buffers_mb());
    _cleanup_free_ char *log_path = make_string("%s/start.log", c->dir);
    const char *const argv[] = {program,
                                "-D",
                                c->data,
                                "-c",
                                "listen_addresses=",
                                "-c",
                                sockets,
                                "-c",
                                "unix_socket_permissions=0700",
                                "-c",
                                "port=5432",
                                "-c",
                                "max_connections=60",
                                "-c",
                                buffers,
                                "-c",
                                "max_wal_size=2GB",
                                "-c",
                                "wal_compression=on",
                                "-c",
                                "checkpoint_timeout=10min",
                                "-c",
                                "max_locks_per_transaction=256",
                                "-c",
                                "timezone=UTC",
                                "-c",
                                "log_timezone=UTC",
                                "-c",
                                "logging_collector=on",
                                "-c",
                                "log_filename=postgresql-%a.log",
                                "-c",
                                "log_truncate_on_rotation=on",
                                "-c",
                                "log_rotation_age=1440",
                                "-c",
                                "log_rotation_size=0",
                                "-c",
                                "cluster_name=pganalytics",
                                NULL};
    _cleanup_close_ int log_fd = -1;
    /* The directory is the server's user's, who must not lead us to a file of ours. */
    int r = io_open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &log_fd);
    if (r < 0)
        return err_set_errno(reterr, ERR_IO, -r, "opening %s", log_path);
    ProcessOptions options = {.argv = argv, .directory = c->dir, .user = c->user, .die_with_parent = true};
    pid_t pid = 0;
    r = process_start(&options, log_fd, &pid, reterr);
    return r < 0 ? err_trace(r) : take_process(c, pid, true, reterr);
}

static int fail_ended(const Cluster *c, Err *reterr)
{
    _cleanup_free_ char *path = make_string("%s/start.log", c->dir);
    _cleanup_buf_ Buf text = BUF_INIT;
    Err ignored = ERR_INIT;
    if (file_read_all(path, 1 << 20, &text, &ignored) < 0)
        buf_clear(&text); /* without it the message is shorter */
    Slice tail = slice_trim(buf_slice(&text));
    if (tail.len > LOG_TAIL_BYTES)
        tail = slice_skip(tail, tail.len - LOG_TAIL_BYTES);
    ptrdiff_t fatal = slice_find(tail, SLICE_LIT("FATAL:"));
    if (fatal > 0)
        tail = slice_skip(tail, (size_t)fatal);
    int r = err_set(reterr, ERR_UNAVAILABLE, "the private store's server ended: %.*s", SLICE_ARG(tail));
    err_hint(reterr, "see %s and %s/log", path, c->data);
    return r;
}

/* The database of ours, once: a server that takes the statement is ready for all others. */
static int ensure_database(PgConn *conn, Err *reterr)
{
    PGresult *result = NULL;
    PgQuery look = {.sql = "select 1 from pg_database where datname = 'pganalytics'", .shape = PG_SHAPE_ROWS};
    int r = pg_conn_query(conn, &look, &result, reterr);
    bool is_there = r >= 0 && PQntuples(result) > 0;
    PQclear(result);
    if (r < 0 || is_there)
        return err_trace(r);
    return err_trace(pg_conn_command(conn, "create database pganalytics", 60 * USEC_PER_SEC, reterr));
}

static int wait_ready(Cluster *c, Err *reterr)
{
    Usec deadline = clock_monotonic() + READY_TIMEOUT;
    while (clock_monotonic() < deadline) {
        Err cause = ERR_INIT;
        _cleanup_(pg_conn_closep) PgConn *conn = NULL;
        PgConnOptions options = {.conninfo = c->admin_conninfo, .connect_timeout = 5 * USEC_PER_SEC};
        if (pg_conn_open(&conn, &options, &cause) >= 0)
            return err_trace(ensure_database(conn, reterr));
        if (wait_end(c, READY_POLL_MS * USEC_PER_MSEC, true)) {
            int r = fail_ended(c, reterr);
            forget_process(c);
            return r;
        }
        if (stopping(c))
            return err_set(reterr, ERR_UNAVAILABLE, "the private store is being stopped");
    }
    return err_set(reterr, ERR_UNAVAILABLE, "the private store does not accept connections");
}

static void shut_down(Cluster *c)
{
    static const int SIGNALS[] = {SIGINT, SIGQUIT}; /* fast, then immediate */
    for (size_t i = 0; c->pid > 0 && i < ARRAY_LENGTH(SIGNALS); i++) {
        (void)kill(c->pid, SIGNALS[i]); /* gone already: the wait tells */
        if (wait_end(c, STOP_TIMEOUT, false)) {
            forget_process(c);
            return;
        }
        log_warn("the private store does not stop", log_int("pid", c->pid));
    }
    forget_process(c);
}

static int bring_up(Cluster *c, Err *reterr)
{
    int r;
    pid_t running = find_running(c);
    if (running > 0) {
        log_info("a server runs on the private store already: using it", log_int("pid", running));
        r = take_process(c, running, false, reterr);
        if (r >= 0)
            r = wait_ready(c, reterr);
        if (r >= 0 || stopping(c) || c->pid > 0)
            return err_trace(r);
        /* it was on its way out: a new one takes its place */
    }
    r = spawn_server(c, reterr);
    if (r >= 0)
        r = wait_ready(c, reterr);
    if (r < 0 && c->pid > 0)
        shut_down(c);
    return err_trace(r);
}

/* --- the supervisor ----------------------------------------------------------------------------------------------- */

static void set_state(Cluster *c, ClusterState state, const Err *failure)
{
    pthread_mutex_lock(&c->lock);
    c->state = state;
    if (failure)
        c->failure = *failure;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void pause_for(Cluster *c, Usec time)
{
    struct pollfd p = {.fd = c->stop_fd, .events = POLLIN};
    (void)poll(&p, 1, (int)(time / USEC_PER_MSEC)); /* whatever woke it, the caller looks for itself */
}

static void *supervise(void *arg)
{
    Cluster *c = arg;
    Backoff backoff = {.base = 200 * USEC_PER_MSEC, .cap = 10 * USEC_PER_SEC};
    bool first = true;
    while (!stopping(c)) {
        Err err = ERR_INIT;
        if (bring_up(c, &err) < 0) {
            if (first) {
                set_state(c, CLUSTER_FAILED, &err);
                return NULL;
            }
            log_warn("the private store could not be started again", log_error_field(&err));
            pause_for(c, backoff_next(&backoff));
            continue;
        }
        log_info("the private store runs", log_int("pid", c->pid), log_str("socket_directory", c->socket_dir));
        set_state(c, CLUSTER_RUNNING, NULL);
        first = false;
        Usec began = clock_monotonic();
        if (!wait_end(c, USEC_NEVER, true))
            break;
        if (clock_monotonic() - began > STEADY_AFTER)
            backoff_reset(&backoff);
        log_warn("the private store's server ended", log_int("pid", c->pid));
        forget_process(c);
        pause_for(c, backoff_next(&backoff));
    }
    if (c->pid > 0)
        shut_down(c);
    return NULL;
}

static int start_supervisor(Cluster *c, Err *reterr)
{
    c->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (c->stop_fd < 0)
        return err_set_errno(reterr, ERR_IO, errno, "making an eventfd");
    int number = pthread_create(&c->thread, NULL, supervise, c);
    if (number != 0)
        return err_set_errno(reterr, ERR_INTERNAL, number, "the store's supervisor could not be started");

    pthread_mutex_lock(&c->lock);
    while (c->state == CLUSTER_STARTING)
        pthread_cond_wait(&c->changed, &c->lock);
    bool failed = c->state == CLUSTER_FAILED;
    Err failure = c->failure;
    pthread_mutex_unlock(&c->lock);
    if (!failed)
        return 0;
    pthread_join(c->thread, NULL);
    if (reterr)
        *reterr = failure;
    return -err_code_errno(failure.code);
}

static Cluster *cluster_free(Cluster *c)
{
    if (c->stop_fd >= 0)
        (void)close(c->stop_fd); /* nothing is pending on it */
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->dir);
    free(c->data);
    free(c->socket_dir);
    free(c->bin_dir);
    free(c->conninfo);
    free(c->admin_conninfo);
    free(c);
    return NULL;
}
DEFINE_CLEANUP(Cluster *, cluster_free)

int cluster_start(Cluster **ret, const ClusterOptions *options, Err *reterr)
{
    _cleanup_(cluster_freep) Cluster *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->stop_fd = -1;
    c->pid_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    int r = prepare(c, options, reterr);
    if (r >= 0)
        r = start_supervisor(c, reterr);
    if (r < 0)
        return err_trace(r);
    *ret = TAKE_PTR(c);
    return 0;
}

Cluster *cluster_stop(Cluster *c)
{
    if (!c)
        return NULL;
    uint64_t one = 1;
    if (write(c->stop_fd, &one, sizeof one) != sizeof one)
        log_fail("the store's supervisor could not be told to stop");
    pthread_join(c->thread, NULL);
    return cluster_free(c);
}

const char *cluster_conninfo(const Cluster *c)
{
    return c->conninfo;
}

int cluster_find_conninfo(const char *data_dir, Buf *ret, Err *reterr)
{
    char real[PATH_MAX];
    if (!realpath(data_dir, real))
        return err_set_errno(reterr, ERR_IO, errno, "looking for %s", data_dir);
    _cleanup_free_ char *dir = make_string("%s/postgres", real);
    _cleanup_buf_ Buf socket_dir = BUF_INIT;
    cluster_socket_dir(dir, &socket_dir);
    _cleanup_free_ char *conninfo = make_conninfo(buf_cstr(&socket_dir), "pganalytics");
    buf_append_cstr(ret, conninfo);
    return 0;
}
