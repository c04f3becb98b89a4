/* SPDX-License-Identifier: PostgreSQL */
/*
 * Client certificates over GnuTLS. The trust list is used under a mutex: a connection is verified once (0.1 ms), so
 * there is nothing to win by reading it in parallel.
 */
#include "backend/http/trust.h"

#include <gnutls/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backend/http/target.h"

struct HttpTrust {
    pthread_mutex_t lock;
    gnutls_x509_trust_list_t list; /* NULL: nobody */
    _Atomic uint64_t generation;
};

enum { CHAIN_MAX = 8, HEADER_MAX = 16384 };

static void trust_list_freep(gnutls_x509_trust_list_t *list)
{
    if (*list)
        gnutls_x509_trust_list_deinit(*list, 1);
}

static void crt_freep(gnutls_x509_crt_t *crt)
{
    if (*crt)
        gnutls_x509_crt_deinit(*crt);
}

HttpTrust *http_trust_new(void)
{
    HttpTrust *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    (void)pthread_mutex_init(&t->lock, NULL);
    return t;
}

HttpTrust *http_trust_free(HttpTrust *t)
{
    if (t) {
        trust_list_freep(&t->list);
        (void)pthread_mutex_destroy(&t->lock);
        free(t);
    }
    return NULL;
}

int http_trust_set(HttpTrust *t, Slice ca_pem, Err *reterr)
{
    _cleanup_(trust_list_freep) gnutls_x509_trust_list_t list = NULL;
    if (gnutls_x509_trust_list_init(&list, 0) < 0)
        return err_set(reterr, ERR_OUT_OF_MEMORY, "trust list");

    gnutls_datum_t pem = {.data = (unsigned char *)(uintptr_t)ca_pem.ptr, .size = (unsigned)ca_pem.len};
    int added = gnutls_x509_trust_list_add_trust_mem(list, &pem, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
    if (added <= 0)
        return err_set(reterr, ERR_TLS, "no usable CA certificate for clients: %s",
                       added < 0 ? gnutls_strerror(added) : "the text is empty");

    (void)pthread_mutex_lock(&t->lock);
    gnutls_x509_trust_list_t old = t->list;
    t->list = TAKE_PTR(list);
    atomic_fetch_add(&t->generation, 1);
    (void)pthread_mutex_unlock(&t->lock);
    trust_list_freep(&old);
    return 0;
}

uint64_t http_trust_generation(const HttpTrust *t)
{
    return atomic_load(&((HttpTrust *)(uintptr_t)t)->generation);
}

static void set_fault(HttpCertificate *c, const char *text)
{
    c->serial[0] = '\0';
    c->name[0] = '\0';
    (void)snprintf(c->fault, sizeof c->fault, "%s", text);
}

static void write_serial(gnutls_x509_crt_t crt, HttpCertificate *ret)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[31];
    size_t size = sizeof bytes;
    if (gnutls_x509_crt_get_serial(crt, bytes, &size) < 0 || size == 0) {
        set_fault(ret, "the certificate has no usable serial number");
        return;
    }
    char *out = ret->serial;
    for (size_t i = 0; i < size * 2; i++) {
        unsigned nibble = i % 2 ? bytes[i / 2] & 15U : bytes[i / 2] >> 4;
        if (nibble || out != ret->serial)
            *out++ = digits[nibble];
    }
    if (out == ret->serial)
        *out++ = '0';
    *out = '\0';
}

static void describe(gnutls_x509_crt_t crt, HttpCertificate *ret)
{
    ret->not_after = (Usec)gnutls_x509_crt_get_expiration_time(crt) * USEC_PER_SEC;
    size_t size = sizeof ret->name;
    if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret->name, &size) < 0)
        ret->name[0] = '\0';
    write_serial(crt, ret);
}

