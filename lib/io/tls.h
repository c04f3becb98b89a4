#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Keys, certificate requests and certificates as PEM, over OpenSSL. Any thread; secrets are wiped after use. */
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

int tls_key_generate(Buf *ret_key_pem, Err *reterr) MUST_CHECK; /* ECDSA P-256, PKCS#8 */
int tls_csr_make(Slice key_pem, const char *common_name, Buf *ret_csr_pem, Err *reterr) MUST_CHECK;

typedef struct TlsCertInfo {
    Usec not_before;
    Usec not_after;
    char serial[64];       /* lower-case hex without leading zeros */
    char common_name[128]; /* cut to fit */
} TlsCertInfo;

/* The first certificate in @cert_pem. */
int tls_cert_read(Slice cert_pem, TlsCertInfo *ret, Err *reterr) MUST_CHECK;
/* ERR_TLS when the key does not belong to the certificate. */
int tls_cert_check_key(Slice cert_pem, Slice key_pem, Err *reterr) MUST_CHECK;
