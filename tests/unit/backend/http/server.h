#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A listener with routes that tests want, in this process on a free port, and the CA of its clients. */
#include <setjmp.h> /* cmocka needs these before it */
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/listener.h"
#include "tests/support/probe.h"

enum { TEST_BODY_LIMIT = 1000 };

typedef struct TestServer {
    HttpListener *listener;
    uint16_t port;
    TestCa ca;
    TestCert server_cert;
} TestServer;

/* @options: routes, access and backend are filled in. */
void test_server_start(TestServer *s, const HttpListenerOptions *options);
void test_server_start_tls(TestServer *s, const HttpListenerOptions *options);
void test_server_stop(TestServer *s);

void test_server_open(const TestServer *s, Probe *p);
Usec soon(void); /* a deadline for what should come at once */
/* Sends @request, reads the answer and closes. */
ProbeAnswer test_server_ask(const TestServer *s, const char *request);
/* Value of a metric line that begins with @name; -1 when absent. */
double test_server_metric(const TestServer *s, const char *name);
void test_server_wait_metric(const TestServer *s, const char *name, double value);

/* Requests that the handler of /later has put aside, in the order in which they came. */
HttpRequest *later_take(void); /* waits for one */
/* Handlers of /block wait until this; then all go on. */
void block_release(void);
void block_wait_entered(unsigned handlers);
void block_reset(void);
