#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the process may take of its host: small stacks, address space as the last fence around memory, descriptors for
 * all its servers. Main thread, before others start.
 */
#include "collector/settings/settings.h"

enum { LIMITS_STACK_BYTES = 512 << 10 };

/* Threads that are started from now on have stacks of LIMITS_STACK_BYTES (not under a sanitizer, which needs more). */
void limits_set_stacks(void);

/* The address space for @servers servers: what is in use now (@used), stacks and heaps that are only reserved, and
 * @memory. Pure. */
uint64_t limits_address_space(uint64_t used, size_t servers, uint64_t memory);
/* Descriptors that @servers servers need at most. Pure. */
uint64_t limits_descriptors(size_t servers);

/* Raises the limit of descriptors as far as it may, and sets the fence. Never more than the limits that were given to
 * us. What is too small is logged, with the cure. Gives the fence in bytes, 0 when there is none. */
uint64_t limits_apply(const Settings *settings);
