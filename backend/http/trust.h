#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Trust: which client certificates are accepted. libmicrohttpd asks clients for a certificate but does not insist; we
 * verify what came against our own list, which can be replaced while connections stand. Any thread.
 */
#include <gnutls/gnutls.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

/* What a client showed. Accepted: serial is not "". Refused: fault is not "". Neither: nothing was shown. */
typedef struct HttpCertificate {
    char serial[64]; /* lower-case hex without leading zeros */
    char name[128];  /* common name, cut to fit */
    char fault[160];
    Usec not_after; /* wall; an accepted one is refused from then on */
} HttpCertificate;

typedef struct HttpTrust HttpTrust;

HttpTrust *http_trust_new(void); /* trusts nobody */
HttpTrust *http_trust_free(HttpTrust *t);
DEFINE_CLEANUP(HttpTrust *, http_trust_free)

/* Replaces the list by the certificates in @ca_pem. On failure the old list stays. */
int http_trust_set(HttpTrust *t, Slice ca_pem, Err *reterr) MUST_CHECK;
/* Changes with every http_trust_set(): what was verified under another generation is verified again. 0: no list. */
uint64_t http_trust_generation(const HttpTrust *t);

/* Verifies chain, time and purpose (TLS client). @chain: DER, leaf first, as gnutls_certificate_get_peers() gives. */
void http_trust_verify(HttpTrust *t, const gnutls_datum_t *chain, unsigned count, HttpCertificate *ret);
/* The same for what a trusted proxy hands over in a header: URL-encoded PEM (nginx) or base64 DER, bare (HAProxy) or
 * between colons (RFC 9440). */
void http_trust_verify_text(HttpTrust *t, Slice text, HttpCertificate *ret);
/* An accepted certificate that ran out since becomes a refused one. */
void http_certificate_check_time(HttpCertificate *c, Usec now_wall);
