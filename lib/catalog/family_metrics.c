/* SPDX-License-Identifier: PostgreSQL */
/*
 * See family_metrics.h. What a column's key `prometheus` holds, each item:
 *
 *   [form ]name[{[new=]column[!], lower(column)[!], ...}]      form: max, age, one, setting
 */
#include "lib/catalog/family_metrics.h"

#include "lib/base/buf.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

typedef struct Maker {
    Arena *arena;
    const Family *family;
    FamilyMetrics *metrics; /* with room for all */
    Err *reterr;
} Maker;

const char *metric_type_to_string(MetricType type)
{
    static const char *const names[_METRIC_TYPE_MAX] = {"counter", "gauge", "unknown"};
    return type < _METRIC_TYPE_MAX ? names[type] : "";
}

static bool has_suffix(Slice name, const char *suffix)
{
    return slice_ends_with(name, slice_cstr(suffix));
}

static bool name_is_good(Slice name)
{
    if (name.len == 0 || name.len > METRIC_NAME_MAX || name.ptr[0] < 'a' || name.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!strchr(NAME_CHARACTERS, name.ptr[i]))
            return false;
    }
    return true;
}

/* Suffixes that say what a metric is: of a gauge they would tell a lie, so nothing is told. */
MetricType metric_type_of(ColumnKind kind, Slice name)
{
    static const char *const suffixes[] = {"_total", "_count", "_sum", "_bucket", "_created"};
    if (kind == COLUMN_COUNTER)
        return has_suffix(name, "_total") ? METRIC_COUNTER : METRIC_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        if (has_suffix(name, suffixes[i]))
            return METRIC_UNKNOWN;
    }
    return METRIC_GAUGE;
}

static double factor_of(const FamilyColumn *c, Slice name)
{
    return strcmp(c->unit, "ms") == 0 && slice_find(name, SLICE_LIT("seconds")) >= 0 ? 1e-3 : 1;
}

static int fail(const Maker *m, const FamilyColumn *c, Slice spec, const char *why)
{
    return err_set(m->reterr, ERR_CONFIG, "column %s: prometheus = \"%.*s\": %s", c->name, SLICE_ARG(spec), why);
}

/* --- labels ------------------------------------------------------------------------------------------------------- */

/* Cuts "lower(x)" to x. */
static bool take_lower(Slice *text)
{
    if (!slice_starts_with(*text, SLICE_LIT("lower(")) || !has_suffix(*text, ")"))
        return false;
    *text = slice_from(text->ptr + 6, text->len - 7);
    return true;
}

static bool parse_label(const Maker *m, Slice text, MetricLabel *ret)
{
    *ret = (MetricLabel){0};
    text = slice_trim(text);
    if (has_suffix(text, "!")) {
        ret->needed = true;
        text.len--;
    }
    Slice name = SLICE_NULL;
    if (slice_find(text, SLICE_LIT("=")) >= 0)
        name = slice_split(&text, '=');
    ret->lower = take_lower(&text);
    ret->column = family_find_column(m->family, text);
    if (!ret->column || ret->column->type != COLUMN_TEXT)
        return false;
    ret->name = name.ptr ? arena_dup(m->arena, name).ptr : ret->column->name;
    return name_is_good(slice_cstr(ret->name));
}

static bool has_label(const Metric *metric, const char *name)
{
    for (size_t i = 0; i < metric->label_count; i++) {
        if (strcmp(metric->labels[i].name, name) == 0)
            return true;
    }
    return false;
}

/* @text: what stands between the braces. */
static int parse_labels(const Maker *m, Metric *metric, Slice spec, Slice text)
{
    MetricLabel *labels = arena_new_array(m->arena, MetricLabel, FAMILY_COLUMNS_MAX);
    metric->labels = labels;
    if (slice_trim(text).len == 0)
        return 0;
    while (text.ptr) {
        if (metric->label_count >= FAMILY_COLUMNS_MAX ||
            !parse_label(m, slice_split(&text, ','), &labels[metric->label_count]))
            return fail(m, metric->column, spec, "a label is not a text column of the family");
        if (has_label(metric, labels[metric->label_count].name))
            return fail(m, metric->column, spec, "a label is given twice");
        metric->label_count++;
    }
    return 0;
}

