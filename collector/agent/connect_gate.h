#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connect gate: how many targets connect and look at their server for the first time at once. Hundreds that did so
 * together on a small machine would make each other so slow that deadlines are met by servers that are well. A place
 * that is kept for long is given to the next one: a server that hangs does not hold up the others for longer than that.
 * Any thread; `now` is monotonic.
 */
#include <stdbool.h>

#include "lib/base/clock.h"

typedef struct ConnectGate ConnectGate;

enum { CONNECT_GATE_PLACES = 16 };
#define CONNECT_GATE_HOLD (10 * USEC_PER_SEC) /* as long as connecting may take */

ConnectGate *connect_gate_new(void);
ConnectGate *connect_gate_free(ConnectGate *g); /* NULL allowed; returns NULL */

/* False: all are taken. *ret_ticket is for connect_gate_leave(). */
bool connect_gate_enter(ConnectGate *g, Usec now, Usec *ret_ticket);
/* 0, or a ticket whose place somebody else has by now: nothing is done. */
void connect_gate_leave(ConnectGate *g, Usec ticket);
