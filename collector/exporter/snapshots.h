#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Snapshots: what a scrape is answered from: of every server the latest reading of each family (and database), and
 * whether it can be reached. Targets put, the exporter's thread reads; the object locks itself. There only while the
 * exporter listens. Bounded: a reading that would make it larger than its bound is left out and counted; a reading that
 * is not renewed for five intervals is forgotten, one of the server's own as soon as the server cannot be read.
 */
#include "collector/exporter/snapshot.h"

typedef struct Snapshots Snapshots;

enum { SNAPSHOTS_BYTES_MAX = 64 << 20 };

typedef struct SnapshotsServer {
    char *name;
    bool reachable;
    int64_t failing;  /* families whose last reading failed */
    int64_t families; /* that are read of it */
    Usec last_wall;   /* of the last tick that reached it; 0: none */
} SnapshotsServer;

/* @bytes_max 0: SNAPSHOTS_BYTES_MAX */
Snapshots *snapshots_new(size_t bytes_max);
Snapshots *snapshots_free(Snapshots *s); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Snapshots *, snapshots_free)

/* Copies what it shows of @reading, a reading of @family, which comes every @interval. @settings keeps the family
 * alive; NULL: the caller does. */
void snapshots_put(Snapshots *s, SettingsRef *settings, const char *server, const Family *family,
                   const Reading *reading, Usec interval);
/* What a tick of the target found; its .name is not looked at. Not reachable: what was read of the server is forgotten,
 * but not what was read of its host. */
void snapshots_note_server(Snapshots *s, const char *server, const SnapshotsServer *now);
/* It is watched no more. */
void snapshots_forget_server(Snapshots *s, const char *server);

typedef struct SnapshotsStats {
    size_t count, bytes;
    uint64_t readings_left_out; /* for want of room, since the start */
    uint64_t rows_left_out;
    uint64_t version; /* another one whenever something changed */
} SnapshotsStats;

void snapshots_stats(Snapshots *s, SnapshotsStats *ret);

/* For exposition.c: between lock and unlock, what is not too old at @now_wall, sorted by family, server, database; and
 * servers sorted by name. */
typedef struct SnapshotsView {
    Snapshot *const *items;
    size_t count;
    const SnapshotsServer *servers;
    size_t server_count;
} SnapshotsView;

SnapshotsView snapshots_lock(Snapshots *s, Usec now_wall);
void snapshots_unlock(Snapshots *s);
