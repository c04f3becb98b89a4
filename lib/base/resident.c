/* SPDX-License-Identifier: PostgreSQL */
/* See resident.h. Segments that are never written are clean pages of files: dropping them loses nothing. The loader's
 * lock, which dl_iterate_phdr() holds, keeps the mappings in place meanwhile. */
#include "lib/base/resident.h"

#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SEGMENTS_MAX = 16,   /* of one library: usually four */
    CODE_INTERVALS = 15, /* a quarter of an hour of the default interval */
};

#define CODE_FIRST (10 * USEC_PER_SEC) /* everything was read and sent once by then */

typedef struct Segments {
    uintptr_t page;
    struct {
        uintptr_t begin, end;
    } items[SEGMENTS_MAX];
    size_t count;
} Segments;

static void find_segments(const struct dl_phdr_info *info, Segments *ret)
{
    ret->count = 0;
    for (int i = 0; i < info->dlpi_phnum && ret->count < SEGMENTS_MAX; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W))
            continue;
        const uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        ret->items[ret->count].begin = begin & ~(ret->page - 1);
        ret->items[ret->count].end = (begin + segment->p_memsz + ret->page - 1) & ~(ret->page - 1);
        ret->count++;
    }
}

/* All is read before anything is dropped: the list of segments stands in one of them, and reading it would bring that
 * one back, with 64 kB around it, in each library. */
static int drop_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    Segments *segments = arg;
    find_segments(info, segments);
    for (size_t i = 0; i < segments->count; i++) {
        void *begin = (void *)segments->items[i].begin; /* NOLINT(performance-no-int-to-ptr): the loader's address */
        (void)madvise(begin, segments->items[i].end - segments->items[i].begin,
                      MADV_DONTNEED); /* failing changes nothing */
    }
    return 0;
}

void resident_release_code(void)
{
    Segments segments = {.page = (uintptr_t)sysconf(_SC_PAGESIZE)};
    (void)dl_iterate_phdr(drop_segments, &segments); /* 0: that is what drop_segments() says */
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
        take_turn(&code_due, now, CODE_INTERVALS * interval))
        resident_release_code();
}
