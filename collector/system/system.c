/* SPDX-License-Identifier: PostgreSQL */
/* The host's sources. See system.h. */
#include "collector/system/system.h"

#include "collector/system/procfs.h"

static const SystemSource *const SOURCES[] = {
    &system_cpu, &system_disk, &system_filesystem, &system_load, &system_memory, &system_network,
};

const SystemSource *system_source_at(size_t index)
{
    return index < ARRAY_LENGTH(SOURCES) ? SOURCES[index] : NULL;
}

const SystemSource *system_source_find(const char *family)
{
    for (size_t i = 0; i < ARRAY_LENGTH(SOURCES); i++) {
        if (strcmp(SOURCES[i]->family, family) == 0)
            return SOURCES[i];
    }
    return NULL;
}

void system_epoch(const SystemHost *host, Buf *out)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    if (procfs_read(host, "/proc/sys/kernel/random/boot_id", &text, NULL) < 0)
        buf_append_cstr(&text, "unknown");
    buf_append(out, slice_trim(buf_slice(&text)));
}
