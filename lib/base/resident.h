#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Resident memory: gives back to the kernel what is no longer needed. Code that only the start has run (initialisers of
 * libraries, their tables) stays mapped and counts as ours for as long as nobody says otherwise; freed blocks stay in
 * the heap. Both are only hints: what is needed again comes back from the page cache. Any thread.
 */
#include "lib/base/clock.h"

/* Does what is due: freed blocks at most once in @interval, that of the caller's work; code some seconds after the
 * first call, then every 15 intervals. @now: monotonic. */
void resident_release(Usec now, Usec interval);
/* At once. */
void resident_release_code(void);
