#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What a scraper would like to get, by its headers. Pure, any thread. */
#include "lib/telemetry/exposition.h"

/* @accept: the header's value; absent: the text format. OpenMetrics when it is asked for at least as much. */
ExpositionFormat negotiate_format(Slice accept);
/* @accept_encoding: the header's value, or absent. */
bool negotiate_gzip(Slice accept_encoding);
