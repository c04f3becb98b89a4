/* SPDX-License-Identifier: PostgreSQL */
/* Certificate authority: see ca.h. X.509 by OpenSSL; ECDSA P-256 with SHA-256 throughout. */
#include "backend/auth/ca.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sodium.h>

#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/io/file.h"
#include "lib/json/json.h"

enum { CA_YEARS = 20, PEM_MAX = 64 << 10, SERIAL_BYTES = 16 };

/* Names under which the built-in authority lies in pganalytics.secrets. */
static const char secret_name[] = "ca";

static const Usec day = 86400 * USEC_PER_SEC;
static const Usec leaf_lifetime = 365 * day;

/* Certificates begin a little in the past: a collector's clock may be behind ours. Of a short life only a part of it,
 * because a collector renews when a share of the life is over. */
static long backdate_seconds(Usec lifetime)
{
    const Usec most = 300 * USEC_PER_SEC, share = lifetime / 10;
    return (long)((share < most ? share : most) / USEC_PER_SEC);
}

struct Ca {
    X509 *certificate;
    EVP_PKEY *key;
    char *certificate_pem;
    Usec client_lifetime;
};

static void x509_freep(X509 **x)
{
    X509_free(*x);
}
static void req_freep(X509_REQ **r)
{
    X509_REQ_free(*r);
}
static void pkey_freep(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}
static void bio_freep(BIO **b)
{
    (void)BIO_free_all(*b); /* memory only */
}

static int tls_fail(Err *reterr, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int r = err_set(reterr, ERR_TLS, "%s: %s", what, reason ? reason : "unknown cause");

    ERR_clear_error();
    return r;
}

/* OpenSSL would ask at the terminal, or read standard input, for the password of a text that says it has one. */
static int refuse_password(char *buffer UNUSED, int size UNUSED, int writing UNUSED, void *arg UNUSED)
{
    return -1;
}

static BIO *bio_of(Slice pem)
{
    return BIO_new_mem_buf(pem.ptr, (int)pem.len);
}

static void bio_to_buf(BIO *bio, Buf *ret)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(bio, &bytes);

    buf_append(ret, slice_from(bytes, (size_t)length));
}

static int certificate_to_pem(X509 *certificate, Buf *ret, Err *reterr)
{
    _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

    if (!bio || PEM_write_bio_X509(bio, certificate) != 1)
        return tls_fail(reterr, "the certificate could not be written");
    bio_to_buf(bio, ret);
    return 0;
}

/* What all our certificates have in common. */
typedef struct CertificateSpec {
    const char *common_name;
    EVP_PKEY *public_key;
    X509 *issuer; /* NULL: self-signed */
    EVP_PKEY *signing_key;
    Usec now;
    Usec lifetime;
    const char *const (*extensions)[2]; /* {name, value}, ended by {NULL, NULL} */
} CertificateSpec;

static bool serial_set(X509 *x)
{
    uint8_t bytes[SERIAL_BYTES];

    random_bytes(bytes, sizeof bytes);
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and never shorter */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
    BN_free(number);
    return ok;
}

static bool subject_set(X509 *x, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(x);

    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"pgAnalytics", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static bool extensions_add(X509 *x, X509 *issuer, const char *const (*extensions)[2])
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer ? issuer : x, x, NULL, NULL, 0);
    for (; (*extensions)[0]; extensions++) {
        X509_EXTENSION *e = X509V3_EXT_conf(NULL, &context, (*extensions)[0], (*extensions)[1]);
        bool ok = e && X509_add_ext(x, e, -1) == 1;
        X509_EXTENSION_free(e);
        if (!ok)
            return false;
    }
    return true;
}

static int certificate_make(const CertificateSpec *spec, X509 **ret, Err *reterr)
{
    _cleanup_(x509_freep) X509 *x = X509_new();
    time_t now = (time_t)(spec->now / USEC_PER_SEC);

    if (!x || X509_set_version(x, X509_VERSION_3) != 1 || !serial_set(x) || !subject_set(x, spec->common_name) ||
        X509_set_issuer_name(x, X509_get_subject_name(spec->issuer ? spec->issuer : x)) != 1 ||
        !X509_time_adj_ex(X509_getm_notBefore(x), 0, -backdate_seconds(spec->lifetime), &now) ||
        !X509_time_adj_ex(X509_getm_notAfter(x), (int)(spec->lifetime / day),
                          (long)(spec->lifetime % day / USEC_PER_SEC), &now) ||
        X509_set_pubkey(x, spec->public_key) != 1 || !extensions_add(x, spec->issuer, spec->extensions) ||
        X509_sign(x, spec->signing_key, EVP_sha256()) == 0)
        return tls_fail(reterr, "a certificate could not be made");
    *ret = TAKE_PTR(x);
    return 0;
}

