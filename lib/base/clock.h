#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Time. One type for all of it: Usec, microseconds. Wall time counts from 1970-01-01 UTC and is data; monotonic time
 * is for intervals and deadlines. Decision functions take `Usec now` as an argument and never call these.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

typedef int64_t Usec;

#define USEC_PER_MSEC ((Usec)1000)
#define USEC_PER_SEC  ((Usec)1000000)
#define USEC_NEVER    INT64_MAX

/* Microseconds between PostgreSQL's epoch (2000-01-01) and Unix's, for binary timestamptz. */
#define USEC_POSTGRES_EPOCH ((Usec)946684800 * USEC_PER_SEC)

Usec clock_monotonic(void);
Usec clock_wall(void);
Usec clock_thread_cpu(void); /* processor time that the calling thread has used */

/* "2026-11-21T02:18:34.123456Z" and 27 bytes always; @ret holds CLOCK_ISO_SIZE bytes. */
enum { CLOCK_ISO_SIZE = 28 };
void clock_format_iso(Usec wall, char ret[CLOCK_ISO_SIZE]);
/* RFC 3339 with any fraction and offset ("Z" or "+02:00"), years 1970 to 9999. */
bool clock_parse_iso(Slice s, Usec *ret);
