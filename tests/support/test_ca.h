#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A certificate authority for tests, over OpenSSL: makes what real ones would give, and what they must not. Aborts on
 * failure: a test that cannot make its certificates has nothing to say. */
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "lib/base/buf.h"

typedef struct TestCa {
    EVP_PKEY *key;
    X509 *certificate;
    Buf pem;
} TestCa;

typedef struct TestCert {
    Buf certificate_pem;
    Buf key_pem;
} TestCert;

typedef struct TestCertOptions {
    const char *common_name;
    const char *serial_hex;   /* NULL: "0a1b2c" */
    bool server;              /* purpose TLS server with DNS:localhost, IP:127.0.0.1; else TLS client */
    long valid_from_seconds;  /* from now; default 0 means an hour ago */
    long valid_until_seconds; /* from now; default 0 means in an hour */
} TestCertOptions;

void test_ca_init(TestCa *ca, const char *common_name);
void test_ca_done(TestCa *ca);
void test_ca_issue(const TestCa *ca, const TestCertOptions *options, TestCert *ret);
void test_cert_done(TestCert *c);