static int key_read(Slice pem, EVP_PKEY **ret, Err *reterr)
{
    _cleanup_(bio_freep) BIO *bio = bio_of(pem);

    *ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, NULL) : NULL;
    return *ret ? 0 : tls_fail(reterr, "the private key could not be read");
}

static int ca_from_pem(Ca *ca, Slice certificate_pem, Slice key_pem, Err *reterr)
{
    _cleanup_(bio_freep) BIO *bio = bio_of(certificate_pem);
    _cleanup_buf_ Buf pem = BUF_INIT;

    ca->certificate = bio ? PEM_read_bio_X509(bio, NULL, refuse_password, NULL) : NULL;
    if (!ca->certificate)
        return tls_fail(reterr, "the CA certificate could not be read");
    int r = key_read(key_pem, &ca->key, reterr);
    if (r < 0)
        return r;
    if (X509_check_private_key(ca->certificate, ca->key) != 1)
        return tls_fail(reterr, "the CA key does not belong to the CA certificate");
    if (X509_check_ca(ca->certificate) != 1)
        return err_set(reterr, ERR_TLS, "the CA certificate may not sign others (basicConstraints CA:true is missing)");
    r = certificate_to_pem(ca->certificate, &pem, reterr);
    if (r < 0)
        return r;
    ca->certificate_pem = buf_take(&pem);
    return 0;
}

static int ca_make(Usec now, Buf *ret_certificate_pem, Buf *ret_key_pem, Err *reterr)
{
    static const char *const extensions[][2] = {
        {"basicConstraints", "critical,CA:TRUE,pathlen:0"},
        {"keyUsage", "critical,keyCertSign,cRLSign"},
        {"subjectKeyIdentifier", "hash"},
        {NULL, NULL},
    };
    _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
    _cleanup_(x509_freep) X509 *x = NULL;

    int r = tls_key_generate(ret_key_pem, reterr);
    if (r < 0)
        return r;
    r = key_read(buf_slice(ret_key_pem), &key, reterr);
    if (r < 0)
        return r;
    r = certificate_make(&(CertificateSpec){.common_name = "pgAnalytics collectors",
                                            .public_key = key,
                                            .signing_key = key,
                                            .now = now,
                                            .lifetime = CA_YEARS * leaf_lifetime,
                                            .extensions = extensions},
                         &x, reterr);
    if (r < 0)
        return r;
    return certificate_to_pem(x, ret_certificate_pem, reterr);
}

static void hex_append(Buf *out, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        buf_printf(out, "%02x", ((const uint8_t *)bytes)[i]);
}

static int hex_read(Slice text, Buf *ret, Err *reterr)
{
    size_t bytes = 0;

    buf_reserve(ret, text.len / 2);
    if (sodium_hex2bin((unsigned char *)ret->ptr + ret->len, text.len / 2, text.ptr, text.len, NULL, &bytes, NULL) != 0)
        return err_set(reterr, ERR_CORRUPT, "stored secret %s is not hexadecimal", secret_name);
    ret->len += bytes;
    ret->ptr[ret->len] = '\0';
    return 0;
}

/* What is sealed: the certificate's PEM, then the key's, in one text. */
static int store_keep(const CaOptions *o, Slice both, Err *reterr)
{
    _cleanup_buf_ Buf sealed = BUF_INIT;
    _cleanup_buf_ Buf nonce_hex = BUF_INIT;
    _cleanup_buf_ Buf sealed_hex = BUF_INIT;
    _cleanup_buf_ Buf answer = BUF_INIT;
    uint8_t nonce[SEAL_NONCE_BYTES];

    int r = seal_encrypt(o->seal, secret_name, both, nonce, &sealed, reterr);
    if (r < 0)
        return r;
    hex_append(&nonce_hex, nonce, sizeof nonce);
    hex_append(&sealed_hex, sealed.ptr, sealed.len);
    /* Another backend may be first: then its authority is the one, and ours is forgotten. */
    return store_query(o->store, "secret_insert",
                       STORE_PARAMS(secret_name, o->seal->key_id, buf_cstr(&nonce_hex), buf_cstr(&sealed_hex)),
                       clock_monotonic() + 30 * USEC_PER_SEC, &answer, reterr);
}

