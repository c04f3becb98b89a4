#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Exporter: answers scrapes of /metrics over plain HTTP from the snapshots; a scrape causes no query. One thread of its
 * own for all addresses, driven by poll(): asleep while nobody asks. Bounded: connections, the head of a request, the
 * time a request or an answer may take. An answer is made at most once a second for each form, however many ask.
 */
#include "collector/exporter/snapshots.h"
#include "lib/telemetry/exposition.h"

typedef struct Exporter Exporter;

enum {
    EXPORTER_CONNECTIONS_MAX = 64,   /* of each address; more wait until one is free */
    EXPORTER_HEAD_BYTES_MAX = 16384, /* memory for a connection: bounds the head of a request (431) */
};
#define EXPORTER_IDLE_MAX    (150 * USEC_PER_SEC) /* between requests, and for the head of one */
#define EXPORTER_REQUEST_MAX (30 * USEC_PER_SEC)  /* from the head of a request to the end of its answer */

typedef struct ExporterOptions {
    const char *listen;   /* "127.0.0.1:9187, [::1]:9187"; read at the start only */
    const char *token;    /* asked for of others than loopback; "": nobody is asked. Copied */
    Snapshots *snapshots; /* borrowed */
    /* Appends metrics of the collector itself; on the exporter's thread. */
    void (*on_own_metrics)(void *arg, Buf *out, ExpositionFormat format);
    void *arg;
    Usec request_max; /* 0: EXPORTER_REQUEST_MAX; tests have less patience */
} ExporterOptions;

int exporter_start(Exporter **ret, const ExporterOptions *options, Err *reterr) MUST_CHECK;
Exporter *exporter_stop(Exporter *e); /* connections are cut; NULL allowed; returns NULL */
DEFINE_CLEANUP(Exporter *, exporter_stop)
