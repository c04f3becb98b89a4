#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A family's Prometheus metrics: which names a column has, with which labels, in which unit. From the keys `prometheus`
 * of the family and its columns (docs/families.md); what they do not say follows from the column. Made only where it is
 * needed: by the exporter, by the program that writes docs/prometheus.md. Pure, any thread.
 */
#include "lib/base/arena.h"
#include "lib/catalog/family.h"

/* counter: the name ends with _total. unknown: a name that became common for a counter without _total, or for a gauge
 * with a suffix that belongs to other types. */
typedef enum MetricType { METRIC_COUNTER, METRIC_GAUGE, METRIC_UNKNOWN, _METRIC_TYPE_MAX } MetricType;

/* What becomes of the column's value. */
typedef enum MetricForm {
    METRIC_FORM_SUM,     /* rows that share the metric's labels are added up */
    METRIC_FORM_MAX,     /* of those rows, the largest */
    METRIC_FORM_AGE,     /* seconds from the value, a time, to the reading; the largest */
    METRIC_FORM_ONE,     /* 1: the news is in the labels (infos) */
    METRIC_FORM_SETTING, /* a metric for each row: NAME_<first label>, the text as a number in base units */
    _METRIC_FORM_MAX
} MetricForm;

typedef struct MetricLabel {
    const char *name;
    const FamilyColumn *column; /* a label or an info */
    bool lower;                 /* in lower case */
    bool needed;                /* rows without it are left out */
} MetricLabel;

typedef struct Metric {
    const char *name;
    const char *help;
    MetricType type;
    MetricForm form;
    const FamilyColumn *column;
    double factor; /* the value times this: milliseconds to seconds where the name says seconds */
    const MetricLabel *labels;
    size_t label_count;
    bool database; /* a label datname from the reading's database comes with them */
} Metric;

enum { METRIC_NAME_MAX = 120, METRICS_OF_COLUMN_MAX = 8 };

typedef struct FamilyMetrics {
    Metric *items;
    size_t count;
} FamilyMetrics;

/* In the order of columns; all in @arena, names and help are borrowed from the family. A key at fault is ERR_CONFIG
 * naming the column. Families of texts have none. */
int family_metrics_make(Arena *arena, const Family *f, FamilyMetrics *ret, Err *reterr) MUST_CHECK;

/* Of a number of @kind under that name. */
MetricType metric_type_of(ColumnKind kind, Slice name);
const char *metric_type_to_string(MetricType type); /* "counter", "gauge", "unknown" */
