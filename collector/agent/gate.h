#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Gate: how many targets connect and look at their server for the first time at once. Hundreds that did so together on
 * a small machine would make each other so slow that deadlines are met by servers that are well. A place that is kept
 * for long is given to the next one: a server that hangs does not hold up the others for longer than that. Any thread;
 * `now` is monotonic.
 */
#include <stdbool.h>

#include "lib/base/clock.h"

typedef struct Gate Gate;

enum { GATE_PLACES = 16 };
#define GATE_HOLD (10 * USEC_PER_SEC) /* as long as connecting may take */

Gate *gate_new(void);
Gate *gate_free(Gate *g); /* NULL allowed; returns NULL */

/* False: all are taken. *ret_ticket is for gate_leave(). */
bool gate_enter(Gate *g, Usec now, Usec *ret_ticket);
/* 0, or a ticket whose place somebody else has by now: nothing is done. */
void gate_leave(Gate *g, Usec ticket);
