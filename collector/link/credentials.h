#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * How this collector presents itself to the backend: what registration wrote to state_dir, with what the settings say
 * instead. Owned strings; the token is wiped when freed. Immutable after loading.
 */
#include "collector/settings/settings.h"

typedef struct Credentials {
    char *collector_id;
    char *api_url;
    char *token;
    char *cert_file; /* NULL: none */
    char *key_file;
    bool own_certificate; /* the files are those of state_dir */
    char *ca_file;        /* NULL: the system's authorities */
    bool registered;      /* state_dir has an identity */
} Credentials;

/* Fails when nothing says where the backend is, or who we are: the hint tells how to register. With an exporter and
 * neither of them there is nothing to present: CREDENTIALS_NONE, and @ret is empty. */
enum { CREDENTIALS_OK, CREDENTIALS_NONE };
int credentials_load(Credentials *ret, const Settings *settings, Err *reterr) MUST_CHECK;
void credentials_done(Credentials *c);

/* Reads certificate and key: do they belong together, and how long are they valid? *ret_days_left may be negative; it
 * is INT64_MAX without a certificate. */
int credentials_check(const Credentials *c, Usec now_wall, int64_t *ret_days_left, Err *reterr) MUST_CHECK;
