#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Where a private cluster's parts are: programs, directories, socket, and what a postmaster.pid tells. Any thread. */
#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

/* The directory with initdb and postgres of @major (0: the newest): @bin_dir when given, else those of Debian, Red Hat
 * and pg_config, else PATH. Appended to @ret. */
int cluster_find_programs(const char *bin_dir, int major, Buf *ret, Err *reterr) MUST_CHECK;
/* Major version in the first line of `postgres --version`: "postgres (PostgreSQL) 15.20 (...)"; 0 when it is none.
 * Pure. */
int cluster_parse_version(Slice line);
/* First line of postmaster.pid; 0 when it is not a process number. Pure. */
pid_t cluster_parse_pid(Slice content);
/* True when process @pid is a server on @data_dir (absolute, without links): servers work in their data directory. */
bool cluster_pid_is_server(pid_t pid, const char *data_dir);
/* The user to run the server as: NULL when we are not root. ERR_CONFIG when root and there is no fit user. */
int cluster_choose_user(const char **ret, Err *reterr) MUST_CHECK;
/* ERR_CONFIG naming the directory that @user (NULL: we) may not pass on the way to @path. */
int cluster_check_reachable(const char *path, const char *user, Err *reterr) MUST_CHECK;
/* Directory for the socket: @data_dir/run, or a private one in /tmp where that would be too long for a socket's name.
 * Appended to @ret. */
void cluster_socket_dir(const char *cluster_dir, Buf *ret);
