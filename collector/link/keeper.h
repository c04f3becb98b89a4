#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Keeper: the credentials of a running collector and the HTTPS client that shows them. Renews the certificate when two
 * thirds of its life are over and the token 30 days before its end, tries again with back-off, takes over files that
 * somebody replaced, and warns in time when nothing does. The sender's thread; statistics are atomics.
 */
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/io/http_client.h"

typedef struct Keeper Keeper;

typedef struct KeeperOptions {
    const char *api_url;
    const char *collector_id;
    const char *state_dir; /* the token is there, and the certificate when it is ours */
    const char *token;     /* as read at start */
    const char *ca_file;   /* NULL: the system's authorities */
    const char *cert_file; /* NULL: none */
    const char *key_file;
    bool renew_certificate; /* the files are those of state_dir: ours to replace */
    bool verify;
} KeeperOptions;

typedef struct KeeperStats {
    _Atomic int64_t certificate_not_after; /* wall; 0: no certificate, or not known */
    _Atomic int64_t certificate_due;       /* wall; to be renewed from then on */
    _Atomic int64_t token_expiry;          /* wall; 0: not known */
    _Atomic uint64_t certificates_renewed, certificate_failures;
    _Atomic uint64_t tokens_renewed, token_failures;
    _Atomic uint64_t files_replaced; /* by somebody else, and taken over */
} KeeperStats;

int keeper_new(Keeper **ret, const KeeperOptions *options, Err *reterr) MUST_CHECK;
Keeper *keeper_free(Keeper *k);
DEFINE_CLEANUP(Keeper *, keeper_free)

/* Both are good until the next call that is not const. */
HttpClient *keeper_http(const Keeper *k);
const char *keeper_token(const Keeper *k);

/* Does what is due; failures are logged, and counted. Returns when it wants to be called again (monotonic): later than
 * @now, within a minute. */
Usec keeper_tend(Keeper *k, Usec now, Usec now_wall);
/* The backend does not take the token: asks for another one. True when there is one. */
bool keeper_renew_token(Keeper *k);
/* Any thread: see http_client_abort(). */
void keeper_abort(Keeper *k);
const KeeperStats *keeper_stats(const Keeper *k);
