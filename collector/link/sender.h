#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Sender: one thread that posts the spools' batches to the backend, in order within a spool, in turn among the spools,
 * over one kept connection. An answer in the backend's own form acknowledges; 429 and 503 obey Retry-After; failures
 * back off exponentially with jitter. A batch that the backend itself refuses for good is acknowledged, counted
 * and logged with the backend's reason: it must not block those behind it. Everything else keeps the batch. The keeper
 * renews the credentials in between; the token also once when the backend does not take it.
 */
#include <stdatomic.h>

#include "collector/link/identity.h"
#include "collector/link/keeper.h"
#include "collector/spool/spool.h"

typedef struct Sender Sender;

typedef struct SenderOptions {
    const char *api_url; /* "https://host:port", without a path */
    const char *ca_file;
    const char *cert_file;
    const char *key_file;
    bool renew_certificate; /* the files are those of state_dir: see keeper.h */
    bool verify;
    const char *state_dir; /* where renewed credentials are written */
    const char *token;     /* as read at start */
    const char *collector_id;
    Usec flush_interval;         /* spools are looked at this often even if nobody calls sender_wake(); 0: a minute */
    struct RemoteConfig *remote; /* asked for over the same connection; borrowed; NULL: not */
    Usec stall;                  /* a thread that does not come forward for so long is stuck; 0: ten minutes */
    Usec backoff_base;           /* 0: half a second; tests have less patience */
    Usec backoff_cap;            /* 0: a minute */
} SenderOptions;

typedef struct SenderStats {
    _Atomic uint64_t sent_batches;
    _Atomic uint64_t sent_bytes;
    _Atomic uint64_t duplicate_batches; /* the backend had them already */
    _Atomic uint64_t refused_batches;
    _Atomic uint64_t failures;
    _Atomic bool failing;            /* the last attempt concerned everybody, and failed */
    _Atomic int64_t alive_until;     /* monotonic: not come forward by then, the thread is stuck */
    _Atomic int64_t last_success;    /* wall */
    _Atomic int64_t clock_skew_usec; /* backend minus us */
    _Atomic int64_t config_version;  /* as the backend last said; -1: not yet */
} SenderStats;

/* The strings are copied, the spools borrowed: they outlive the sender. */
int sender_start(Sender **ret, const SenderOptions *options, Spool *const *spools, size_t spool_count,
                 Err *reterr) MUST_CHECK;
/* A batch was appended. Any thread. */
void sender_wake(Sender *s);
/* Sends what is there for at most @grace, or until the first failure; then ends the thread. Returns NULL. */
Sender *sender_stop(Sender *s, Usec grace);
const SenderStats *sender_stats(const Sender *s);
const KeeperStats *sender_keeper_stats(const Sender *s);
