#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* CRC-32C (Castagnoli), as in iSCSI, ext4 and PostgreSQL's WAL: finds what disks and torn writes do. Any thread. */
#include <stdint.h>

#include "lib/base/slice.h"

/* Checksum of @bytes; pass the checksum of what stands before them to go on, or 0 to begin. */
uint32_t crc32c(uint32_t before, Slice bytes);
