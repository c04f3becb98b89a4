/* SPDX-License-Identifier: PostgreSQL */
/* Looking around: nothing here changes anything. Any thread. */
#include "backend/store/cluster_place.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/io/process.h"

static const char *const USERS[] = {"pganalytics", "postgres"};
enum { SERVER_MAJOR_MIN = 13 };

int cluster_parse_version(Slice line)
{
    ptrdiff_t at = slice_find(line, SLICE_LIT(") "));
    if (at < 0)
        return 0;
    Slice rest = slice_skip(line, (size_t)at + 2);
    size_t digits = 0;
    while (digits < rest.len && rest.ptr[digits] >= '0' && rest.ptr[digits] <= '9')
        digits++;
    int64_t major = 0;
    return slice_to_int64(slice_from(rest.ptr, digits), &major) && major < 1000 ? (int)major : 0;
}

pid_t cluster_parse_pid(Slice content)
{
    int64_t pid = 0;
    Slice line = slice_trim(slice_split(&content, '\n'));
    return slice_to_int64(line, &pid) && pid > 1 && pid <= INT_MAX ? (pid_t)pid : 0;
}

bool cluster_pid_is_server(pid_t pid, const char *data_dir)
{
    char link[64];
    char target[PATH_MAX];
    if (pid <= 0)
        return false;
    (void)snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid); /* fits */
    ssize_t n = readlink(link, target, sizeof target);
    return n > 0 && slice_eq_cstr(slice_from(target, (size_t)n), data_dir);
}

/* Major version of the programs in @dir, 0 when they are not complete. */
static int programs_major(const char *dir)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    _cleanup_buf_ Buf output = BUF_INIT_LIMIT(4096);
    buf_printf(&path, "%s/initdb", dir);
    if (access(buf_cstr(&path), X_OK) != 0)
        return 0;
    buf_clear(&path);
    buf_printf(&path, "%s/postgres", dir);
    ProcessOptions options = {.argv = (const char *const[]){buf_cstr(&path), "--version", NULL}};
    Err ignored = ERR_INIT;
    if (process_run(&options, 10 * USEC_PER_SEC, &output, &ignored) < 0)
        return 0;
    return cluster_parse_version(buf_slice(&output));
}

typedef struct Search {
    int wanted; /* 0: the newest */
    int found;
    Buf *ret;
} Search;

static void consider(Search *s, const char *dir)
{
    int major = programs_major(dir);
    bool is_better = s->wanted ? major == s->wanted && s->found == 0 : major > s->found;
    if (major < SERVER_MAJOR_MIN || !is_better)
        return;
    s->found = major;
    buf_clear(s->ret);
    buf_append_cstr(s->ret, dir);
}

/* @parent/<version>/bin, as Debian keeps them. */
static void consider_versions(Search *s, const char *parent)
{
    DIR *d = opendir(parent);
    if (!d)
        return;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        _cleanup_buf_ Buf dir = BUF_INIT;
        buf_printf(&dir, "%s/%s/bin", parent, e->d_name);
        consider(s, buf_cstr(&dir));
    }
    (void)closedir(d); /* opened for reading */
}

static void consider_pg_config(Search *s)
{
    _cleanup_buf_ Buf output = BUF_INIT_LIMIT(4096);
    ProcessOptions options = {.argv = (const char *const[]){"pg_config", "--bindir", NULL}};
    Err ignored = ERR_INIT;
    if (process_run(&options, 10 * USEC_PER_SEC, &output, &ignored) < 0)
        return;
    _cleanup_buf_ Buf dir = BUF_INIT;
    buf_append(&dir, slice_trim(buf_slice(&output)));
    consider(s, buf_cstr(&dir));
}

static void consider_path(Search *s)
{
    Slice rest = slice_cstr(getenv("PATH"));
    while (rest.ptr) {
        Slice dir = slice_split(&rest, ':');
        _cleanup_buf_ Buf copy = BUF_INIT;
        buf_append(&copy, dir);
        if (dir.len)
            consider(s, buf_cstr(&copy));
    }
}

