#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Certificate authority of the collectors: signs their requests, and the backend's own server certificate where none
 * was given. Its key comes from files, or is made once and kept encrypted in the store, so that all backends of one
 * store share it. Immutable after ca_open(); any thread.
 */
#include "backend/auth/seal.h"
#include "backend/store/store.h"
#include "lib/io/tls.h"

typedef struct Ca Ca;

typedef struct CaOptions {
    const char *cert_file; /* "" or NULL: built-in, from the store */
    const char *key_file;
    Store *store;
    const Seal *seal;     /* encrypts the built-in key */
    const char *data_dir; /* where ca.crt is written for people; NULL: nowhere */
    Usec now;             /* wall */
    Usec client_lifetime; /* of the certificates of collectors; 0: a year */
} CaOptions;

int ca_open(Ca **ret, const CaOptions *options, Err *reterr) MUST_CHECK;
Ca *ca_free(Ca *ca);
DEFINE_CLEANUP(Ca *, ca_free)

Slice ca_certificate_pem(const Ca *ca);

/* A client certificate for @common_name (a collector's id) with the key of @csr_pem, whose signature is checked and
 * whose own names are not believed. ERR_UNPROCESSABLE: the request is no good. */
int ca_issue_client(const Ca *ca, Slice csr_pem, const char *common_name, Usec now, Buf *ret_cert_pem,
                    Err *reterr) MUST_CHECK;

/* A server certificate with a new key for a comma list of host names and addresses. One year. */
int ca_issue_server(const Ca *ca, const char *names, Usec now, Buf *ret_cert_pem, Buf *ret_key_pem,
                    Err *reterr) MUST_CHECK;
