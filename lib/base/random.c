/* SPDX-License-Identifier: PostgreSQL */
/* Random numbers from getrandom(2). Stateless, any thread. */
#include "lib/base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *ret, size_t len)
{
    char *at = ret;
    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR)
            continue; /* GCOV_EXCL_LINE: only before the generator is seeded, or for long reads */
        if (n < 0)
            abort(); /* GCOV_EXCL_LINE: without randomness no key of ours would be one */
        at += n;
        len -= (size_t)n;
    }
}

uint64_t random_below(uint64_t bound)
{
    assert(bound > 0);
    uint64_t unfair = (0 - bound) % bound; /* 2^64 mod bound: so many of the smallest numbers are one too often */
    uint64_t number;
    do {
        random_bytes(&number, sizeof(number));
    } while (number < unfair);
    return number % bound;
}

void random_uuid(char ret[RANDOM_UUID_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (raw[6] & 0x0F) | 0x40; /* version 4 */
    raw[8] = (raw[8] & 0x3F) | 0x80; /* variant of RFC 9562 */

    char *at = ret;
    for (size_t i = 0; i < sizeof(raw); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[raw[i] >> 4];
        *at++ = hex[raw[i] & 0x0F];
    }
    *at = '\0';
}

Usec backoff_next(Backoff *b)
{
    Usec most = b->base;
    for (unsigned i = 0; i < b->attempt && most < b->cap; i++)
        if (__builtin_mul_overflow(most, 2, &most))
            most = b->cap;
    if (most > b->cap)
        most = b->cap;
    if (b->attempt < UINT32_MAX)
        b->attempt++;
    Usec least = most / 2;
    return least + (Usec)random_below((uint64_t)(most - least) + 1);
}
