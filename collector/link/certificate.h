#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The client certificate that registration wrote to state_dir: when the next one is due, asking for it, and replacing
 * key and certificate as one. A file can be replaced at once, two cannot, so both go into renewed.pem first:
 *   1. renewed.pem (key and certificate, 0600) is written and synced: from here on the new pair is the one in force
 *   2. collector.key, then collector.crt are replaced
 *   3. renewed.pem is removed
 * Whoever finds renewed.pem uses it and nothing else; the running collector carries on from step 2. So there is a pair
 * that belongs together after a kill at any instruction. One writer: the collector that holds the lock of state_dir.
 */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/io/http_client.h"

/* When two thirds of the life are over (wall). */
Usec certificate_due(Usec not_before, Usec not_after);
bool certificate_is_due(Usec not_before, Usec not_after, Usec now);

typedef struct CertificateRequest {
    HttpClient *http; /* shows the present certificate */
    const char *api_url;
    const char *collector_id;
    const char *token;
} CertificateRequest;

/* Makes a key and asks for a certificate for it. @ret_pem: the key, then the certificate, checked to belong together;
 * wipe it. */
int certificate_request(const CertificateRequest *request, Buf *ret_pem, Err *reterr) MUST_CHECK;
/* Step 1. */
int certificate_keep(const char *state_dir, Slice pem, Err *reterr) MUST_CHECK;
/* Steps 2 and 3, where step 1 was done; else nothing. Failing costs nothing: renewed.pem stays in force. */
int certificate_finish(const char *state_dir, Err *reterr) MUST_CHECK;
/* The files in force (owned): both are renewed.pem, or collector.crt and collector.key, NULL where there is none. */
void certificate_files(const char *state_dir, char **ret_cert_file, char **ret_key_file);
