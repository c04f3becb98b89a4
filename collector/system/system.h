#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The host's own figures, from /proc, /sys and statvfs(): no subprocess. Each source fills the columns of the host
 * family of its name (catalog/system_*.toml) by name. The target's thread.
 */
#include "collector/reading/rows.h"
#include "lib/base/err.h"

enum { SYSTEM_CPU_STATES = 8 };

typedef struct SystemHost {
    const char *root;                      /* "" on a live system; tests give a directory with captured files */
    int64_t cpu_before[SYSTEM_CPU_STATES]; /* ticks at the last reading */
    bool cpu_known;
} SystemHost;

typedef struct SystemSource {
    const char *family;
    int (*read)(SystemHost *host, Rows *rows, Err *reterr);
} SystemSource;

/* NULL: no source of that name. */
const SystemSource *system_source_find(const char *family);
const SystemSource *system_source_at(size_t index); /* NULL behind the last one */

/* Changes when the counters of the host start again: the boot's id. "unknown" where the kernel does not tell. */
void system_epoch(const SystemHost *host, Buf *out);

/* One file, one const struct each. */
extern const SystemSource system_cpu, system_memory, system_load, system_disk, system_filesystem, system_network;
