#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A private PostgreSQL of the backend's own, for when no DATABASE_URL is given: made with initdb in DATA_DIR/postgres,
 * reachable by a Unix socket only (directory mode 0700), never run as root. A thread watches the server and starts it
 * again with back-off when it ends. Any thread may call; one cluster a process.
 */
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/err.h"

typedef struct Cluster Cluster;

typedef struct ClusterOptions {
    const char *data_dir; /* DATA_DIR; the cluster lives in its sub-directory "postgres" */
    const char *bin_dir;  /* of initdb and postgres; NULL: looked for */
} ClusterOptions;

/* Makes the cluster if there is none, starts it (or adopts the one that a killed backend left running), and returns
 * when it accepts connections. */
int cluster_start(Cluster **ret, const ClusterOptions *options, Err *reterr) MUST_CHECK;
/* Fast shutdown (SIGINT), waited for. NULL allowed; returns NULL. */
Cluster *cluster_stop(Cluster *c);
DEFINE_CLEANUP(Cluster *, cluster_stop)

/* For store_open(); lives as long as the cluster. */
const char *cluster_conninfo(const Cluster *c);
/* The same for a cluster that another process of ours runs, appended to @ret. Starts and stops nothing. */
int cluster_find_conninfo(const char *data_dir, Buf *ret, Err *reterr) MUST_CHECK;
