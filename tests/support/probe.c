/* SPDX-License-Identifier: PostgreSQL */
/* An HTTP client for tests. */
#include "tests/support/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

static const Usec patience = 20 * USEC_PER_SEC; /* for a test that would hang */

static void use_ca(SSL_CTX *context, Slice pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    (void)X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    X509_free(ca);
    BIO_free(bio);
}

static void use_certificate(SSL_CTX *context, const TestCert *c)
{
    BIO *bio = BIO_new_mem_buf(c->certificate_pem.ptr, (int)c->certificate_pem.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(c->key_pem.ptr, (int)c->key_pem.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    (void)SSL_CTX_use_certificate(context, certificate);
    (void)SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static bool open_tls(Probe *p, const ProbeTls *tls)
{
    p->context = SSL_CTX_new(TLS_client_method());
    if (tls->ca_pem.ptr)
        use_ca(p->context, tls->ca_pem);
    if (tls->certificate)
        use_certificate(p->context, tls->certificate);
    if (tls->max_version)
        (void)SSL_CTX_set_max_proto_version(p->context, tls->max_version);
    p->ssl = SSL_new(p->context);
    (void)SSL_set_fd(p->ssl, p->fd);
    (void)SSL_set_tlsext_host_name(p->ssl, "localhost");
    bool connected = SSL_connect(p->ssl) == 1;
    ERR_clear_error();
    return connected;
}

bool probe_open(Probe *p, uint16_t port, const ProbeTls *tls)
{
    *p = (Probe){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const struct timeval wait = {.tv_sec = patience / USEC_PER_SEC};
    (void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(p->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return false;
    return !tls || open_tls(p, tls);
}

void probe_close(Probe *p)
{
    SSL_free(p->ssl);
    SSL_CTX_free(p->context);
    if (p->fd >= 0)
        (void)close(p->fd);
    buf_done(&p->received);
    *p = (Probe){.fd = -1};
}

bool probe_send(Probe *p, Slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n =
            p->ssl ? SSL_write(p->ssl, bytes.ptr, (int)bytes.len) : send(p->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) {
            ERR_clear_error();
            return false;
        }
        bytes = slice_skip(bytes, (size_t)n);
    }
    return true;
}

bool probe_send_text(Probe *p, const char *format, ...)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    return probe_send(p, buf_slice(&text));
}

/* Appends what comes next. 1: something came; 0: the other side closed; -1: nothing until @deadline. */
static int receive(Probe *p, Usec deadline)
{
    if (!p->ssl || SSL_pending(p->ssl) == 0) {
        Usec left = deadline - clock_monotonic();
        struct pollfd fd = {.fd = p->fd, .events = POLLIN};
        if (poll(&fd, 1, left > 0 ? (int)((left + USEC_PER_MSEC - 1) / USEC_PER_MSEC) : 0) <= 0)
            return -1;
    }
    char piece[16384];
    ssize_t n = p->ssl ? SSL_read(p->ssl, piece, sizeof piece) : recv(p->fd, piece, sizeof piece, 0);
    if (n > 0) {
        buf_append(&p->received, slice_from(piece, (size_t)n));
        return 1;
    }
    ERR_clear_error();
    return 0;
}

bool probe_wait_closed(Probe *p, Usec deadline)
{
    int r;
    while ((r = receive(p, deadline)) > 0)
        ;
    return r == 0;
}

bool probe_is_closed(Probe *p, Usec wait)
{
    return receive(p, clock_monotonic() + wait) == 0;
}

void probe_server_name(Probe *p, Buf *ret)
{
    X509 *certificate = SSL_get1_peer_certificate(p->ssl);
    char name[256] = "";
    (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    buf_append_cstr(ret, name);
    X509_free(certificate);
}

static void drop_received(Probe *p, size_t n)
{
    memmove(p->received.ptr, p->received.ptr + n, p->received.len - n);
    p->received.len -= n;
    p->received.ptr[p->received.len] = '\0';
}

bool probe_read_head(Probe *p, ProbeAnswer *ret, Usec deadline)
{
    *ret = (ProbeAnswer){0};
    ptrdiff_t end;
    while ((end = slice_find(buf_slice(&p->received), SLICE_LIT("\r\n\r\n"))) < 0) {
        if (receive(p, deadline) <= 0)
            return false;
    }
    buf_append(&ret->head, slice_from(p->received.ptr, (size_t)end + 2));
    drop_received(p, (size_t)end + 4);
    return sscanf(buf_cstr(&ret->head), "HTTP/1.%*1d %3d", &ret->status) == 1;
}

bool probe_read_answer(Probe *p, ProbeAnswer *ret, Usec deadline)
{
    if (!probe_read_head(p, ret, deadline))
        return false;
    if (ret->status == 100) { /* the real one follows */
        probe_answer_done(ret);
        return probe_read_answer(p, ret, deadline);
    }
    const char *text = probe_answer_field(ret, "Content-Length");
    uint64_t length = 0;
    if (!text || !slice_to_uint64(slice_cstr(text), &length))
        return ret->status == 204 || ret->status == 304;
    while (p->received.len < length) {
        if (receive(p, deadline) <= 0)
            return false;
    }
    buf_append(&ret->body, slice_from(p->received.ptr, (size_t)length));
    if (length > 0)
        drop_received(p, (size_t)length);
    return true;
}

const char *probe_answer_field(const ProbeAnswer *a, const char *name)
{
    static _Thread_local char value[4096];
    size_t len = strlen(name);
    Slice rest = buf_slice(&a->head);
    while (rest.ptr) {
        Slice line = slice_split(&rest, '\n');
        if (line.len <= len || strncasecmp(line.ptr, name, len) != 0 || line.ptr[len] != ':')
            continue;
        Slice text = slice_trim(slice_skip(line, len + 1));
        (void)snprintf(value, sizeof value, "%.*s", SLICE_ARG(text));
        return value;
    }
    return NULL;
}

void probe_answer_done(ProbeAnswer *a)
{
    buf_done(&a->head);
    buf_done(&a->body);
    a->status = 0;
}
