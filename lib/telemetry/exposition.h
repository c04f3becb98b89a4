#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What Prometheus reads, in its two forms: the text format 0.0.4 and OpenMetrics 1.0. The pieces of which own metrics
 * and the collector's exporter are made. All samples of a metric stand together behind its head. Pure, any thread.
 */
#include "lib/base/buf.h"

typedef enum ExpositionFormat { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS, _EXPOSITION_FORMAT_MAX } ExpositionFormat;

const char *exposition_content_type(ExpositionFormat format);

/* HELP and TYPE. @type: "counter", "gauge", "histogram" or "unknown" (which the older format calls untyped). The name
 * of a counter ends with _total; OpenMetrics' head has it without. */
void exposition_append_head(Buf *out, ExpositionFormat format, const char *name, const char *type, const char *help);
/* name="value", the value escaped; no comma. */
void exposition_append_label(Buf *out, const char *name, Slice value);
/* With its line's end. */
void exposition_append_value(Buf *out, double value);
/* Behind everything. */
void exposition_append_end(Buf *out, ExpositionFormat format);
