#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Counters of what collectors were given, for /metrics. */
#include "lib/telemetry/telemetry.h"

extern const TelemetryEntry collectors_telemetry[];
extern const size_t collectors_telemetry_count;
