#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Snapshot: the latest reading of a family, of one server and (for families of databases) one database, as the samples
 * that it will be shown as: labels as text, values as numbers. Immutable once made. Pure, any thread.
 */
#include "collector/exporter/metric_plan.h"
#include "collector/reading/reading.h"

enum {
    SNAPSHOT_SERIES_MAX = 20000, /* of one metric of one reading; further rows are left out and counted */
    SETTING_NAME_MAX = 80,
};

/* The rows that share the labels of a layout. */
typedef struct SnapshotGroups {
    char *labels; /* .count texts `a="x",b="y"`, each with its NUL */
    size_t labels_bytes;
    size_t count;
} SnapshotGroups;

/* Of form setting. */
typedef struct SnapshotSetting {
    char *name; /* behind the metric's name and "_" */
    double value;
} SnapshotSetting;

typedef struct Snapshot {
    MetricPlan *plan;
    char *server;
    char *database; /* "" of the server */
    Usec wall;
    Usec expires; /* wall */
    size_t bytes;
    uint64_t left_out;      /* rows behind SNAPSHOT_SERIES_MAX */
    SnapshotGroups *groups; /* of each layout */
    double **values;        /* of each metric one for each group; NaN: not known. NULL: no values, or form setting */
    SnapshotSetting *settings;
    size_t setting_count;
} Snapshot;

typedef struct SnapshotSource {
    MetricPlan *plan; /* a reference is taken */
    const char *server;
    const Reading *reading;
    Usec expires;
    const Snapshot *before; /* of mode events: what was counted so far; else NULL */
} SnapshotSource;

Snapshot *snapshot_new(const SnapshotSource *source);
Snapshot *snapshot_free(Snapshot *s); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Snapshot *, snapshot_free)
