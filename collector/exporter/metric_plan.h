#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Metric plan: the metrics of one family, and the sets of labels that they share. Made when the family's first reading
 * comes; keeps the settings alive whose catalog it points into. Counted by those who use it, on any thread; changed
 * (.hidden) only before others see it.
 */
#include "collector/settings/settings.h"
#include "lib/catalog/family_metrics.h"

typedef struct MetricLayout {
    const MetricLabel *labels;
    size_t label_count;
    bool database; /* datname of the reading comes first */
} MetricLayout;

typedef struct PlannedMetric {
    Metric metric;
    size_t layout;
    bool hidden; /* its name is another family's */
} PlannedMetric;

typedef struct MetricPlan {
    SettingsRef *settings; /* NULL: the family outlives the plan anyway */
    const Family *family;
    Arena *arena;
    PlannedMetric *metrics;
    size_t metric_count;
    MetricLayout *layouts;
    size_t layout_count;
    _Atomic unsigned users; /* snapshots are made outside of the lock */
} MetricPlan;

/* NULL when the family has no metrics. One user. */
MetricPlan *metric_plan_new(SettingsRef *settings, const Family *family);
MetricPlan *metric_plan_ref(MetricPlan *p);
MetricPlan *metric_plan_unref(MetricPlan *p); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(MetricPlan *, metric_plan_unref)
/* By name; NULL when it is not there, or hidden. */
const PlannedMetric *metric_plan_find(const MetricPlan *p, const char *name);
