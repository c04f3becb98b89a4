#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Counters of POST /metrics/push, for /metrics. */
#include "lib/telemetry/telemetry.h"

extern const TelemetryEntry push_telemetry[];
extern const size_t push_telemetry_count;