static int store_fetch(const CaOptions *o, Buf *ret_both, Err *reterr)
{
    _cleanup_buf_ Buf answer = BUF_INIT;
    _cleanup_buf_ Buf nonce = BUF_INIT;
    _cleanup_buf_ Buf sealed = BUF_INIT;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;

    int r = store_query(o->store, "secret_get", STORE_PARAMS(secret_name), clock_monotonic() + 30 * USEC_PER_SEC,
                        &answer, reterr);
    if (r != STORE_OK)
        return r;
    r = json_parse(buf_slice(&answer), (JsonLimits){.bytes = PEM_MAX * 4, .depth = 4}, &doc, reterr);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *key_id = yyjson_get_str(yyjson_obj_get(root, "key_id"));
    if (!key_id || strcmp(key_id, o->seal->key_id) != 0) {
        r = err_set(reterr, ERR_CONFIG, "the CA's key in the store is encrypted with another ENCRYPTION_KEY (id %s)",
                    key_id ? key_id : "unknown");
        err_hint(reterr, "set ENCRYPTION_KEY to the one of the first start; the one in use has id %s", o->seal->key_id);
        return r;
    }
    r = hex_read(slice_cstr(yyjson_get_str(yyjson_obj_get(root, "nonce"))), &nonce, reterr);
    if (r < 0)
        return r;
    r = hex_read(slice_cstr(yyjson_get_str(yyjson_obj_get(root, "ciphertext"))), &sealed, reterr);
    if (r < 0)
        return r;
    if (nonce.len != SEAL_NONCE_BYTES)
        return err_set(reterr, ERR_CORRUPT, "stored secret %s has a nonce of %zu bytes", secret_name, nonce.len);
    return seal_decrypt(o->seal, secret_name, (const uint8_t *)nonce.ptr, buf_slice(&sealed), ret_both, reterr);
}

static int ca_from_store(Ca *ca, const CaOptions *o, Err *reterr)
{
    _cleanup_buf_ Buf both = BUF_INIT;

    int r = store_fetch(o, &both, reterr);
    if (r < 0)
        return r;
    if (r == STORE_EMPTY) {
        _cleanup_buf_ Buf made = BUF_INIT;
        _cleanup_buf_ Buf key = BUF_INIT;
        r = ca_make(o->now, &made, &key, reterr);
        if (r < 0)
            return r;
        buf_append(&made, buf_slice(&key));
        r = store_keep(o, buf_slice(&made), reterr);
        if (r < 0)
            return r;
        r = store_fetch(o, &both, reterr);
        if (r < 0)
            return r;
        log_info("certificate authority made", log_str("key_id", o->seal->key_id));
    }
    return ca_from_pem(ca, buf_slice(&both), buf_slice(&both), reterr);
}

static int ca_from_files(Ca *ca, const CaOptions *o, Err *reterr)
{
    _cleanup_buf_ Buf certificate = BUF_INIT;
    _cleanup_buf_ Buf key = BUF_INIT;

    int r = file_read_all(o->cert_file, PEM_MAX, &certificate, reterr);
    if (r < 0)
        return r;
    r = file_read_all(o->key_file, PEM_MAX, &key, reterr);
    if (r < 0)
        return r;
    r = ca_from_pem(ca, buf_slice(&certificate), buf_slice(&key), reterr);
    if (r < 0)
        err_prefix(reterr, "CA_CERT %s, CA_KEY %s", o->cert_file, o->key_file);
    return r;
}

static int ca_publish(const Ca *ca, const char *data_dir, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;

    buf_printf(&path, "%s/ca.crt", data_dir);
    return file_write_atomic(buf_cstr(&path), 0644, slice_cstr(ca->certificate_pem), reterr);
}

int ca_open(Ca **ret, const CaOptions *o, Err *reterr)
{
    _cleanup_(ca_freep) Ca *ca = calloc(1, sizeof *ca);
    if (!ca)
        abort();

    ca->client_lifetime = o->client_lifetime > 0 ? o->client_lifetime : leaf_lifetime;
    bool files = o->cert_file && o->cert_file[0];
    int r = files ? ca_from_files(ca, o, reterr) : ca_from_store(ca, o, reterr);
    if (r < 0)
        return err_trace(r);
    if (o->data_dir) {
        r = ca_publish(ca, o->data_dir, reterr);
        if (r < 0)
            return err_trace(r);
    }
    *ret = TAKE_PTR(ca);
    return 0;
}

Ca *ca_free(Ca *ca)
{
    if (!ca)
        return NULL;
    X509_free(ca->certificate);
    EVP_PKEY_free(ca->key);
    free(ca->certificate_pem);
    free(ca);
    return NULL;
}