static void describe_refusal(unsigned status, HttpCertificate *ret)
{
    static const struct {
        unsigned bit;
        const char *text;
    } faults[] = {
        {GNUTLS_CERT_REVOKED, "the certificate is revoked"},
        {GNUTLS_CERT_EXPIRED, "the certificate has expired"},
        {GNUTLS_CERT_NOT_ACTIVATED, "the certificate is not valid yet"},
        {GNUTLS_CERT_SIGNER_NOT_FOUND, "the certificate was not signed by this backend's CA"},
        {GNUTLS_CERT_SIGNATURE_FAILURE, "the certificate was not signed by this backend's CA"}, /* one of that name */
        {GNUTLS_CERT_PURPOSE_MISMATCH, "the certificate is not for TLS clients"},
        {GNUTLS_CERT_INSECURE_ALGORITHM, "the certificate uses an insecure algorithm"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        if (status & faults[i].bit) {
            set_fault(ret, faults[i].text);
            return;
        }
    }
    set_fault(ret, "the certificate is not valid");
}

static void verify_chain(HttpTrust *t, gnutls_x509_crt_t *chain, unsigned count, HttpCertificate *ret)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;
    (void)pthread_mutex_lock(&t->lock);
    bool nobody = !t->list;
    int r = t->list ? gnutls_x509_trust_list_verify_crt2(t->list, chain, count, &purpose, 1, 0, &status, NULL)
                    : GNUTLS_E_NO_CERTIFICATE_FOUND;
    (void)pthread_mutex_unlock(&t->lock);

    if (r < 0)
        set_fault(ret, nobody ? "no client certificates are accepted yet" : "the certificate could not be verified");
    else if (status != 0)
        describe_refusal(status, ret);
    else
        describe(chain[0], ret);
}

void http_trust_verify(HttpTrust *t, const gnutls_datum_t *chain, unsigned count, HttpCertificate *ret)
{
    *ret = (HttpCertificate){0};
    if (!chain || count == 0)
        return;
    if (count > CHAIN_MAX) {
        set_fault(ret, "the certificate chain is too long");
        return;
    }

    gnutls_x509_crt_t crts[CHAIN_MAX] = {NULL};
    unsigned read = 0;
    while (read < count && gnutls_x509_crt_init(&crts[read]) == 0) {
        read++;
        if (gnutls_x509_crt_import(crts[read - 1], &chain[read - 1], GNUTLS_X509_FMT_DER) < 0) {
            set_fault(ret, "the certificate cannot be read");
            break;
        }
    }
    if (ret->fault[0] == '\0')
        verify_chain(t, crts, read, ret);
    for (unsigned i = 0; i < read; i++)
        gnutls_x509_crt_deinit(crts[i]);
}

/* The text of a header as PEM: either it is one, or base64 that lacks the frame. */
static bool header_to_crt(Slice text, Arena *arena, gnutls_x509_crt_t crt)
{
    Slice pem;
    if (memchr(text.ptr, '%', text.len)) {
        if (http_target_decode_lines(text, arena, &pem) < 0)
            return false;
    } else {
        Slice bare = slice_trim(text);
        if (bare.len > 2 && bare.ptr[0] == ':' && bare.ptr[bare.len - 1] == ':')
            bare = slice_from(bare.ptr + 1, bare.len - 2);
        pem = slice_cstr(
            arena_printf(arena, "-----BEGIN CERTIFICATE-----\n%.*s\n-----END CERTIFICATE-----\n", SLICE_ARG(bare)));
    }
    gnutls_datum_t datum = {.data = (unsigned char *)(uintptr_t)pem.ptr, .size = (unsigned)pem.len};
    return gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM) >= 0;
}

void http_trust_verify_text(HttpTrust *t, Slice text, HttpCertificate *ret)
{
    *ret = (HttpCertificate){0};
    if (slice_trim(text).len == 0)
        return; /* the proxy saw no certificate */

    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_(crt_freep) gnutls_x509_crt_t crt = NULL;
    if (text.len > HEADER_MAX || gnutls_x509_crt_init(&crt) < 0 || !header_to_crt(text, arena, crt))
        set_fault(ret, "the certificate that the proxy handed over cannot be read");
    else
        verify_chain(t, &crt, 1, ret);
}

void http_certificate_check_time(HttpCertificate *c, Usec now_wall)
{
    if (c->serial[0] != '\0' && now_wall >= c->not_after)
        set_fault(c, "the certificate has expired");
}
