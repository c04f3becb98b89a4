#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who this collector is: files in state_dir written by registration, each replaced atomically:
 *   identity.json   0644  {"collector_id", "api_url", "name"}; written last, so that it is there when all are
 *   collector.key   0600  private key, made here
 *   collector.crt   0644  certificate for it
 *   renewed.pem     0600  while there is one: key and certificate instead of those two (certificate.h)
 *   token           0600  JWT
 *   ca.crt          0644  by whom the backend is trusted; absent: by whom the system trusts
 * Any thread; values are owned strings.
 */
#include <stdbool.h>

#include "lib/base/err.h"

typedef struct Identity {
    char *collector_id;
    char *api_url;
    char *token; /* NULL: there is no such file */
} Identity;

enum { IDENTITY_OK, IDENTITY_ABSENT };
/* IDENTITY_ABSENT: not registered, @ret is empty. */
int identity_read(const char *state_dir, Identity *ret, Err *reterr) MUST_CHECK;
void identity_done(Identity *i); /* wipes the token */

typedef struct EnrolOptions {
    const char *api_url; /* "https://host:port" */
    const char *ca_file; /* to trust the backend by; NULL: the system's */
    bool verify;
    const char *state_dir;
    const char *secret; /* registration secret */
    const char *name;
    const char *hostname;
    const char *region; /* NULL: none */
} EnrolOptions;

/* Makes a key, sends a request for a certificate, writes the identity. The key never leaves this host. Failing: what
 * state_dir held before is still there, unless it was the writing that failed. */
int enrol_register(const EnrolOptions *options, Identity *ret, Err *reterr) MUST_CHECK;
