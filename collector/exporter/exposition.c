/* SPDX-License-Identifier: PostgreSQL */
/* See exposition.h. */
#include "collector/exporter/exposition.h"

#include <math.h>

#include "lib/base/vec.h"

typedef struct Writer {
    const ExpositionOptions *options;
    Buf *out;
    Buf server; /* server="name", of the sample at hand */
} Writer;

static bool is_wanted(const Writer *w, const char *server)
{
    return !w->options->server || strcmp(server, w->options->server) == 0;
}

static void append_head(const Writer *w, const char *name, const char *type, const char *help)
{
    exposition_append_head(w->out, w->options->format, name, type, help);
}

/* @labels: behind the server's, may be empty. */
static void append_sample(Writer *w, const char *name, const char *server, const char *labels, double value)
{
    buf_clear(&w->server);
    exposition_append_label(&w->server, "server", slice_cstr(server));
    buf_append_cstr(w->out, name);
    buf_append_char(w->out, '{');
    buf_append(w->out, buf_slice(&w->server));
    if (labels[0])
        buf_append_char(w->out, ',');
    buf_append_cstr(w->out, labels);
    buf_append(w->out, SLICE_LIT("} "));
    exposition_append_value(w->out, value);
}

/* --- What is known of the servers --------------------------------------------------------------------------------- */

typedef enum ServerFigure { SERVER_UP, SERVER_ERROR, SERVER_FAILING, SERVER_FAMILIES, SERVER_LAST } ServerFigure;

static const struct {
    const char *name;
    const char *help;
} SERVER_FIGURES[] = {
    [SERVER_UP] = {"pg_up", "1 when the server could be read at the last turn."},
    [SERVER_ERROR] = {"pg_exporter_last_scrape_error",
                      "1 when the server could not be read at the last turn, or a metric family of it."},
    [SERVER_FAILING] = {"pganalytics_failing_families", "Metric families whose last reading failed."},
    [SERVER_FAMILIES] = {"pganalytics_families", "Metric families that are read of the server."},
    [SERVER_LAST] = {"pganalytics_last_reading_timestamp_seconds", "When the server was read last."},
};

static double figure_of(const SnapshotsServer *server, ServerFigure figure)
{
    switch (figure) {
    case SERVER_UP:
        return server->reachable;
    case SERVER_ERROR:
        return !server->reachable || server->failing > 0;
    case SERVER_FAILING:
        return (double)server->failing;
    case SERVER_FAMILIES:
        return (double)server->families;
    case SERVER_LAST:
        break;
    }
    return server->last_wall ? (double)server->last_wall / (double)USEC_PER_SEC : (double)NAN;
}

static void write_servers(Writer *w, const SnapshotsView *view)
{
    for (size_t figure = 0; figure < ARRAY_LENGTH(SERVER_FIGURES); figure++) {
        bool begun = false;
        for (size_t i = 0; i < view->server_count; i++) {
            double value = figure_of(&view->servers[i], (ServerFigure)figure);
            if (!is_wanted(w, view->servers[i].name) || isnan(value))
                continue;
            if (!begun)
                append_head(w, SERVER_FIGURES[figure].name, "gauge", SERVER_FIGURES[figure].help);
            begun = true;
            append_sample(w, SERVER_FIGURES[figure].name, view->servers[i].name, "", value);
        }
    }
}

/* --- Readings ----------------------------------------------------------------------------------------------------- */

/* The snapshots of one family: .items[first] to .items[end - 1]. */
typedef struct FamilyRange {
    const SnapshotsView *view;
    size_t first, end;
} FamilyRange;

/* The values that @s has for a metric of @plan; NULL: none. */
static const double *values_of(const Snapshot *s, const MetricPlan *plan, const PlannedMetric *planned,
                               size_t *ret_layout)
{
    if (s->plan != plan)
        planned = metric_plan_find(s->plan, planned->metric.name);
    if (!planned)
        return NULL;
    *ret_layout = planned->layout;
    return s->values[planned - s->plan->metrics];
}

static void write_metric(Writer *w, const FamilyRange *range, const MetricPlan *plan, const PlannedMetric *planned)
{
    const Metric *metric = &planned->metric;
    bool begun = false;
    for (size_t i = range->first; i < range->end; i++) {
        const Snapshot *s = range->view->items[i];
        size_t layout = 0;
        const double *values = values_of(s, plan, planned, &layout);
        if (!values || !is_wanted(w, s->server))
            continue;
        const SnapshotGroups *groups = &s->groups[layout];
        const char *labels = groups->labels;
        for (size_t group = 0; group < groups->count; group++, labels += strlen(labels) + 1) {
            if (isnan(values[group]))
                continue;
            if (!begun)
                append_head(w, metric->name, metric_type_to_string(metric->type), metric->help);
            begun = true;
            append_sample(w, metric->name, s->server, labels, values[group]);
        }
    }
}

