#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Who this collector is: files in state_dir written by registration (identity.json 0644, collector.key 0600,
 * collector.crt, ca.crt, token 0600), each replaced atomically. Any thread; values are owned strings.
 */
#include <stdbool.h>

#include "lib/base/err.h"

typedef struct Identity {
    char *collector_id;
    char *api_url;
    char *token;
} Identity;

enum { IDENTITY_OK, IDENTITY_ABSENT };
int identity_read(const char *state_dir, Identity *ret, Err *reterr) MUST_CHECK;
void identity_done(Identity *i); /* wipes the token */

typedef struct EnrolOptions {
    const char *api_url;
    const char *ca_file; /* to trust the backend by; NULL: the system's */
    bool verify;
    const char *state_dir;
    const char *secret; /* registration secret */
    const char *name;
    const char *hostname;
    const char *region; /* NULL: none */
} EnrolOptions;

/* Makes a key, sends a request for a certificate, writes the identity. The key never leaves this host. */
int enrol_register(const EnrolOptions *options, Identity *ret, Err *reterr) MUST_CHECK;
