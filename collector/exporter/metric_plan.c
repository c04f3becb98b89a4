/* SPDX-License-Identifier: PostgreSQL */
/* See metric_plan.h. */
#include "collector/exporter/metric_plan.h"

#include "lib/base/memory.h"

static bool labels_equal(const MetricLabel *a, const MetricLabel *b)
{
    return a->column == b->column && a->lower == b->lower && a->needed == b->needed && strcmp(a->name, b->name) == 0;
}

static bool layout_fits(const MetricLayout *layout, const Metric *metric)
{
    if (layout->label_count != metric->label_count || layout->database != metric->database)
        return false;
    for (size_t i = 0; i < layout->label_count; i++) {
        if (!labels_equal(&layout->labels[i], &metric->labels[i]))
            return false;
    }
    return true;
}

static size_t find_layout(MetricPlan *p, const Metric *metric)
{
    for (size_t i = 0; i < p->layout_count; i++) {
        if (layout_fits(&p->layouts[i], metric))
            return i;
    }
    p->layouts[p->layout_count] =
        (MetricLayout){.labels = metric->labels, .label_count = metric->label_count, .database = metric->database};
    return p->layout_count++;
}

static void add_metric(MetricPlan *p, const Metric *metric)
{
    for (size_t i = 0; i < p->metric_count; i++) {
        if (strcmp(p->metrics[i].metric.name, metric->name) == 0)
            return; /* one name, one meaning: the first one's */
    }
    p->metrics[p->metric_count++] = (PlannedMetric){.metric = *metric, .layout = find_layout(p, metric)};
}

MetricPlan *metric_plan_new(SettingsRef *settings, const Family *family)
{
    Arena *arena = arena_new(0);
    FamilyMetrics found;
    int r = family_metrics_make(arena, family, &found, NULL);
    if (r < 0 || found.count == 0) { /* its faults were told when the catalog was read */
        arena_free(arena);
        return NULL;
    }
    MetricPlan *p = mem_alloc(sizeof(*p));
    *p = (MetricPlan){.settings = settings ? settings_ref(settings) : NULL,
                      .family = family,
                      .arena = arena,
                      .metrics = arena_new_array(arena, PlannedMetric, found.count),
                      .layouts = arena_new_array(arena, MetricLayout, found.count),
                      .users = 1};
    for (size_t i = 0; i < found.count; i++)
        add_metric(p, &found.items[i]);
    return p;
}

MetricPlan *metric_plan_ref(MetricPlan *p)
{
    p->users++;
    return p;
}

MetricPlan *metric_plan_unref(MetricPlan *p)
{
    if (!p || --p->users > 0)
        return NULL;
    arena_free(p->arena);
    settings_unref(p->settings);
    free(p);
    return NULL;
}

const PlannedMetric *metric_plan_find(const MetricPlan *p, const char *name)
{
    for (size_t i = 0; i < p->metric_count; i++) {
        if (!p->metrics[i].hidden && strcmp(p->metrics[i].metric.name, name) == 0)
            return &p->metrics[i];
    }
    return NULL;
}