/* All labels of the row, under their own names but for those that the exporter gives. */
static void take_default_labels(const Maker *m, Metric *metric)
{
    static const char *const taken[] = {"server", "le", "quantile"};
    const Family *f = m->family;
    MetricLabel *labels = arena_new_array(m->arena, MetricLabel, f->label_count + 1);
    for (size_t i = 0; i < f->label_count; i++) {
        labels[i] = (MetricLabel){.name = f->columns[i].name, .column = &f->columns[i]};
        for (size_t k = 0; k < ARRAY_LENGTH(taken); k++) {
            if (strcmp(labels[i].name, taken[k]) == 0)
                labels[i].name = arena_printf(m->arena, "%s_%s", f->name, taken[k]);
        }
    }
    metric->labels = labels;
    metric->label_count = f->label_count;
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static void add_metric(Maker *m, Metric *metric)
{
    metric->help = metric->column->help;
    metric->type =
        metric->form == METRIC_FORM_ONE ? METRIC_GAUGE : metric_type_of(metric->column->kind, slice_cstr(metric->name));
    metric->factor = factor_of(metric->column, slice_cstr(metric->name));
    metric->database = m->family->scope == FAMILY_SCOPE_DATABASE && !has_label(metric, "datname");
    m->metrics->items[m->metrics->count++] = *metric;
}

static bool column_has_form(const FamilyColumn *c, MetricForm form)
{
    bool is_text = form == METRIC_FORM_ONE || form == METRIC_FORM_SETTING;
    return is_text ? c->kind == COLUMN_INFO : c->type != COLUMN_TEXT;
}

static int parse_spec(Maker *m, const FamilyColumn *c, Slice spec)
{
    static const char *const forms[_METRIC_FORM_MAX] = {"sum ", "max ", "age ", "one ", "setting "};
    Metric metric = {.column = c, .form = METRIC_FORM_SUM};
    Slice text = slice_trim(spec);
    for (size_t i = 0; i < _METRIC_FORM_MAX; i++) {
        if (slice_starts_with(text, slice_cstr(forms[i]))) {
            metric.form = (MetricForm)i;
            text = slice_trim(slice_skip(text, strlen(forms[i])));
            break;
        }
    }
    bool braces = has_suffix(text, "}");
    Slice rest = braces ? slice_from(text.ptr, text.len - 1) : text;
    Slice name = slice_trim(slice_split(&rest, '{'));
    if (!name_is_good(name) || braces != (rest.ptr != NULL))
        return fail(m, c, spec, "not NAME or NAME{label, ...}; letters are lower-case");
    if (!column_has_form(c, metric.form))
        return fail(m, c, spec, "an info is one or setting, a number is sum, max or age");
    if (metric.form == METRIC_FORM_SETTING && m->family->label_count != 1)
        return fail(m, c, spec, "setting is for families with one label");
    metric.name = arena_dup(m->arena, name).ptr;
    if (metric.form == METRIC_FORM_SETTING)
        metric.labels = NULL; /* it is part of the name */
    else if (!braces)
        take_default_labels(m, &metric);
    int r = braces ? parse_labels(m, &metric, spec, rest) : 0;
    if (r < 0)
        return r;
    add_metric(m, &metric);
    return 0;
}

/* prefix_column, in base units, with what the conventions of Prometheus ask for. */
static void add_default(Maker *m, const FamilyColumn *c)
{
    static const struct {
        const char *unit, *word;
    } units[] = {{"ms", "seconds"}, {"s", "seconds"}, {"bytes", "bytes"}, {"ratio", "ratio"}};
    Slice column = slice_cstr(c->name);
    if (has_suffix(column, "_ms"))
        column.len -= 3;
    const char *prefix = m->family->prometheus[0] ? m->family->prometheus : m->family->name;
    _cleanup_buf_ Buf name = BUF_INIT;
    buf_printf(&name, "%s_%.*s", prefix, SLICE_ARG(column));
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (strcmp(c->unit, units[i].unit) == 0 && slice_find(column, slice_cstr(units[i].word)) < 0)
            buf_printf(&name, "_%s", units[i].word);
    }
    if (c->kind == COLUMN_COUNTER && !has_suffix(column, "_total"))
        buf_append_cstr(&name, "_total");
    Metric metric = {.name = arena_dup(m->arena, buf_slice(&name)).ptr, .column = c, .form = METRIC_FORM_SUM};
    take_default_labels(m, &metric);
    add_metric(m, &metric);
}

static int make_column(Maker *m, const FamilyColumn *c)
{
    size_t count = 0;
    while (c->prometheus && c->prometheus[count])
        count++;
    if (count > METRICS_OF_COLUMN_MAX)
        return fail(m, c, SLICE_LIT("..."), "more than 8 names");
    if (count == 0) {
        if (c->type != COLUMN_TEXT)
            add_default(m, c);
        return 0;
    }
    if (count == 1 && strcmp(c->prometheus[0], "-") == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        int r = parse_spec(m, c, slice_cstr(c->prometheus[i]));
        if (r < 0)
            return r;
    }
    return 0;
}

int family_metrics_make(Arena *arena, const Family *f, FamilyMetrics *ret, Err *reterr)
{
    *ret = (FamilyMetrics){0};
    if (f->mode == FAMILY_MODE_TEXTS || strcmp(f->prometheus, "-") == 0)
        return 0;
    size_t capacity = 0;
    for (size_t i = 0; i < f->column_count; i++) {
        capacity++;
        for (size_t k = 0; f->columns[i].prometheus && f->columns[i].prometheus[k]; k++)
            capacity++;
    }
    Maker m = {.arena = arena, .family = f, .metrics = ret, .reterr = reterr};
    ret->items = arena_new_array(arena, Metric, capacity + 1);
    for (size_t i = 0; i < f->column_count; i++) {
        int r = make_column(&m, &f->columns[i]);
        if (r < 0)
            return r;
    }
    return 0;
}