int cluster_find_programs(const char *bin_dir, int major, Buf *ret, Err *reterr)
{
    Search s = {.wanted = major, .ret = ret};
    if (bin_dir && *bin_dir) {
        consider(&s, bin_dir);
    } else {
        consider_versions(&s, "/usr/lib/postgresql");
        for (int version = 30; version >= SERVER_MAJOR_MIN; version--) {
            _cleanup_buf_ Buf dir = BUF_INIT; /* as Red Hat's packages of PGDG have it */
            buf_printf(&dir, "/usr/pgsql-%d/bin", version);
            consider(&s, buf_cstr(&dir));
        }
        consider_pg_config(&s);
        consider_path(&s);
    }
    if (s.found)
        return 0;
    int r;
    if (major)
        r = err_set(reterr, ERR_CONFIG, "the private store was made by PostgreSQL %d, whose programs are not found%s%s",
                    major, bin_dir ? " in " : "", bin_dir ? bin_dir : "");
    else
        r = err_set(reterr, ERR_CONFIG, "no initdb and postgres (13 or newer) are found%s%s", bin_dir ? " in " : "",
                    bin_dir ? bin_dir : "");
    err_hint(reterr, "install PostgreSQL's server package, set PG_BINDIR, or set DATABASE_URL to a server of your own");
    return r;
}

int cluster_choose_user(const char **ret, Err *reterr)
{
    *ret = NULL;
    if (geteuid() != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(USERS); i++) {
        char buffer[4096];
        struct passwd entry;
        struct passwd *found = NULL;
        if (getpwnam_r(USERS[i], &entry, buffer, sizeof buffer, &found) == 0 && found && found->pw_uid != 0) {
            *ret = USERS[i];
            return 0;
        }
    }
    int r =
        err_set(reterr, ERR_CONFIG, "PostgreSQL does not run as root, and there is no user pganalytics or postgres");
    err_hint(reterr, "useradd --system pganalytics, or run pganalytics-api as an ordinary user");
    return r;
}

static bool may_pass(const struct stat *st, const struct passwd *user)
{
    if (st->st_uid == user->pw_uid)
        return st->st_mode & S_IXUSR;
    gid_t groups[256];
    int count = ARRAY_LENGTH(groups);
    if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        count = ARRAY_LENGTH(groups);
    for (int i = 0; i < count; i++)
        if (groups[i] == st->st_gid)
            return st->st_mode & S_IXGRP;
    return st->st_mode & S_IXOTH;
}

int cluster_check_reachable(const char *path, const char *user, Err *reterr)
{
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;
    if (!user || getpwnam_r(user, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return 0; /* we ourselves: the first use tells */
    Slice whole = slice_cstr(path);
    for (size_t i = 1; i < whole.len; i++) {
        if (path[i] != '/')
            continue;
        _cleanup_buf_ Buf dir = BUF_INIT;
        buf_append(&dir, slice_from(path, i));
        struct stat st;
        if (stat(buf_cstr(&dir), &st) == 0 && !may_pass(&st, found)) {
            int r = err_set(reterr, ERR_CONFIG, "user %s, which the private store runs as, may not pass %s (mode %03o)",
                            user, buf_cstr(&dir), (unsigned)(st.st_mode & 0777));
            err_hint(reterr, "set DATA_DIR to a directory outside of it, such as /var/lib/pganalytics");
            return r;
        }
    }
    return 0;
}

void cluster_socket_dir(const char *cluster_dir, Buf *ret)
{
    struct sockaddr_un address;
    _cleanup_buf_ Buf dir = BUF_INIT;
    buf_printf(&dir, "%s/run", cluster_dir);
    if (dir.len + strlen("/.s.PGSQL.5432.lock") < sizeof address.sun_path) {
        buf_append(ret, buf_slice(&dir));
        return;
    }
    uint64_t hash = 14695981039346656037u; /* FNV-1a: only to tell directories apart */
    for (const char *c = cluster_dir; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    buf_printf(ret, "/tmp/pganalytics-%016llx", (unsigned long long)hash);
}
