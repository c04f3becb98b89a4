/* SPDX-License-Identifier: PostgreSQL */
/* Keys, requests, certificates: made here, read back by OpenSSL; what does not belong together is refused. */
#include "tests/support/unit.h"

#include <openssl/pem.h>

#include "lib/io/tls.h"
#include "tests/support/test_ca.h"

static void makes_a_p256_key(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf pem = BUF_INIT, other = BUF_INIT;
    assert_ok(tls_key_generate(&pem, &e), &e);
    assert_ok(tls_key_generate(&other, &e), &e);
    assert_true(slice_starts_with(buf_slice(&pem), SLICE_LIT("-----BEGIN PRIVATE KEY-----\n")));
    assert_false(slice_eq(buf_slice(&pem), buf_slice(&other)));
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    char group[64] = "";
    assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
    assert_string_equal(group, "prime256v1");
    EVP_PKEY_free(key);
    BIO_free(bio);
}

static void makes_a_request_signed_by_the_key(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf key = BUF_INIT, csr = BUF_INIT;
    assert_ok(tls_key_generate(&key, &e), &e);
    assert_ok(tls_csr_make(buf_slice(&key), "db-server-\xC3\xA4", &csr, &e), &e);
    BIO *bio = BIO_new_mem_buf(csr.ptr, (int)csr.len);
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    assert_non_null(request);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    const X509_NAME *subject = X509_REQ_get_subject_name(request);
    const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0));
    assert_slice(slice_from(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name)), "db-server-\xC3\xA4");
    X509_REQ_free(request);
    BIO_free(bio);
}

static void refuses_names_and_keys_it_cannot_use(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf key = BUF_INIT, csr = BUF_INIT;
    assert_ok(tls_key_generate(&key, &e), &e);
    assert_true(tls_csr_make(buf_slice(&key), "", &csr, &e) < 0);
    assert_err(&e, ERR_TLS, "has 0 bytes; 1 to 64");
    char name[66] = "";
    memset(name, 'x', 65);
    assert_true(tls_csr_make(buf_slice(&key), name, &csr, &e) < 0);
    assert_err(&e, ERR_TLS, "has 65 bytes; 1 to 64");
    name[64] = '\0';
    assert_ok(tls_csr_make(buf_slice(&key), name, &csr, &e), &e);
    assert_true(tls_csr_make(buf_slice(&key), "not \xFF utf-8", &csr, &e) < 0);
    assert_err(&e, ERR_TLS, "making a certificate request: ");
    assert_true(tls_csr_make(SLICE_LIT("garbage"), "x", &csr, &e) < 0);
    assert_err(&e, ERR_TLS, "the private key cannot be read");
    assert_true(tls_csr_make(SLICE_NULL, "x", &csr, &e) < 0);
}

/* It must not ask at the terminal. */
static void refuses_a_key_with_a_password(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char password[] = "secret";
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), password, (int)strlen(password), NULL, NULL), 1);
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    _cleanup_buf_ Buf csr = BUF_INIT;
    assert_true(tls_csr_make(slice_from(bytes, (size_t)len), "x", &csr, &e) < 0);
    assert_err(&e, ERR_TLS, "the private key cannot be read");
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static void reads_a_certificate(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    TestCa ca;
    TestCert cert;
    test_ca_init(&ca, "test CA");
    test_ca_issue(&ca,
                  &(TestCertOptions){.common_name = "collector-1", .serial_hex = "0A1B2C", .valid_until_seconds = 7200},
                  &cert);
    TlsCertInfo info;
    assert_ok(tls_cert_read(buf_slice(&cert.certificate_pem), &info, &e), &e);
    assert_string_equal(info.serial, "a1b2c");
    assert_string_equal(info.common_name, "collector-1");
    Usec now = clock_wall();
    assert_in_range(info.not_after - now, 7190 * USEC_PER_SEC, 7200 * USEC_PER_SEC);
    assert_in_range(now - info.not_before, 3599 * USEC_PER_SEC, 3610 * USEC_PER_SEC);

    /* The first of several counts. */
    buf_append(&cert.certificate_pem, buf_slice(&ca.pem));
    assert_ok(tls_cert_read(buf_slice(&cert.certificate_pem), &info, &e), &e);
    assert_string_equal(info.common_name, "collector-1");
    test_cert_done(&cert);
    test_ca_done(&ca);
}

