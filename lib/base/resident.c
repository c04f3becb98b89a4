/* SPDX-License-Identifier: PostgreSQL */
/* See resident.h. Segments that are never written are clean pages of files: dropping them loses nothing. The loader's
 * lock, which dl_iterate_phdr() holds, keeps the mappings in place meanwhile. */
#include "lib/base/resident.h"

#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define CODE_FIRST    (10 * USEC_PER_SEC) /* everything was read and sent once by then */
#define CODE_INTERVAL (3600 * USEC_PER_SEC)

static int drop_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    const uintptr_t page = *(const uintptr_t *)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        uintptr_t begin = (info->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (info->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        /* the address is the loader's; failing changes nothing */
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
    }
    return 0;
}

void resident_release_code(void)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)dl_iterate_phdr(drop_segments, &page); /* 0: that is what drop_segments() says */
}

/* True for one caller when @now has come to *@due, which then moves on. */
static bool take_turn(_Atomic Usec *due, Usec now, Usec interval)
{
    Usec at = atomic_load(due);
    return at <= now && atomic_compare_exchange_strong(due, &at, now + interval);
}

void resident_release(Usec now, Usec interval)
{
    static _Atomic Usec heap_due, code_due;
    Usec never = 0;
    if (take_turn(&heap_due, now, interval - interval / 8)) /* who comes a little early is not too early */
        (void)malloc_trim(0);                               /* whether there was something to give */
    if (!atomic_compare_exchange_strong(&code_due, &never, now + CODE_FIRST) &&
        take_turn(&code_due, now, CODE_INTERVAL))
        resident_release_code();
}
