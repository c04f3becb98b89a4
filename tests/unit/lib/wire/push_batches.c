/* SPDX-License-Identifier: PostgreSQL */
/* Batches for tests: see push_batches.h. */
#include "tests/unit/lib/wire/push_batches.h"

#include <math.h>

typedef struct Generator {
    uint64_t state;
    Arena *arena;
} Generator;

/* splitmix64: the same numbers everywhere, unlike rand(). */
static uint64_t draw(Generator *g)
{
    uint64_t z = g->state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static uint64_t below(Generator *g, uint64_t bound)
{
    return draw(g) % bound;
}

static bool one_in(Generator *g, uint64_t n)
{
    return below(g, n) == 0;
}

static Slice draw_text(Generator *g, const char *const pieces[], size_t piece_count, size_t most)
{
    Buf b = BUF_INIT;

    for (size_t n = below(g, most + 1); n > 0; n--)
        buf_append_cstr(&b, pieces[below(g, piece_count)]);
    Slice text = arena_dup(g->arena, buf_slice(&b));
    buf_done(&b);
    return text;
}

/* Any text, control characters and quotes included. */
static Slice any_text(Generator *g)
{
    static const char *const pieces[] = {"a",
                                         "select ",
                                         "\"",
                                         "\\",
                                         "\n",
                                         "\x01",
                                         "\x1f",
                                         "\x7f",
                                         "/",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x90\x98",
                                         "\xed\x9f\xbf",
                                         "{}",
                                         "[1]",
                                         "null"};
    return draw_text(g, pieces, ARRAY_LENGTH(pieces), 12);
}

/* A name that no other index has. */
static Slice any_name(Generator *g, size_t index)
{
    static const char *const pieces[] = {"x", "_", "-", ".", "\"", "\\", "\xc3\xbc", "\xe6\x97\xa5", "'", " "};
    Slice tail = draw_text(g, pieces, ARRAY_LENGTH(pieces), 6);

    return slice_cstr(arena_printf(g->arena, "n%zu%.*s", index, SLICE_ARG(tail)));
}

static Usec any_time(Generator *g)
{
    return USEC_POSTGRES_EPOCH + (Usec)below(g, (uint64_t)6311433599 * USEC_PER_SEC);
}

static double any_double(Generator *g)
{
    static const double odd[] = {0.0,  -0.0, 0.1, 1e300, -1e-300, 5e-324, 1e15, 1e16, 1.5, 9007199254740993.0,
                                 1e19, -3.0};
    double value;

    if (one_in(g, 2))
        return odd[below(g, ARRAY_LENGTH(odd))];
    do {
        uint64_t bits = draw(g);
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

static int64_t any_int(Generator *g)
{
    static const int64_t odd[] = {
        0, 1, -1, INT64_MAX, INT64_MIN, (1LL << 53) + 1, -(1LL << 53) - 1, 1000000000000000000};

    return one_in(g, 2) ? odd[below(g, ARRAY_LENGTH(odd))] : (int64_t)draw(g);
}

static Cell any_cell(Generator *g)
{
    switch (below(g, 4)) {
    case 0:
        return (Cell){.type = CELL_INT, .integer = any_int(g)};
    case 1:
        return (Cell){.type = CELL_FLOAT, .number = any_double(g)};
    case 2:
        return (Cell){.type = CELL_TEXT, .text = any_text(g)};
    default:
        return (Cell){.type = CELL_NULL};
    }
}

static PushServer any_server(Generator *g, size_t index)
{
    PushServer s = {.name = any_name(g, index), .in_recovery = one_in(g, 2), .reachable = one_in(g, 2)};

    if (one_in(g, 2))
        s.system_identifier = slice_cstr(arena_printf(g->arena, "%llu", (unsigned long long)draw(g)));
    if (one_in(g, 2))
        s.version_num = (int64_t)below(g, 200000);
    if (!s.reachable && one_in(g, 2))
        s.error = any_text(g);
    if (one_in(g, 2))
        s.postmaster_start = any_time(g);
    s.interval_ms = (int64_t)below(g, 100000);
    return s;
}

static PushFamily any_family(Generator *g, size_t index)
{
    PushFamily f = {.name = any_name(g, index), .scope = any_name(g, 0), .column_count = below(g, 4)};

    f.interval_s = (int64_t)below(g, 100000);
    if (one_in(g, 2))
        f.help = any_text(g);
    if (one_in(g, 2))
        f.mode = any_name(g, 0);
    f.columns = arena_new_array(g->arena, PushColumn, f.column_count);
    for (size_t i = 0; i < f.column_count; i++) {
        f.columns[i] = (PushColumn){.name = any_name(g, i), .kind = any_name(g, 0), .type = any_name(g, 0)};
        if (one_in(g, 2))
            f.columns[i].unit = any_name(g, 0);
        if (one_in(g, 2))
            f.columns[i].help = any_text(g);
    }
    return f;
}

static PushFrame any_frame(Generator *g, const PushBatch *batch)
{
    PushFrame f = {.family = any_name(g, 0),
                   .server = batch->servers[below(g, batch->server_count)].name,
                   .time = any_time(g),
                   .interval_ms = (int64_t)below(g, 100000),
                   .keyframe = one_in(g, 2),
                   .gap = one_in(g, 2),
                   .column_count = 1 + below(g, one_in(g, 10) ? WIRE_COLUMNS_MAX : 6),
                   .row_count = below(g, 8)};

    if (one_in(g, 2))
        f.database = any_name(g, 0);
    f.columns = arena_new_array(g->arena, Slice, f.column_count);
    for (size_t i = 0; i < f.column_count; i++)
        f.columns[i] = any_name(g, i);
    f.cells = arena_new_array(g->arena, Cell, f.column_count * f.row_count);
    for (size_t i = 0; i < f.column_count * f.row_count; i++)
        f.cells[i] = any_cell(g);
    return f;
}

static PushMetric any_metric(Generator *g)
{
    PushMetric m = {.name = any_name(g, 0), .value = any_double(g), .label_count = below(g, 4)};

    if (one_in(g, 2))
        m.time = any_time(g);
    m.label_names = arena_new_array(g->arena, Slice, m.label_count);
    m.label_values = arena_new_array(g->arena, Slice, m.label_count);
    for (size_t i = 0; i < m.label_count; i++) {
        m.label_names[i] = any_name(g, i);
        m.label_values[i] = any_text(g);
    }
    return m;
}

PushBatch push_batches_random(uint64_t seed, Arena *arena)
{
    Generator g = {.state = seed, .arena = arena};
    PushBatch b = {.collector_id = any_name(&g, 0), .server_count = below(&g, 4), .metric_count = below(&g, 4)};

    if (one_in(&g, 2)) {
        b.spool = any_name(&g, 0);
        b.sequence = 1 + (int64_t)below(&g, INT64_MAX);
    }
    if (one_in(&g, 2))
        b.sent_at = any_time(&g);
    if (one_in(&g, 2))
        b.agent_version = any_name(&g, 0);
    b.servers = arena_new_array(arena, PushServer, b.server_count);
    for (size_t i = 0; i < b.server_count; i++)
        b.servers[i] = any_server(&g, i);
    b.family_count = below(&g, 3);
    b.families = arena_new_array(arena, PushFamily, b.family_count);
    for (size_t i = 0; i < b.family_count; i++)
        b.families[i] = any_family(&g, i);
    b.frame_count = b.server_count > 0 ? below(&g, 5) : 0;
    b.frames = arena_new_array(arena, PushFrame, b.frame_count);
    for (size_t i = 0; i < b.frame_count; i++)
        b.frames[i] = any_frame(&g, &b);
    b.metrics = arena_new_array(arena, PushMetric, b.metric_count);
    for (size_t i = 0; i < b.metric_count; i++)
        b.metrics[i] = any_metric(&g);
    return b;
}

/* A family as a collector reads it: the first columns are labels, then increases, then some times in milliseconds. */
typedef struct Shape {
    const char *family;
    const char *label; /* printf format of a label with the row's number */
    size_t rows;
    size_t labels;
    size_t integers;
    size_t numbers;
} Shape;

static PushFrame shaped_frame(Generator *g, const Shape *shape, Slice server, Usec time)
{
    size_t width = shape->labels + shape->integers + shape->numbers;
    PushFrame f = {.family = slice_cstr(shape->family),
                   .server = server,
                   .time = time,
                   .interval_ms = 10000,
                   .column_count = width,
                   .row_count = shape->rows};

    f.columns = arena_new_array(g->arena, Slice, width);
    for (size_t i = 0; i < width; i++)
        f.columns[i] = slice_cstr(arena_printf(g->arena, "%s_column_%zu", shape->family, i));
    f.cells = arena_new_array(g->arena, Cell, width * shape->rows);
    for (size_t i = 0; i < width * shape->rows; i++) {
        size_t column = i % width;
        if (column < shape->labels)
            f.cells[i] = (Cell){.type = CELL_TEXT,
                                .text = slice_cstr(arena_printf(g->arena, "%s_%zu", shape->label, i / width))};
        else if (one_in(g, 12))
            f.cells[i] = (Cell){.type = CELL_NULL};
        else if (column < shape->labels + shape->integers) /* most increases are small, some are large */
            f.cells[i] = (Cell){.type = CELL_INT, .integer = (int64_t)(draw(g) >> (24 + below(g, 40)))};
        else
            f.cells[i] = (Cell){.type = CELL_FLOAT, .number = (double)below(g, 100000000) / 1000.0};
    }
    return f;
}

PushBatch push_batches_realistic(uint64_t seed, Arena *arena)
{
    static const Shape shapes[] = {
        {"pg_stat_user_tables", "public.pgbench_accounts", 400, 3, 23, 0},
        {"pg_stat_statements", "-6172183402198512", 500, 4, 14, 6},
        {"pg_stat_user_indexes", "public.pgbench_accounts_pkey", 200, 4, 8, 0},
        {"pg_stat_database", "database", 4, 1, 24, 4},
        {"pg_settings", "shared_buffers", 46, 2, 14, 0},
    };
    Generator g = {.state = seed, .arena = arena};
    PushBatch b = {.collector_id = SLICE_LIT("5b0f2c1e-6a55-4c0e-9f43-3f1f7f0c8a11"),
                   .spool = SLICE_LIT("0d1c7e32-18a5-4b7f-8d8e-0c41c6a2b9d4"),
                   .sequence = 4711,
                   .sent_at = any_time(&g),
                   .agent_version = SLICE_LIT("3.0.0"),
                   .server_count = 1,
                   .frame_count = ARRAY_LENGTH(shapes)};

    b.servers = arena_new_object(arena, PushServer);
    b.servers[0] = (PushServer){.name = SLICE_LIT("main"),
                                .system_identifier = SLICE_LIT("7310561892340982374"),
                                .version_num = 150020,
                                .reachable = true,
                                .interval_ms = 10000};
    b.frames = arena_new_array(arena, PushFrame, b.frame_count);
    for (size_t i = 0; i < b.frame_count; i++)
        b.frames[i] = shaped_frame(&g, &shapes[i], b.servers[0].name, b.sent_at);
    return b;
}

static bool cells_equal(const Cell *a, const Cell *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case CELL_INT:
        return a->integer == b->integer;
    case CELL_FLOAT:
        return a->number == b->number;
    case CELL_TEXT:
        return slice_eq(a->text, b->text);
    case CELL_NULL:
        break;
    }
    return true;
}

static bool texts_equal(Slice a, Slice b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && slice_eq(a, b);
}

static const char *server_difference(const PushServer *a, const PushServer *b)
{
    if (!texts_equal(a->name, b->name) || !texts_equal(a->system_identifier, b->system_identifier))
        return "server name or identifier";
    if (a->version_num != b->version_num || a->in_recovery != b->in_recovery || a->reachable != b->reachable)
        return "server state";
    if (!texts_equal(a->error, b->error))
        return "server error";
    return a->postmaster_start != b->postmaster_start || a->interval_ms != b->interval_ms ? "server times" : NULL;
}

static const char *family_difference(const PushFamily *a, const PushFamily *b)
{
    if (!texts_equal(a->name, b->name) || !texts_equal(a->help, b->help) || !texts_equal(a->scope, b->scope) ||
        !texts_equal(a->mode, b->mode) || a->interval_s != b->interval_s || a->column_count != b->column_count)
        return "family";
    for (size_t i = 0; i < a->column_count; i++) {
        const PushColumn *x = &a->columns[i], *y = &b->columns[i];
        if (!texts_equal(x->name, y->name) || !texts_equal(x->kind, y->kind) || !texts_equal(x->type, y->type) ||
            !texts_equal(x->unit, y->unit) || !texts_equal(x->help, y->help))
            return "column of a family";
    }
    return NULL;
}

static const char *frame_difference(const PushFrame *a, const PushFrame *b)
{
    if (!texts_equal(a->family, b->family) || !texts_equal(a->server, b->server) ||
        !texts_equal(a->database, b->database))
        return "frame names";
    if (a->time != b->time || a->interval_ms != b->interval_ms || a->keyframe != b->keyframe || a->gap != b->gap)
        return "frame head";
    if (a->column_count != b->column_count || a->row_count != b->row_count)
        return "frame size";
    for (size_t i = 0; i < a->column_count; i++)
        if (!texts_equal(a->columns[i], b->columns[i]))
            return "column";
    for (size_t i = 0; i < a->column_count * a->row_count; i++)
        if (!cells_equal(&a->cells[i], &b->cells[i]))
            return "cell";
    return NULL;
}

static const char *metric_difference(const PushMetric *a, const PushMetric *b)
{
    if (!texts_equal(a->name, b->name) || a->value != b->value || a->time != b->time ||
        a->label_count != b->label_count)
        return "metric";
    for (size_t i = 0; i < a->label_count; i++)
        if (!texts_equal(a->label_names[i], b->label_names[i]) || !texts_equal(a->label_values[i], b->label_values[i]))
            return "label";
    return NULL;
}

const char *push_batches_difference(const PushBatch *a, const PushBatch *b)
{
    const char *found = NULL;

    if (!texts_equal(a->collector_id, b->collector_id) || !texts_equal(a->spool, b->spool) ||
        a->sequence != b->sequence || a->sent_at != b->sent_at || !texts_equal(a->agent_version, b->agent_version))
        return "batch head";
    if (a->family_count != b->family_count || a->server_count != b->server_count || a->frame_count != b->frame_count ||
        a->metric_count != b->metric_count)
        return "batch size";
    for (size_t i = 0; i < a->server_count && !found; i++)
        found = server_difference(&a->servers[i], &b->servers[i]);
    for (size_t i = 0; i < a->family_count && !found; i++)
        found = family_difference(&a->families[i], &b->families[i]);
    for (size_t i = 0; i < a->frame_count && !found; i++)
        found = frame_difference(&a->frames[i], &b->frames[i]);
    for (size_t i = 0; i < a->metric_count && !found; i++)
        found = metric_difference(&a->metrics[i], &b->metrics[i]);
    return found;
}
