/* SPDX-License-Identifier: PostgreSQL */
/* What the collector tells of itself: the cost of each family, and the budget of all. */
#include "collector/server/session_private.h"
#include "lib/base/log.h"

static void add_cost_row(Session *s, const FamilyCost *cost, Usec interval)
{
    if (cost->runs == 0 || !rows_add(&s->rows))
        return;
    rows_set_text(&s->rows, "family", slice_cstr(cost->family));
    rows_set_int(&s->rows, "runs", (int64_t)cost->runs);
    rows_set_int(&s->rows, "errors", (int64_t)cost->errors);
    rows_set_float(&s->rows, "sql_ms", (double)cost->sql / (double)USEC_PER_MSEC);
    rows_set_int(&s->rows, "rows", (int64_t)cost->rows);
    rows_set_int(&s->rows, "bytes", (int64_t)cost->bytes);
    if (interval)
        rows_set_float(&s->rows, "interval", (double)interval / (double)USEC_PER_SEC);
}

/* How often it is read now; 0: of a host family, which cost the server nothing. */
static Usec effective_interval(const Session *s, const FamilyState *state)
{
    return state->family->scope == FAMILY_SCOPE_HOST ? 0 : s->server_schedule.entries.items[state->entry].effective;
}

static void fill_collector_rows(Session *s, Usec now)
{
    (void)now;
    for (size_t i = 0; i < s->family_count; i++) {
        const FamilyState *state = &s->families[i];
        add_cost_row(s,
                     &(FamilyCost){.family = state->family->name,
                                   .runs = state->runs,
                                   .errors = state->errors,
                                   .rows = state->rows,
                                   .bytes = state->bytes,
                                   .sql = state->cost},
                     effective_interval(s, state));
    }
    FamilyCost cost;
    for (size_t i = 0; s->options.costs && family_costs_at(s->options.costs, i, &cost); i++)
        add_cost_row(s, &cost, 0);
}

static Usec spent_in_all(const Session *s)
{
    Usec spent = s->connecting;
    FamilyCost cost;
    for (size_t i = 0; i < s->family_count; i++)
        spent += s->families[i].family->scope == FAMILY_SCOPE_HOST ? 0 : s->families[i].cost;
    for (size_t i = 0; s->options.costs && family_costs_at(s->options.costs, i, &cost); i++)
        spent += cost.sql;
    return spent;
}

void session_note_spending(Session *s, Usec now)
{
    Usec spent = spent_in_all(s);
    cost_window_add(&s->spending, spent - s->spent, now);
    s->spent = spent;
}

/* The server's family of the schedule's entry; NULL: none. */
static const FamilyState *family_of_entry(const Session *s, size_t entry)
{
    for (size_t i = 0; i < s->family_count; i++) {
        if (s->families[i].family->scope != FAMILY_SCOPE_HOST && s->families[i].entry == entry)
            return &s->families[i];
    }
    return NULL;
}

static void fill_budget_row(Session *s, Usec now)
{
    session_note_spending(s, now);
    size_t dearest = SIZE_MAX;
    size_t stretched = schedule_stretched(&s->server_schedule, &dearest);
    const FamilyState *state = family_of_entry(s, dearest);
    if (!rows_add(&s->rows))
        return;
    rows_set_float(&s->rows, "budget", s->server_schedule.budget * 100);
    rows_set_float(&s->rows, "used", cost_window_share(&s->spending, now) * 100);
    rows_set_float(&s->rows, "planned", schedule_share(&s->server_schedule) * 100);
    rows_set_float(&s->rows, "connect_ms", (double)s->connecting / (double)USEC_PER_MSEC);
    rows_set_int(&s->rows, "stretched", (int64_t)stretched);
    rows_set_int(&s->rows, "stretching", stretched > 0);
    if (state)
        rows_set_text(&s->rows, "dearest", slice_cstr(state->family->name));
}

void session_tell_stretching(Session *s)
{
    size_t dearest = SIZE_MAX;
    size_t count = schedule_stretched(&s->server_schedule, &dearest);
    if ((count > 0) == s->stretches)
        return;
    s->stretches = count > 0;
    const FamilyState *state = family_of_entry(s, dearest);
    if (state)
        log_warn("reading would cost more than its budget, the dearest families are read less often",
                 log_str("server", s->options.server->name), log_int("families", (int64_t)count),
                 log_str("dearest", state->family->name),
                 log_int("interval_s", effective_interval(s, state) / USEC_PER_SEC));
    else
        log_info("all families are read at their own intervals again", log_str("server", s->options.server->name));
}

static const OwnFamily OWN_FAMILIES[] = {{"collector_budget", fill_budget_row},
                                         {"collector_family", fill_collector_rows}};

const OwnFamily *session_own_family(const Family *f)
{
    for (size_t i = 0; i < ARRAY_LENGTH(OWN_FAMILIES); i++) {
        if (strcmp(OWN_FAMILIES[i].name, f->name) == 0)
            return &OWN_FAMILIES[i];
    }
    return NULL;
}
