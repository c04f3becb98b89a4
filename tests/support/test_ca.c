/* SPDX-License-Identifier: PostgreSQL */
/* A certificate authority for tests. */
#include "tests/support/test_ca.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(expression)                                                                                               \
    do {                                                                                                               \
        if (!(expression)) {                                                                                           \
            (void)fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #expression);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static const long hour = 3600;

static void set_times(X509 *x, long from, long until)
{
    MUST(X509_gmtime_adj(X509_getm_notBefore(x), from));
    MUST(X509_gmtime_adj(X509_getm_notAfter(x), until));
}

static void set_serial(X509 *x, const char *hex)
{
    BIGNUM *number = NULL;
    MUST(BN_hex2bn(&number, hex));
    MUST(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)));
    BN_free(number);
}

static void set_name(X509_NAME *name, const char *common_name)
{
    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0));
}

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    MUST(extension);
    MUST(X509_add_ext(x, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *common_name, const char *serial)
{
    X509 *x = X509_new();
    MUST(x && X509_set_version(x, 2) && X509_set_pubkey(x, key));
    set_serial(x, serial);
    set_name(X509_get_subject_name(x), common_name);
    return x;
}

static void take_pem(BIO *bio, Buf *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    buf_append(out, slice_from(text, (size_t)len));
    BIO_free(bio);
}

static void write_certificate(X509 *x, Buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(bio && PEM_write_bio_X509(bio, x));
    take_pem(bio, out);
}

static void write_key(EVP_PKEY *key, Buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    MUST(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    take_pem(bio, out);
}

void test_ca_init(TestCa *ca, const char *common_name)
{
    *ca = (TestCa){.key = EVP_EC_gen("P-256")};
    MUST(ca->key);
    ca->certificate = make_certificate(ca->key, common_name, "01");
    MUST(X509_set_issuer_name(ca->certificate, X509_get_subject_name(ca->certificate)));
    set_times(ca->certificate, -hour, 24 * hour);
    add_extension(ca->certificate, ca->certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca->certificate, ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca->certificate, ca->certificate, NID_subject_key_identifier, "hash");
    MUST(X509_sign(ca->certificate, ca->key, EVP_sha256()));
    write_certificate(ca->certificate, &ca->pem);
}

void test_ca_done(TestCa *ca)
{
    EVP_PKEY_free(ca->key);
    X509_free(ca->certificate);
    buf_done(&ca->pem);
}

void test_ca_issue(const TestCa *ca, const TestCertOptions *options, TestCert *ret)
{
    *ret = (TestCert){0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    MUST(key);
    X509 *x = make_certificate(key, options->common_name, options->serial_hex ? options->serial_hex : "0a1b2c");
    MUST(X509_set_issuer_name(x, X509_get_subject_name(ca->certificate)));
    set_times(x, options->valid_from_seconds ? options->valid_from_seconds : -hour,
              options->valid_until_seconds ? options->valid_until_seconds : hour);
    add_extension(x, ca->certificate, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(x, ca->certificate, NID_key_usage, "critical,digitalSignature");
    add_extension(x, ca->certificate, NID_ext_key_usage, options->server ? "serverAuth" : "clientAuth");
    if (options->server)
        add_extension(x, ca->certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    MUST(X509_sign(x, ca->key, EVP_sha256()));
    write_certificate(x, &ret->certificate_pem);
    write_key(key, &ret->key_pem);
    X509_free(x);
    EVP_PKEY_free(key);
}

void test_cert_done(TestCert *c)
{
    buf_done(&c->certificate_pem);
    buf_done(&c->key_pem);
}
