#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the backend tells this collector to collect: asked for by entity tag, tried, kept in state_dir when it is good,
 * given up when it is not, and told back (docs/remote-configuration.md).
 *
 * One object is shared by the sender's thread, which asks, and the main thread, which tries; it outlives senders.
 *
 *   remote-config.toml    the last good document; its first line says which version it is
 *   remote-config.trial   there while one is tried: a version that ended the collector three times is not tried again
 */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/io/http_client.h"

typedef struct RemoteConfig RemoteConfig;

/* @on_document: there is one to be tried; called on the sender's thread. */
RemoteConfig *remote_config_new(const char *state_dir, void (*on_document)(void *arg), void *arg);
RemoteConfig *remote_config_free(RemoteConfig *c); /* NULL allowed; returns NULL */
/* Reads what state_dir has. Failing: as if there were nothing. */
int remote_config_load(RemoteConfig *c, Err *reterr) MUST_CHECK;

/* The document in force, appended to @ret, and its version; 0: none. */
int64_t remote_config_current(RemoteConfig *c, Buf *ret);
/* Takes the document that was asked for last into trial: it is the one in force then. False: there is none. */
bool remote_config_try(RemoteConfig *c);
/* The end of the trial: kept, or the last good one is in force again. Both are told to the backend. */
void remote_config_accept(RemoteConfig *c);
void remote_config_refuse(RemoteConfig *c, const char *reason);
/* What was good cannot be read any more: nothing is in force, and the backend is told why. */
void remote_config_reject_good(RemoteConfig *c, const char *reason);
/* What was refused may be good now (the collector's own settings changed): it is asked for and tried once more. */
void remote_config_retry(RemoteConfig *c);

/* --- the sender's thread --- */

/* @announced: the version that the last push was answered with; negative: none was. */
bool remote_config_is_due(RemoteConfig *c, Usec now, int64_t announced);

typedef struct RemoteAsk {
    HttpClient *http;
    const char *api_url;
    const char *collector_id;
    const char *token;
} RemoteAsk;

/* Asks. A failure is logged and tried again later. */
void remote_config_ask(RemoteConfig *c, const RemoteAsk *ask, Usec now);
