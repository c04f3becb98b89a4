#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Where "pganalytics status" asks: a Unix socket in state_dir that only its owner may open. Whoever connects is sent
 * one JSON text, and the connection is closed; nothing is read from it. Server: the agent's main thread.
 */
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

enum { STATUS_TEXT_MAX = 16 << 20 };

/* Listens at state_dir/status.sock, mode 0600; what an earlier process left there is replaced. */
int status_socket_listen(const char *state_dir, int *ret_fd, Err *reterr) MUST_CHECK;
/* Takes one waiting connection, if there is one, and sends @text to it within two seconds. */
void status_socket_answer(int fd, Slice text);
void status_socket_remove(const char *state_dir);

/* Appends what the running collector says. ERR_CONNECT: none runs with this state_dir, or it is another user's. */
int status_socket_ask(const char *state_dir, Usec timeout, Buf *ret, Err *reterr) MUST_CHECK;
