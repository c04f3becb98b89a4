/* SPDX-License-Identifier: PostgreSQL */
/* Randomness: see random.h. */
#include "lib/base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *ret, size_t len)
{
    unsigned char *at = ret;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

uint64_t random_below(uint64_t bound)
{
    /* Values below this many would be more likely than others. */
    uint64_t uneven = (0 - bound) % bound, value;

    do
        random_bytes(&value, sizeof value);
    while (value < uneven);
    return value % bound;
}

void random_uuid(char ret[RANDOM_UUID_SIZE])
{
    unsigned char b[16];

    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(ret, RANDOM_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

Usec backoff_next(Backoff *b)
{
    unsigned doublings = b->attempt++;
    Usec ceiling = b->base;

    while (doublings-- > 0 && ceiling < b->cap)
        ceiling *= 2;
    if (ceiling > b->cap)
        ceiling = b->cap;
    return (Usec)random_below((uint64_t)ceiling + 1);
}
