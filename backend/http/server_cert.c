/* SPDX-License-Identifier: PostgreSQL */
/* Server certificate. The list begins with the current material; behind it stand the retired ones, newest first. */
#include "backend/http/server_cert.h"

#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>

enum { CHAIN_MAX = 8 };

typedef struct Material {
    struct Material *older;
    Usec retired_at; /* monotonic; USEC_NEVER while current */
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
} Material;

struct HttpServerCert {
    pthread_mutex_t lock;
    Material *newest;
};

static Material *material_free(Material *m)
{
    for (unsigned i = 0; i < m->count; i++)
        gnutls_pcert_deinit(&m->chain[i]);
    if (m->key)
        gnutls_privkey_deinit(m->key);
    free(m);
    return NULL;
}
DEFINE_CLEANUP(Material *, material_free)

static void materials_free(Material *m)
{
    while (m) {
        Material *older = m->older;
        (void)material_free(m);
        m = older;
    }
}

HttpServerCert *http_server_cert_new(void)
{
    HttpServerCert *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    (void)pthread_mutex_init(&c->lock, NULL);
    return c;
}

HttpServerCert *http_server_cert_free(HttpServerCert *c)
{
    if (c) {
        materials_free(c->newest);
        (void)pthread_mutex_destroy(&c->lock);
        free(c);
    }
    return NULL;
}

static gnutls_datum_t to_datum(Slice s)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)s.ptr, .size = (unsigned)s.len};
}

static void x509_key_freep(gnutls_x509_privkey_t *key)
{
    if (*key)
        gnutls_x509_privkey_deinit(*key);
}

static void crt_list_free(gnutls_x509_crt_t *crts, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(crts[i]);
}

/* Do certificate and key belong together, and is it in its time? */
static int check_pair(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, Err *reterr)
{
    unsigned char of_crt[64];
    unsigned char of_key[64];
    size_t crt_size = sizeof of_crt;
    size_t key_size = sizeof of_key;
    if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_crt, &crt_size) < 0 ||
        gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size) < 0)
        return err_set(reterr, ERR_TLS, "the server certificate or its key is of an unknown kind");
    if (crt_size != key_size || memcmp(of_crt, of_key, crt_size) != 0)
        return err_set(reterr, ERR_TLS, "the server key does not belong to the server certificate");
    if ((Usec)gnutls_x509_crt_get_expiration_time(crt) * USEC_PER_SEC <= clock_wall())
        return err_set(reterr, ERR_TLS, "the server certificate has expired");
    return 0;
}

static int read_key(Material *m, Slice key_pem, gnutls_x509_privkey_t *ret_key, Err *reterr)
{
    gnutls_datum_t datum = to_datum(key_pem);
    int r = gnutls_x509_privkey_init(ret_key);
    if (r >= 0)
        r = gnutls_x509_privkey_import2(*ret_key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r >= 0)
        r = gnutls_privkey_init(&m->key);
    if (r >= 0)
        r = gnutls_privkey_import_x509(m->key, *ret_key, GNUTLS_PRIVKEY_IMPORT_COPY);
    return r < 0 ? err_set(reterr, ERR_TLS, "the server key cannot be read: %s", gnutls_strerror(r)) : 0;
}

static int read_material(Material *m, Slice certificate_pem, Slice key_pem, Err *reterr)
{
    _cleanup_(x509_key_freep) gnutls_x509_privkey_t key = NULL;
    int r = read_key(m, key_pem, &key, reterr);
    if (r < 0)
        return r;

    gnutls_x509_crt_t crts[CHAIN_MAX];
    unsigned count = CHAIN_MAX;
    gnutls_datum_t datum = to_datum(certificate_pem);
    int read = gnutls_x509_crt_list_import(crts, &count, &datum, GNUTLS_X509_FMT_PEM,
                                           GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    if (read <= 0)
        return err_set(reterr, ERR_TLS, "the server certificate cannot be read: %s",
                       read < 0 ? gnutls_strerror(read) : "the text is empty");

    r = check_pair(crts[0], key, reterr);
    for (unsigned i = 0; r == 0 && i < count; i++) {
        if (gnutls_pcert_import_x509(&m->chain[i], crts[i], 0) < 0)
            r = err_set(reterr, ERR_TLS, "the server certificate chain cannot be used");
        else
            m->count++;
    }
    crt_list_free(crts, count);
    return r;
}

/* Takes what was retired before @limit off the list and returns it. Caller holds the lock. */
static Material *cut_retired(HttpServerCert *c, Usec limit)
{
    for (Material **at = &c->newest; *at; at = &(*at)->older) {
        if ((*at)->retired_at < limit) {
            Material *cut = *at;
            *at = NULL;
            return cut;
        }
    }
    return NULL;
}

int http_server_cert_set(HttpServerCert *c, Slice certificate_pem, Slice key_pem, Usec now, Usec keep, Err *reterr)
{
    _cleanup_(material_freep) Material *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(reterr, ERR_OUT_OF_MEMORY, "server certificate");
    int r = read_material(m, certificate_pem, key_pem, reterr);
    if (r < 0)
        return r;

    m->retired_at = USEC_NEVER;
    (void)pthread_mutex_lock(&c->lock);
    if (c->newest)
        c->newest->retired_at = now;
    m->older = c->newest;
    c->newest = TAKE_PTR(m);
    Material *old = cut_retired(c, now - keep);
    (void)pthread_mutex_unlock(&c->lock);
    materials_free(old);
    return 0;
}

bool http_server_cert_get(HttpServerCert *c, gnutls_pcert_st **ret_chain, unsigned *ret_count,
                          gnutls_privkey_t *ret_key)
{
    (void)pthread_mutex_lock(&c->lock);
    Material *m = c->newest;
    if (m) {
        *ret_chain = m->chain;
        *ret_count = m->count;
        *ret_key = m->key;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return m != NULL;
}
