#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sample table: how often sessions were seen doing the same, within one window. Bounded: of one window at most
 * SAMPLE_KEYS_MAX different rows are told apart, and of those the most frequent are written. What does not fit is
 * summed up in rows called "other", one for each kind of wait and state, so that sums by these two are always true.
 * Pure, one thread.
 */
#include "collector/reading/rows.h"

/* What tells rows apart: columns of family session_samples, labels first. */
typedef enum SampleField {
    SAMPLE_WAIT_EVENT_TYPE,
    SAMPLE_WAIT_EVENT,
    SAMPLE_STATE,
    SAMPLE_BACKEND_TYPE,
    SAMPLE_DATNAME,
    SAMPLE_USENAME,
    SAMPLE_APPLICATION_NAME,
    SAMPLE_QUERYID, /* from here on no labels: they would make a series each */
    SAMPLE_CLIENT_ADDR,
    SAMPLE_BLOCKER,
    _SAMPLE_FIELD_MAX
} SampleField;

enum { SAMPLE_KEYS_MAX = 4000, SAMPLE_FIELD_BYTES_MAX = 255 };

/* One session in one sample; absent and empty are the same. */
typedef struct Sample {
    Slice fields[_SAMPLE_FIELD_MAX];
} Sample;

typedef struct SampleTable SampleTable;

SampleTable *sample_table_new(void);
SampleTable *sample_table_free(SampleTable *t); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(SampleTable *, sample_table_free)

/* Copies what it keeps. Fields are cut to SAMPLE_FIELD_BYTES_MAX; the application's name is cleaned (below). */
void sample_table_add(SampleTable *t, const Sample *sample);
uint64_t sample_table_samples(const SampleTable *t); /* since the last take */
/* Adds the @max most frequent rows and those called "other" to @rows, which were begun for family session_samples, and
 * forgets them all. @seconds: what one sample stands for. */
void sample_table_take(SampleTable *t, size_t max, double seconds, Rows *rows);

/* Appends @name with what is ever new in it as "#": runs of four and more digits, and words of eight and more
 * hexadecimal digits with a decimal one among them (process ids, ports, times, parts of UUIDs). "worker 3" and
 * "app 2.1" stay as they are. */
void sample_clean_application(Slice name, Buf *out);
