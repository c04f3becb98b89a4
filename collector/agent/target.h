#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Target: one monitored server and the thread that reads it, so that one that hangs hurts itself alone. Each tick gives
 * one batch (several when it would be too large): increases are computed, the baseline is written, the batch goes to
 * the spool, the baseline moves (docs/spool.md, section 6). A server that cannot be reached still gives a batch that
 * says so. Where scrapes are answered, each reading goes to the snapshots too; without a spool only there.
 */
#include <stdatomic.h>

#include "collector/agent/connect_gate.h"
#include "collector/exporter/snapshots.h"
#include "collector/settings/settings.h"
#include "collector/spool/spool.h"

typedef struct Target Target;

typedef struct TargetOptions {
    SettingsRef *settings;        /* a reference is taken */
    const ServerSettings *server; /* of these settings */
    Spool *spool;                 /* borrowed; NULL: nothing is kept to be sent */
    Snapshots *snapshots;         /* borrowed; NULL: nobody scrapes */
    ConnectGate *gate;            /* borrowed; of all targets */
    const char *collector_id;     /* copied; NULL without a spool */
    Usec delay;                   /* begin that much later */
    void (*on_append)(void *arg); /* a batch is in the spool; called on the target's thread */
    void *arg;
} TargetOptions;

typedef struct TargetStats {
    _Atomic uint64_t batches;       /* put into the spool */
    _Atomic uint64_t lost_batches;  /* could not be: their increases went into the next one */
    _Atomic uint64_t lost_readings; /* of threads beside the tick, given up when no batch could be kept for long */
    _Atomic uint64_t resets;        /* rows whose counters began again */
    _Atomic bool reachable;
    _Atomic int64_t alive_until;      /* monotonic: not come forward by then, the thread is stuck */
    const char *_Atomic stuck_part;   /* what is read beside the tick and hangs, as of the last one; NULL: nothing */
    _Atomic uint64_t ticks;           /* in which the server was read */
    _Atomic uint64_t families_read;   /* of the server, at the last try of each */
    _Atomic uint64_t families_failed; /* refused by the server, or too slow */
} TargetStats;

int target_start(Target **ret, const TargetOptions *options, Err *reterr) MUST_CHECK;
/* Asks the thread to end behind the tick it is in; any thread. Several can be asked before the first is waited for. */
void target_ask_to_stop(Target *t);
Target *target_stop(Target *t); /* asks, waits, frees; NULL allowed; returns NULL */

const char *target_name(const Target *t);
const ServerSettings *target_server(const Target *t);
const TargetStats *target_stats(const Target *t);
/* Appends what target_status.h says, as of the last tick; nothing before the first. Any thread. */
void target_status(Target *t, Buf *out);
