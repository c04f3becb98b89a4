/* SPDX-License-Identifier: PostgreSQL */
/* CRC-32C, eight bytes a step from tables that are computed once. Any thread. */
#include "lib/base/crc32c.h"

#include <pthread.h>

enum { CRC32C_POLYNOMIAL_REVERSED = 0x82f63b78, CRC32C_STEP = 8 };

static uint32_t table[CRC32C_STEP][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? (uint32_t)CRC32C_POLYNOMIAL_REVERSED : 0);
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int step = 1; step < CRC32C_STEP; step++)
            table[step][i] = (table[step - 1][i] >> 8) ^ table[0][table[step - 1][i] & 0xff];
}

static uint32_t load_u32le(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c(uint32_t before, Slice bytes)
{
    (void)pthread_once(&table_once, table_fill); /* fails only for an invalid control word */

    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    uint32_t crc = ~before;
    for (; left >= CRC32C_STEP; p += CRC32C_STEP, left -= CRC32C_STEP) {
        const uint32_t low = crc ^ load_u32le(p);
        const uint32_t high = load_u32le(p + 4);
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
              table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^ table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
    }
    for (; left > 0; p++, left--)
        crc = (crc >> 8) ^ table[0][(crc ^ *p) & 0xff];
    return ~crc;
}