Slice ca_certificate_pem(const Ca *ca)
{
    return slice_cstr(ca->certificate_pem);
}

int ca_issue_client(const Ca *ca, Slice csr_pem, const char *common_name, Usec now, Buf *ret_cert_pem, Err *reterr)
{
    static const char *const extensions[][2] = {
        {"basicConstraints", "critical,CA:FALSE"},
        {"keyUsage", "critical,digitalSignature"},
        {"extendedKeyUsage", "clientAuth"},
        {"authorityKeyIdentifier", "keyid,issuer"}, /* an authority from files may lack a key identifier */
        {NULL, NULL},
    };
    _cleanup_(bio_freep) BIO *bio = bio_of(csr_pem);
    _cleanup_(req_freep) X509_REQ *request = bio ? PEM_read_bio_X509_REQ(bio, NULL, refuse_password, NULL) : NULL;
    _cleanup_(x509_freep) X509 *x = NULL;

    EVP_PKEY *key = request ? X509_REQ_get0_pubkey(request) : NULL;
    if (!key || X509_REQ_verify(request, key) != 1) {
        ERR_clear_error();
        return err_set(reterr, ERR_UNPROCESSABLE, "csr is not a PEM certificate request with a valid signature");
    }
    if (EVP_PKEY_get_security_bits(key) < 112)
        return err_set(reterr, ERR_UNPROCESSABLE,
                       "the key of csr is too weak: at least 112 bits of security are needed");
    int r = certificate_make(&(CertificateSpec){.common_name = common_name,
                                                .public_key = key,
                                                .issuer = ca->certificate,
                                                .signing_key = ca->key,
                                                .now = now,
                                                .lifetime = ca->client_lifetime,
                                                .extensions = extensions},
                             &x, reterr);
    return r < 0 ? r : certificate_to_pem(x, ret_cert_pem, reterr);
}

/* "a.example,10.0.0.1" to "DNS:a.example,IP:10.0.0.1". Only characters of host names and addresses pass. */
static int alternative_names(const char *names, Buf *ret, Err *reterr)
{
    Slice rest = slice_cstr(names);

    while (rest.ptr) {
        Slice name = slice_trim(slice_split(&rest, ','));
        if (name.len == 0)
            continue;
        _cleanup_buf_ Buf text = BUF_INIT;
        buf_append(&text, name);
        if (strspn(buf_cstr(&text), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:*-_") != name.len)
            return err_set(reterr, ERR_CONFIG, "%s is not a host name or address", buf_cstr(&text));
        uint8_t address[16];
        bool is_address =
            inet_pton(AF_INET, buf_cstr(&text), address) == 1 || inet_pton(AF_INET6, buf_cstr(&text), address) == 1;
        buf_printf(ret, "%s%s:%s", ret->len ? "," : "", is_address ? "IP" : "DNS", buf_cstr(&text));
    }
    if (ret->len == 0)
        return err_set(reterr, ERR_CONFIG, "no host name or address for the server certificate");
    return 0;
}

int ca_issue_server(const Ca *ca, const char *names, Usec now, Buf *ret_cert_pem, Buf *ret_key_pem, Err *reterr)
{
    _cleanup_buf_ Buf alternatives = BUF_INIT;
    _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
    _cleanup_(x509_freep) X509 *x = NULL;

    int r = alternative_names(names, &alternatives, reterr);
    if (r < 0)
        return r;
    r = tls_key_generate(ret_key_pem, reterr);
    if (r < 0)
        return r;
    r = key_read(buf_slice(ret_key_pem), &key, reterr);
    if (r < 0)
        return r;
    const char *const extensions[][2] = {
        {"basicConstraints", "critical,CA:FALSE"},
        {"keyUsage", "critical,digitalSignature"},
        {"extendedKeyUsage", "serverAuth"},
        {"authorityKeyIdentifier", "keyid,issuer"}, /* an authority from files may lack a key identifier */
        {"subjectAltName", buf_cstr(&alternatives)},
        {NULL, NULL},
    };
    r = certificate_make(&(CertificateSpec){.common_name = "pganalytics-api",
                                            .public_key = key,
                                            .issuer = ca->certificate,
                                            .signing_key = ca->key,
                                            .now = now,
                                            .lifetime = leaf_lifetime,
                                            .extensions = extensions},
                         &x, reterr);
    if (r < 0)
        return r;
    r = certificate_to_pem(x, ret_cert_pem, reterr);
    if (r < 0)
        return r;
    buf_append(ret_cert_pem, slice_cstr(ca->certificate_pem)); /* the chain */
    return 0;
}