static void refuses_what_is_no_certificate(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    TlsCertInfo info;
    assert_true(tls_cert_read(SLICE_LIT("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &info, &e) <
                0);
    assert_err(&e, ERR_TLS, "the certificate cannot be read: ");
    assert_true(tls_cert_read(SLICE_LIT(""), &info, &e) < 0);
    assert_true(tls_cert_read(SLICE_NULL, &info, &e) < 0);
    assert_err(&e, ERR_TLS, "the certificate cannot be read: no start line");
}

/* A certificate as X.509 does not allow it: subject and serial number are the test's. */
static Buf strange_cert(const char *const *names, const char *serial_hex)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    BIGNUM *number = NULL;
    assert_true(BN_hex2bn(&number, serial_hex) > 0);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
    for (; *names; names++)
        assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                                    (const unsigned char *)*names, -1, -1, 0),
                         1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 60));
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    Buf pem = BUF_INIT;
    buf_append(&pem, slice_from(bytes, (size_t)len));
    BIO_free(bio);
    BN_free(number);
    X509_free(cert);
    EVP_PKEY_free(key);
    return pem;
}

static void copes_with_strange_subjects_and_serials(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    TlsCertInfo info;
    _cleanup_buf_ Buf nameless = strange_cert((const char *[]){NULL}, "0");
    assert_ok(tls_cert_read(buf_slice(&nameless), &info, &e), &e);
    assert_string_equal(info.common_name, "");
    assert_string_equal(info.serial, "0");

    _cleanup_buf_ Buf twice = strange_cert((const char *[]){"first", "\xE2\x82\xAC last", NULL}, "00FF");
    assert_ok(tls_cert_read(buf_slice(&twice), &info, &e), &e);
    assert_string_equal(info.common_name, "\xE2\x82\xAC last");
    assert_string_equal(info.serial, "ff");

    _cleanup_buf_ Buf long_serial =
        strange_cert((const char *[]){"x", NULL}, "1111111111111111111111111111111111111111111111111111111111111111");
    assert_true(tls_cert_read(buf_slice(&long_serial), &info, &e) < 0);
    assert_err(&e, ERR_TLS, "serial number is longer");
}

static void knows_which_key_belongs(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    TestCa ca;
    TestCert one, two;
    test_ca_init(&ca, "test CA");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "one"}, &one);
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "two"}, &two);
    assert_ok(tls_cert_check_key(buf_slice(&one.certificate_pem), buf_slice(&one.key_pem), &e), &e);
    assert_true(tls_cert_check_key(buf_slice(&one.certificate_pem), buf_slice(&two.key_pem), &e) < 0);
    assert_err(&e, ERR_TLS, "the private key does not belong to the certificate");
    assert_true(tls_cert_check_key(buf_slice(&one.certificate_pem), SLICE_LIT("x"), &e) < 0);
    assert_err(&e, ERR_TLS, "the private key cannot be read");
    assert_true(tls_cert_check_key(SLICE_LIT("x"), buf_slice(&one.key_pem), &e) < 0);
    assert_err(&e, ERR_TLS, "the certificate cannot be read");
    test_cert_done(&one);
    test_cert_done(&two);
    test_ca_done(&ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_a_p256_key),
        cmocka_unit_test(makes_a_request_signed_by_the_key),
        cmocka_unit_test(refuses_names_and_keys_it_cannot_use),
        cmocka_unit_test(refuses_a_key_with_a_password),
        cmocka_unit_test(reads_a_certificate),
        cmocka_unit_test(refuses_what_is_no_certificate),
        cmocka_unit_test(copes_with_strange_subjects_and_serials),
        cmocka_unit_test(knows_which_key_belongs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
