#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The hourly work on the store: partitions made ahead, partitions past retention dropped whole, series and statement
 * texts that nothing refers to any more collected. One thread; several backends may run it at once (advisory lock).
 */
#include "backend/store/store.h"

typedef struct Maintenance Maintenance;

/* What is due at @now, as days since 1970-01-01 UTC. Pure. */
typedef struct MaintenancePlan {
    int64_t make_first_day;
    int64_t make_last_day;   /* included */
    int64_t drop_before_day; /* partitions of days before this one hold nothing within retention */
} MaintenancePlan;
MaintenancePlan maintenance_plan(Usec now_wall, Usec retention);

/* One round, as the thread does it. */
int maintenance_run(Store *s, Usec now_wall, Err *reterr) MUST_CHECK;

int maintenance_start(Maintenance **ret, Store *s, Err *reterr) MUST_CHECK;
Maintenance *maintenance_stop(Maintenance *m); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(Maintenance *, maintenance_stop)
