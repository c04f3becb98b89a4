/* SPDX-License-Identifier: PostgreSQL */
/*
 * See epoch.h. pg_stat_archiver.stats_reset is set when a server starts without usable statistics (first start, crash
 * recovery, promotion of another machine) and is carried over a clean restart, on every version: it is the birth of the
 * statistics, which the postmaster's start is not.
 */
#include "collector/server/epoch.h"

#include <inttypes.h>
#include <stdio.h>

/* A threshold is a number with its unit, -1 for none; what a library that is not there has been told may be anything.
 */
#define LOGS_STATEMENTS                                                                                                \
    "current_setting('log_statement') = 'all'"                                                                         \
    " or coalesce(current_setting('log_transaction_sample_rate', true), '0') <> '0'"                                   \
    " or coalesce(current_setting('log_parameter_max_length_on_error', true), '0') <> '0'"                             \
    " or coalesce(current_setting('pgaudit.log_parameter', true), '') = 'on'"                                          \
    " or exists (select from unnest(array['log_min_duration_statement', 'log_min_duration_sample',"                    \
    " 'auto_explain.log_min_duration']) as s(name) where case when current_setting(name, true)"                        \
    " ~ '^[0-9]{1,9}(us|ms|s)?$' then current_setting(name, true)::interval < '100ms' end)"

static const char PULSE_SQL[] =
    "select pg_is_in_recovery(), (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8,"
    " (select stats_reset from pg_stat_archiver)::text, " LOGS_STATEMENTS;

static const char DATABASE_SQL[] =
    "select stats_reset::text, " LOGS_STATEMENTS " from pg_stat_database where datname = current_database()";

typedef struct PulseReader {
    Pulse pulse;
    int result;
    Err err;
} PulseReader;

static int on_pulse(void *arg, const PGresult *result, int row)
{
    PulseReader *reader = arg;
    Pulse *pulse = &reader->pulse;
    pulse->in_recovery = PQgetvalue(result, row, 0)[0] == 't';
    int64_t start;
    if (slice_to_int64(slice_cstr(PQgetvalue(result, row, 1)), &start))
        pulse->postmaster_start = start;
    (void)snprintf(pulse->statistics_reset, sizeof(pulse->statistics_reset), "%s", PQgetvalue(result, row, 2));
    pulse->logs_statements = PQgetvalue(result, row, 3)[0] == 't';
    return 0;
}

static void on_pulse_end(void *arg, const PgStepEnd *end)
{
    PulseReader *reader = arg;
    reader->result = end->result;
    reader->err = *end->err;
}

int pulse_read(PgConn *c, const PgStep *with, Pulse *ret, Err *reterr)
{
    PulseReader reader = {.result = 0};
    PgStep steps[2] = {{
        .query = {.sql = PULSE_SQL, .timeout = 5 * USEC_PER_SEC, .prepared_name = "pulse"},
        .one_piece = true,
        .arg = &reader,
        .on_row = on_pulse,
        .on_end = on_pulse_end,
    }};
    if (with)
        steps[1] = *with;
    int r = pg_conn_pipeline(c, steps, with ? 2 : 1, reterr);
    if (r < 0)
        return err_trace(r);
    if (reader.result < 0) {
        if (reterr)
            *reterr = reader.err;
        return err_trace(reader.result);
    }
    *ret = reader.pulse;
    return 0;
}

static int on_database(void *arg, const PGresult *result, int row)
{
    DatabasePulse *pulse = &((DatabasePulseStep *)arg)->pulse;
    (void)snprintf(pulse->statistics_reset, sizeof(pulse->statistics_reset), "%s", PQgetvalue(result, row, 0));
    pulse->logs_statements = PQgetvalue(result, row, 1)[0] == 't';
    return 0;
}

static void on_database_end(void *arg, const PgStepEnd *end)
{
    DatabasePulseStep *step = arg;
    step->result = end->result;
    step->err = *end->err;
}

PgStep epoch_database_step(DatabasePulseStep *ret)
{
    return (PgStep){
        .query = {.sql = DATABASE_SQL, .timeout = 5 * USEC_PER_SEC, .prepared_name = "database_pulse"},
        .one_piece = true,
        .arg = ret,
        .on_row = on_database,
        .on_end = on_database_end,
    };
}

void epoch_format(Buf *out, uint64_t system_identifier, const Pulse *pulse, const char *database_reset)
{
    buf_clear(out);
    buf_printf(out, "%" PRIu64 " %s", system_identifier, pulse->statistics_reset);
    if (database_reset[0])
        buf_printf(out, " %s", database_reset);
}
