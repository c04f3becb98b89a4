#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Listening sockets. Any thread. */
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/slice.h"

/* Binds and listens; not blocking, closed on exec, TCP_NODELAY for what it accepts. @host: an address or a name; "":
 * all, IPv6 and IPv4. @port 0: any free one. @ret_port may be NULL. ERR_CONFLICT: somebody else
 * has the port. */
int listen_tcp(const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port, Err *reterr) MUST_CHECK;

enum { LISTEN_HOST_SIZE = 256 };

/* "127.0.0.1:9187", "[::1]:9187", "localhost:9187", ":9187" (all addresses). False: none of these. */
bool listen_parse(Slice text, char ret_host[LISTEN_HOST_SIZE], uint16_t *ret_port);
/* Is it reached from this host only? */
bool listen_host_is_loopback(const char *host);
