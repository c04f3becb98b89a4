/* SPDX-License-Identifier: PostgreSQL */
/*
 * Keys, requests and certificates as PEM, over OpenSSL 3. Any thread: no state but OpenSSL's error queue, which belongs
 * to the thread and is emptied into the Err. What held a private key is wiped before it is freed.
 */
#include "lib/io/tls.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>

DEFINE_CLEANUP(BIO *, BIO_free)

static inline void key_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}
static inline void cert_freep(X509 **cert)
{
    X509_free(*cert);
}
static inline void csr_freep(X509_REQ **csr)
{
    X509_REQ_free(*csr);
}
static inline void number_freep(BIGNUM **number)
{
    BN_free(*number);
}

/* @what and the reason that OpenSSL gives. */
static int fail(Err *reterr, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return err_set(reterr, ERR_TLS, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

/* Appends what the BIO holds; room is made first, so that growing leaves no copy of a secret behind. */
static void append_bio(Buf *ret, BIO *bio)
{
    char *bytes;
    long len = BIO_get_mem_data(bio, &bytes);
    buf_reserve(ret, (size_t)len);
    buf_append(ret, slice_from(bytes, (size_t)len));
}

/* Instead of OpenSSL's own, which would ask at the terminal. */
static int refuse_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int read_key(Slice pem, EVP_PKEY **ret, Err *reterr)
{
    _cleanup_(BIO_freep) BIO *bio = BIO_new_mem_buf(pem.ptr ? pem.ptr : "", (int)pem.len);
    *ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL) : NULL;
    return *ret ? 0 : fail(reterr, "the private key cannot be read");
}

static int read_cert(Slice pem, X509 **ret, Err *reterr)
{
    _cleanup_(BIO_freep) BIO *bio = BIO_new_mem_buf(pem.ptr ? pem.ptr : "", (int)pem.len);
    *ret = bio ? PEM_read_bio_X509(bio, NULL, refuse_password, NULL) : NULL;
    return *ret ? 0 : fail(reterr, "the certificate cannot be read");
}

int tls_key_generate(Buf *ret_key_pem, Err *reterr)
{
    _cleanup_(key_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
    _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    if (!key || !bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
        return fail(reterr, "making a private key"); /* GCOV_EXCL_LINE: out of memory or of entropy */
    append_bio(ret_key_pem, bio);
    return 0;
}

enum { COMMON_NAME_MAX = 64 }; /* ub-common-name of RFC 5280 */

int tls_csr_make(Slice key_pem, const char *common_name, Buf *ret_csr_pem, Err *reterr)
{
    size_t len = strlen(common_name);
    if (len == 0 || len > COMMON_NAME_MAX)
        return err_set(reterr, ERR_TLS, "the common name \"%s\" has %zu bytes; 1 to %d are allowed", common_name, len,
                       COMMON_NAME_MAX);
    _cleanup_(key_freep) EVP_PKEY *key = NULL;
    int r = read_key(key_pem, &key, reterr);
    if (r < 0)
        return r;

    _cleanup_(csr_freep) X509_REQ *csr = X509_REQ_new();
    _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
    if (!csr || !bio ||
        !X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(csr), NID_commonName, MBSTRING_UTF8,
                                    (const unsigned char *)common_name, (int)len, -1, 0) ||
        !X509_REQ_set_pubkey(csr, key) || !X509_REQ_sign(csr, key, EVP_sha256()) || !PEM_write_bio_X509_REQ(bio, csr))
        return fail(reterr, "making a certificate request");
    append_bio(ret_csr_pem, bio);
    return 0;
}

static Usec wall_of(const ASN1_TIME *t)
{
    struct tm utc = {0};
    return ASN1_TIME_to_tm(t, &utc) ? (Usec)timegm(&utc) * USEC_PER_SEC : 0;
}

static bool read_serial(const X509 *cert, char *ret, size_t size)
{
    _cleanup_(number_freep) BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    if (!hex)
        return false; /* GCOV_EXCL_LINE: out of memory */
    const char *from = hex;
    while (*from == '0' && from[1] != '\0')
        from++;
    bool fits = strlen(from) < size;
    for (size_t i = 0; fits; i++) {
        ret[i] = (char)(from[i] >= 'A' && from[i] <= 'F' ? from[i] - 'A' + 'a' : from[i]);
        if (from[i] == '\0')
            break;
    }
    OPENSSL_free(hex);
    return fits;
}

/* The last common name is the most specific one; none gives "". */
static void read_common_name(const X509 *cert, char *ret, size_t size)
{
    ret[0] = '\0';
    const X509_NAME *subject = X509_get_subject_name(cert);
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        last = at;
    if (last < 0)
        return;
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    if (len < 0)
        return; /* GCOV_EXCL_LINE: out of memory */
    Slice rest = slice_from(utf8, (size_t)len);
    size_t at = 0;
    for (size_t n; (n = slice_utf8_length(rest)) > 0 && at + n < size; rest = slice_skip(rest, n), at += n)
        memcpy(ret + at, rest.ptr, n);
    ret[at] = '\0';
    OPENSSL_free(utf8);
}

int tls_cert_read(Slice cert_pem, TlsCertInfo *ret, Err *reterr)
{
    _cleanup_(cert_freep) X509 *cert = NULL;
    int r = read_cert(cert_pem, &cert, reterr);
    if (r < 0)
        return r;
    *ret =
        (TlsCertInfo){.not_before = wall_of(X509_get0_notBefore(cert)), .not_after = wall_of(X509_get0_notAfter(cert))};
    if (!read_serial(cert, ret->serial, sizeof(ret->serial)))
        return err_set(reterr, ERR_TLS, "the certificate's serial number is longer than X.509 allows");
    read_common_name(cert, ret->common_name, sizeof(ret->common_name));
    return 0;
}

int tls_cert_check_key(Slice cert_pem, Slice key_pem, Err *reterr)
{
    _cleanup_(cert_freep) X509 *cert = NULL;
    _cleanup_(key_freep) EVP_PKEY *key = NULL;
    int r = read_cert(cert_pem, &cert, reterr);
    if (r == 0)
        r = read_key(key_pem, &key, reterr);
    if (r < 0)
        return r;
    if (X509_check_private_key(cert, key) != 1)
        return fail(reterr, "the private key does not belong to the certificate");
    return 0;
}
