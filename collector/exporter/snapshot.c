/* SPDX-License-Identifier: PostgreSQL */
/*
 * See snapshot.h. For each layout the rows are grouped by their labels' text; then each metric of that layout adds up
 * (or takes the largest of) its column over each group. Readings of mode events are increases: they are added to what
 * the snapshot before them held.
 */
#include "collector/exporter/snapshot.h"

#include <ctype.h>
#include <math.h>

#include "collector/exporter/setting_value.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"
#include "lib/telemetry/exposition.h"

#define NOT_SHOWN SIZE_MAX

DEFINE_VEC(SettingVec, setting_vec, SnapshotSetting)

typedef struct Maker {
    const SnapshotSource *source;
    const Reading *reading;
    Snapshot *s;
    Arena *arena;
    bool *rows;       /* those that are shown */
    size_t *group_of; /* for each row, its group in the layout at hand, or NOT_SHOWN */
} Maker;

static ptrdiff_t find_column(const Reading *r, const char *name)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i]->name, name) == 0)
            return (ptrdiff_t)i;
    }
    return -1;
}

static const Cell *cell_at(const Reading *r, size_t row, ptrdiff_t column)
{
    return &r->cells[row * r->column_count + (size_t)column];
}

static double number_of(const Cell *c)
{
    if (c->type == CELL_INT)
        return (double)c->integer;
    return c->type == CELL_FLOAT ? c->number : (double)NAN;
}

/* --- Which rows --------------------------------------------------------------------------------------------------- */

static int compare_falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* With a limit, those with the largest values; of equal ones at the edge the first. */
static void choose_rows(Maker *m)
{
    const Reading *r = m->reading;
    const Family *f = m->source->plan->family;
    size_t limit = (size_t)f->prometheus_limit;
    ptrdiff_t column = limit ? find_column(r, f->prometheus_order) : -1;
    m->rows = arena_new_array(m->arena, bool, r->row_count + 1);
    if (column < 0 || r->row_count <= limit) {
        memset(m->rows, true, limit && r->row_count > limit ? limit : r->row_count);
        return;
    }
    double *values = arena_new_array(m->arena, double, r->row_count);
    for (size_t i = 0; i < r->row_count; i++) {
        double value = number_of(cell_at(r, i, column));
        values[i] = isnan(value) ? -INFINITY : value;
    }
    double *sorted = arena_new_array(m->arena, double, r->row_count);
    memcpy(sorted, values, r->row_count * sizeof(double));
    qsort(sorted, r->row_count, sizeof(double), compare_falling);
    double edge = sorted[limit - 1];
    size_t left = limit;
    for (size_t i = 0; i < r->row_count; i++)
        left -= values[i] > edge;
    for (size_t i = 0; i < r->row_count; i++) {
        m->rows[i] = values[i] > edge || (values[i] == edge && left > 0);
        left -= values[i] == edge && left > 0;
    }
}

/* --- Labels ------------------------------------------------------------------------------------------------------- */

typedef struct Grouping {
    const MetricLayout *layout;
    ptrdiff_t *columns; /* of its labels, in the reading */
    Map *index;         /* text -> group + 1 */
    Buf texts, text;
    size_t count;
} Grouping;

/* False: a label that must be there is not. */
static bool write_labels(const Maker *m, Grouping *g, size_t row)
{
    buf_clear(&g->text);
    if (g->layout->database)
        exposition_append_label(&g->text, "datname", slice_cstr(m->s->database));
    for (size_t i = 0; i < g->layout->label_count; i++) {
        const MetricLabel *label = &g->layout->labels[i];
        const Cell *cell = g->columns[i] >= 0 ? cell_at(m->reading, row, g->columns[i]) : NULL;
        Slice value = cell && cell->type == CELL_TEXT ? cell->text : SLICE_LIT("");
        if (label->needed && value.len == 0)
            return false;
        if (g->text.len > 0)
            buf_append_char(&g->text, ',');
        size_t start = g->text.len;
        exposition_append_label(&g->text, label->name, value);
        for (size_t k = start + strlen(label->name); label->lower && k < g->text.len; k++)
            g->text.ptr[k] = (char)tolower((unsigned char)g->text.ptr[k]);
    }
    return true;
}

/* The group of the text at hand, made when it is new. */
static size_t take_group(Grouping *g)
{
    void *known = map_get(g->index, buf_slice(&g->text));
    if (known)
        return (size_t)(uintptr_t)known - 1;
    if (g->count >= SNAPSHOT_SERIES_MAX)
        return NOT_SHOWN;
    buf_append(&g->texts, buf_slice(&g->text));
    buf_append_char(&g->texts, '\0');
    map_put(g->index, buf_slice(&g->text), (void *)(uintptr_t)++g->count);
    return g->count - 1;
}

/* Of events: what was shown is still shown, in the same places. */
static void take_before(Grouping *g, const SnapshotGroups *before)
{
    const char *text = before->labels;
    for (size_t i = 0; i < before->count; i++) {
        buf_clear(&g->text);
        buf_append_cstr(&g->text, text);
        (void)take_group(g); /* they were below the bound */
        text += strlen(text) + 1;
    }
}

