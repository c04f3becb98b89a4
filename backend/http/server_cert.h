#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The server's own certificate: read once, handed to each TLS handshake, replaceable at any time. A handshake that has
 * begun keeps what it was given; what was replaced is kept for as long as a handshake may last. Any thread.
 */
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

typedef struct HttpServerCert HttpServerCert;

HttpServerCert *http_server_cert_new(void);
HttpServerCert *http_server_cert_free(HttpServerCert *c); /* no handshake may run any more */
DEFINE_CLEANUP(HttpServerCert *, http_server_cert_free)

/* ERR_TLS: unreadable, the key does not belong to the certificate, or it has expired. On failure the old one stays.
 * @now: monotonic; material replaced more than @keep before is freed. */
int http_server_cert_set(HttpServerCert *c, Slice certificate_pem, Slice key_pem, Usec now, Usec keep,
                         Err *reterr) MUST_CHECK;
/* For the certificate callback of a handshake. False: none was set. */
bool http_server_cert_get(HttpServerCert *c, gnutls_pcert_st **ret_chain, unsigned *ret_count,
                          gnutls_privkey_t *ret_key);
