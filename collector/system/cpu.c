/* SPDX-License-Identifier: PostgreSQL */
/*
 * How the processors spent the interval, from /proc/stat: the difference of two readings as shares of its sum. The
 * first reading gives no row. The kernel counts guest time in user time already, so the guest columns are not read; its
 * iowait may run backwards, which counts as standing still.
 */
#include "collector/system/procfs.h"

static const char *const COLUMNS[SYSTEM_CPU_STATES] = {
    "usr", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
};

static bool parse(Slice text, int64_t ret[SYSTEM_CPU_STATES], int64_t *ret_count)
{
    bool found = false;
    Slice line, name;
    *ret_count = 0;
    while (procfs_next_line(&text, &line)) {
        if (!procfs_next_field(&line, &name) || !slice_starts_with(name, SLICE_LIT("cpu")))
            continue;
        if (name.len > 3)
            (*ret_count)++;
        else
            found = procfs_numbers(line, ret, SYSTEM_CPU_STATES) == SYSTEM_CPU_STATES;
    }
    return found;
}

static int read_cpu(SystemHost *host, Rows *rows, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/stat", &text, reterr);
    if (r < 0)
        return r;
    int64_t now[SYSTEM_CPU_STATES], count;
    if (!parse(buf_slice(&text), now, &count))
        return err_set(reterr, ERR_SYNTAX, "/proc/stat: no line \"cpu\" with %d numbers", SYSTEM_CPU_STATES);

    double spent[SYSTEM_CPU_STATES], sum = 0;
    for (size_t i = 0; i < SYSTEM_CPU_STATES; i++) {
        spent[i] = now[i] > host->cpu_before[i] ? (double)(now[i] - host->cpu_before[i]) : 0;
        sum += spent[i];
    }
    bool is_first = !host->cpu_known;
    memcpy(host->cpu_before, now, sizeof(now));
    host->cpu_known = true;
    if (is_first || sum <= 0 || !rows_add(rows))
        return 0;
    rows_set_text(rows, "cpu", SLICE_LIT("all"));
    for (size_t i = 0; i < SYSTEM_CPU_STATES; i++)
        rows_set_float(rows, COLUMNS[i], spent[i] / sum);
    rows_set_int(rows, "count", count);
    return 0;
}

const SystemSource system_cpu = {.family = "system_cpu", .read = read_cpu};
