#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* An HTTP client for tests that may be as rude as it likes: bytes go out as given, over TCP or TLS, and every wait has
 * an end. One thread at a time. */
#include <openssl/ssl.h>
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/support/test_ca.h"

typedef struct ProbeTls {
    Slice ca_pem;                /* absent: the server is not verified */
    const TestCert *certificate; /* NULL: none shown */
    int max_version;             /* TLS1_2_VERSION, ...; 0: any */
} ProbeTls;

typedef struct Probe {
    int fd;
    SSL_CTX *context;
    SSL *ssl; /* NULL: plain */
    Buf received;
} Probe;

/* False: the connection or the handshake failed. */
bool probe_open(Probe *p, uint16_t port, const ProbeTls *tls);
void probe_close(Probe *p);
bool probe_send(Probe *p, Slice bytes); /* false: the other side is gone */
bool probe_send_text(Probe *p, const char *format, ...) PRINTF_LIKE(2, 3);
/* Waits until the other side closes; what came is in .received. False: still open at @deadline (monotonic). */
bool probe_wait_closed(Probe *p, Usec deadline);
/* True when the other side has closed; waits @wait for it. */
bool probe_is_closed(Probe *p, Usec wait);
void probe_server_name(Probe *p, Buf *ret); /* common name of the server's certificate */

typedef struct ProbeAnswer {
    int status; /* 0: none came */
    Buf head;   /* status line and fields */
    Buf body;
} ProbeAnswer;

/* Reads one answer. */
bool probe_read_answer(Probe *p, ProbeAnswer *ret, Usec deadline);
/* The same with a body that is not there though a length is given (HEAD). */
bool probe_read_head(Probe *p, ProbeAnswer *ret, Usec deadline);
/* A field of the head; NULL when absent. Lives until the thread's next call. */
const char *probe_answer_field(const ProbeAnswer *a, const char *name);
void probe_answer_done(ProbeAnswer *a);