typedef struct NamedSetting {
    const SnapshotSetting *setting;
    const char *server;
} NamedSetting;

DEFINE_VEC(NamedSettingVec, named_setting_vec, NamedSetting)

static int compare_settings(const void *a, const void *b)
{
    const NamedSetting *x = a, *y = b;
    int order = strcmp(x->setting->name, y->setting->name);
    return order ? order : strcmp(x->server, y->server);
}

/* Each name is a metric of its own. */
static void write_settings(Writer *w, const FamilyRange *range, const Metric *metric)
{
    NamedSettingVec all = {0};
    for (size_t i = range->first; i < range->end; i++) {
        const Snapshot *s = range->view->items[i];
        for (size_t k = 0; is_wanted(w, s->server) && k < s->setting_count; k++)
            named_setting_vec_push(&all, (NamedSetting){.setting = &s->settings[k], .server = s->server});
    }
    if (all.len > 0)
        qsort(all.items, all.len, sizeof(NamedSetting), compare_settings);
    _cleanup_buf_ Buf name = BUF_INIT, help = BUF_INIT;
    for (size_t i = 0; i < all.len; i++) {
        if (i == 0 || strcmp(all.items[i].setting->name, all.items[i - 1].setting->name) != 0) {
            buf_clear(&name);
            buf_clear(&help);
            buf_printf(&name, "%s_%s", metric->name, all.items[i].setting->name);
            buf_printf(&help, "Setting %s of the server.", all.items[i].setting->name);
            MetricType type = metric_type_of(COLUMN_GAUGE, buf_slice(&name));
            append_head(w, buf_cstr(&name), metric_type_to_string(type), buf_cstr(&help));
        }
        append_sample(w, buf_cstr(&name), all.items[i].server, "", all.items[i].setting->value);
    }
    named_setting_vec_done(&all);
}

/* Servers may have read the family with different settings: a name is written with the first plan that has it. */
static bool was_written(const FamilyRange *range, size_t before, const char *name)
{
    const MetricPlan *last = NULL;
    for (size_t i = range->first; i < before; i++) {
        const MetricPlan *plan = range->view->items[i]->plan;
        if (plan != last && plan != range->view->items[before]->plan && metric_plan_find(plan, name))
            return true;
        last = plan;
    }
    return false;
}

static bool plan_was_seen(const FamilyRange *range, size_t before)
{
    for (size_t i = range->first; i < before; i++) {
        if (range->view->items[i]->plan == range->view->items[before]->plan)
            return true;
    }
    return false;
}

static void write_family(Writer *w, const FamilyRange *range)
{
    for (size_t i = range->first; i < range->end; i++) {
        const MetricPlan *plan = range->view->items[i]->plan;
        if (i > range->first && plan_was_seen(range, i))
            continue;
        for (size_t k = 0; k < plan->metric_count; k++) {
            const PlannedMetric *planned = &plan->metrics[k];
            if (planned->hidden || was_written(range, i, planned->metric.name))
                continue;
            if (planned->metric.form == METRIC_FORM_SETTING)
                write_settings(w, range, &planned->metric);
            else
                write_metric(w, range, plan, planned);
        }
    }
}

static bool is_known(const SnapshotsView *view, const char *server)
{
    for (size_t i = 0; server && i < view->server_count; i++) {
        if (strcmp(view->servers[i].name, server) == 0)
            return true;
    }
    return !server;
}

bool exposition_write(Snapshots *s, const ExpositionOptions *options, Buf *out)
{
    Writer w = {.options = options, .out = out};
    SnapshotsView view = snapshots_lock(s, options->now_wall);
    bool known = is_known(&view, options->server);
    if (known) {
        write_servers(&w, &view);
        for (size_t first = 0, end; first < view.count; first = end) {
            for (end = first + 1; end < view.count; end++) {
                if (strcmp(view.items[end]->plan->family->name, view.items[first]->plan->family->name) != 0)
                    break;
            }
            write_family(&w, &(FamilyRange){.view = &view, .first = first, .end = end});
        }
    }
    snapshots_unlock(s);
    buf_done(&w.server);
    return known;
}