static void group_rows(Maker *m, size_t layout)
{
    const Reading *r = m->reading;
    Grouping g = {.layout = &m->source->plan->layouts[layout], .index = map_new(NULL)};
    g.columns = arena_new_array(m->arena, ptrdiff_t, g.layout->label_count + 1);
    for (size_t i = 0; i < g.layout->label_count; i++)
        g.columns[i] = find_column(r, g.layout->labels[i].column->name);
    if (m->source->before)
        take_before(&g, &m->source->before->groups[layout]);
    for (size_t row = 0; row < r->row_count; row++) {
        m->group_of[row] = NOT_SHOWN;
        if (!m->rows[row] || !write_labels(m, &g, row))
            continue;
        m->group_of[row] = take_group(&g);
        m->s->left_out += m->group_of[row] == NOT_SHOWN;
    }
    m->s->groups[layout] =
        (SnapshotGroups){.labels_bytes = g.texts.len, .count = g.count, .labels = buf_take(&g.texts)};
    m->s->bytes += g.texts.len;
    map_free(g.index);
    buf_done(&g.text);
}

/* --- Values ------------------------------------------------------------------------------------------------------- */

static double value_of(const Maker *m, const Metric *metric, const Cell *cell)
{
    if (metric->form == METRIC_FORM_ONE)
        return 1;
    double value = number_of(cell) * metric->factor;
    if (metric->form == METRIC_FORM_AGE)
        value = (double)m->reading->wall / (double)USEC_PER_SEC - value;
    return value;
}

static double combine(MetricForm form, double before, double value)
{
    if (isnan(before) || isnan(value))
        return isnan(before) ? value : before;
    if (form == METRIC_FORM_SUM)
        return before + value;
    return value > before ? value : before;
}

/* Only counters of events go on; what else they hold is of the interval. */
static void begin_values(const Maker *m, size_t index, double *values, size_t count)
{
    const Snapshot *before = m->source->before;
    const PlannedMetric *planned = &m->source->plan->metrics[index];
    bool goes_on = before && before->values[index] && planned->metric.column->kind == COLUMN_COUNTER;
    size_t known = goes_on ? before->groups[planned->layout].count : 0;
    for (size_t i = 0; i < count; i++)
        values[i] = i < known ? before->values[index][i] : (double)NAN;
}

static void fill_values(Maker *m, size_t index)
{
    const PlannedMetric *planned = &m->source->plan->metrics[index];
    ptrdiff_t column = find_column(m->reading, planned->metric.column->name);
    size_t count = m->s->groups[planned->layout].count;
    if (column < 0 || count == 0 || planned->hidden)
        return; /* this server does not have it */
    double *values = mem_alloc_array(sizeof(double), count);
    m->s->values[index] = values;
    m->s->bytes += count * sizeof(double);
    begin_values(m, index, values, count);
    for (size_t row = 0; row < m->reading->row_count; row++) {
        size_t group = m->group_of[row];
        if (group != NOT_SHOWN)
            values[group] = combine(planned->metric.form, values[group],
                                    value_of(m, &planned->metric, cell_at(m->reading, row, column)));
    }
}

static void fill_settings(Maker *m, const Metric *metric)
{
    const Reading *r = m->reading;
    ptrdiff_t column = find_column(r, metric->column->name), unit = find_column(r, "unit");
    SettingVec found = {0};
    for (size_t row = 0; column >= 0 && row < r->row_count; row++) {
        const Cell *name = cell_at(r, row, 0), *text = cell_at(r, row, column);
        const Cell *unit_cell = unit >= 0 ? cell_at(r, row, unit) : NULL;
        _cleanup_buf_ Buf full = BUF_INIT;
        double value;
        if (name->type != CELL_TEXT || text->type != CELL_TEXT || name->text.len > SETTING_NAME_MAX ||
            !setting_value_read(name->text, text->text,
                                unit_cell && unit_cell->type == CELL_TEXT ? unit_cell->text : SLICE_NULL, &full,
                                &value))
            continue;
        m->s->bytes += sizeof(SnapshotSetting) + full.len;
        char *taken = buf_take(&full);
        setting_vec_push(&found, (SnapshotSetting){.name = taken, .value = value});
    }
    m->s->settings = found.items;
    m->s->setting_count = found.len;
}

Snapshot *snapshot_new(const SnapshotSource *source)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    MetricPlan *plan = source->plan;
    Snapshot *s = mem_alloc(sizeof(*s));
    *s = (Snapshot){.plan = metric_plan_ref(plan),
                    .server = mem_strdup(source->server),
                    .database = mem_strdup(source->reading->database ? source->reading->database : ""),
                    .wall = source->reading->wall,
                    .expires = source->expires,
                    .bytes = sizeof(*s) + (plan->layout_count + 1) * sizeof(SnapshotGroups) +
                             (plan->metric_count + 1) * sizeof(double *),
                    .groups = mem_alloc_array(sizeof(SnapshotGroups), plan->layout_count + 1),
                    .values = mem_alloc_array(sizeof(double *), plan->metric_count + 1)};
    Maker m = {.source = source, .reading = source->reading, .s = s, .arena = arena};
    m.group_of = arena_new_array(arena, size_t, source->reading->row_count + 1);
    choose_rows(&m);
    for (size_t layout = 0; layout < plan->layout_count; layout++) {
        group_rows(&m, layout);
        for (size_t i = 0; i < plan->metric_count; i++) {
            if (plan->metrics[i].layout != layout)
                continue;
            if (plan->metrics[i].metric.form == METRIC_FORM_SETTING)
                fill_settings(&m, &plan->metrics[i].metric);
            else
                fill_values(&m, i);
        }
    }
    return s;
}

Snapshot *snapshot_free(Snapshot *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->plan->layout_count; i++)
        free(s->groups[i].labels);
    for (size_t i = 0; i < s->plan->metric_count; i++)
        free(s->values[i]);
    for (size_t i = 0; i < s->setting_count; i++)
        free(s->settings[i].name);
    free(s->settings);
    free(s->groups);
    free((void *)s->values);
    free(s->server);
    free(s->database);
    metric_plan_unref(s->plan);
    free(s);
    return NULL;
}
