/* SPDX-License-Identifier: PostgreSQL */
/*
 * See siphash.h. libsodium has the same function; for this one alone the collector would keep 170 kB of its pages
 * (docs/decisions/0008-libraries-of-the-collector.md). The tests compare the two.
 */
#include "lib/base/siphash.h"

#include <endian.h>

typedef struct SipState {
    uint64_t v0, v1, v2, v3;
} SipState;

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void mix(SipState *s, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline void take_word(SipState *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, 2);
    s->v0 ^= word;
}

/* At most eight bytes, the first one lowest. */
static inline uint64_t load(const char *bytes, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, bytes, len);
    return le64toh(word);
}

uint64_t siphash(const SipKey *key, Slice text)
{
    const uint64_t k0 = key->words[0], k1 = key->words[1];
    SipState s = {.v0 = k0 ^ 0x736f6d6570736575u, /* "somepseudorandomlygeneratedbytes" */
                  .v1 = k1 ^ 0x646f72616e646f6du,
                  .v2 = k0 ^ 0x6c7967656e657261u,
                  .v3 = k1 ^ 0x7465646279746573u};
    size_t at = 0;
    for (; text.len - at >= 8; at += 8)
        take_word(&s, load(text.ptr + at, 8));
    const uint64_t rest = at < text.len ? load(text.ptr + at, text.len - at) : 0;
    take_word(&s, rest | (uint64_t)text.len << 56);
    s.v2 ^= 0xff;
    mix(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
