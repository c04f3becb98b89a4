/* SPDX-License-Identifier: PostgreSQL */
#include "lib/base/resident.h"

#include <link.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

static const char LIBRARY[] = "/libc.so.6"; /* large, and little of it is used here */

/* Resident kilobytes of its code, as the kernel counts them. */
static long resident_code_kb(void)
{
    char line[512];
    long total = 0;
    bool code = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (strstr(line, " r-xp "))
            code = strstr(line, LIBRARY) != NULL;
        else if (strchr(line, '-') && strstr(line, "p "))
            code = false;
        long kb;
        if (code && sscanf(line, "Rss: %ld", &kb) == 1)
            total += kb;
    }
    fclose(f);
    return total;
}

/* Reads one byte of each page, as running it would. */
static int touch(struct dl_phdr_info *info, size_t size, void *sum)
{
    (void)size;
    if (!strstr(info->dlpi_name, LIBRARY))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *s = &info->dlpi_phdr[i];
        if (s->p_type != PT_LOAD || !(s->p_flags & PF_X))
            continue;
        for (size_t at = 0; at < s->p_filesz; at += 4096)
            *(volatile unsigned *)sum += *((const volatile unsigned char *)(info->dlpi_addr + s->p_vaddr) + at);
    }
    return 1;
}

static void code_that_was_run_once_is_given_back_and_still_there(void **state)
{
    (void)state;
    unsigned sum = 0, again = 0;
    dl_iterate_phdr(touch, &sum);
    long before = resident_code_kb();
    resident_release_code();
    long after = resident_code_kb();
    assert_true(before > 0);
    assert_true(after < before * 3 / 4); /* what runs here came back, in runs of 64 kB */
    dl_iterate_phdr(touch, &again);
    assert_int_equal(sum, again);
    assert_int_equal(resident_code_kb(), before);
}

/* Where their lists of segments stand: reading these is no reason to bring them back. */
static long resident_headers_kb(void)
{
    char line[512];
    long total = 0;
    bool header = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        long kb;
        if (strstr(line, " r--p 00000000 "))
            header = strstr(line, ".so") && !strstr(line, "/ld-linux");
        else if (sscanf(line, "%*x-%*x %*s %lx", (unsigned long *)&kb) == 1)
            header = false;
        else if (header && sscanf(line, "Rss: %ld", &kb) == 1)
            total += kb;
    }
    fclose(f);
    return total;
}

static void headers_of_libraries_stay_away(void **state)
{
    (void)state;
    unsigned sum = 0;
    dl_iterate_phdr(touch, &sum);
    assert_true(resident_headers_kb() > 0); /* and the loader has found all functions that follow */
    resident_release_code();
    assert_int_equal(resident_headers_kb(), 0);
}

/* Called from every tick, it does little: the second call at the same moment finds nothing due. */
static void it_takes_turns(void **state)
{
    (void)state;
    unsigned sum = 0;
    resident_release(100 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    dl_iterate_phdr(touch, &sum);
    long all = resident_code_kb();
    resident_release(105 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    assert_int_equal(resident_code_kb(), all);
    resident_release(110 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    assert_true(resident_code_kb() < all);
    dl_iterate_phdr(touch, &sum);
    resident_release(1009 * USEC_PER_SEC, 60 * USEC_PER_SEC);
    assert_int_equal(resident_code_kb(), all);
    resident_release(1010 * USEC_PER_SEC, 2 * USEC_PER_SEC);
    assert_true(resident_code_kb() < all);
    dl_iterate_phdr(touch, &sum);
    resident_release(1039 * USEC_PER_SEC, 2 * USEC_PER_SEC);
    assert_int_equal(resident_code_kb(), all);
    resident_release(1040 * USEC_PER_SEC, 2 * USEC_PER_SEC);
    assert_true(resident_code_kb() < all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_that_was_run_once_is_given_back_and_still_there),
        cmocka_unit_test(headers_of_libraries_stay_away),
        cmocka_unit_test(it_takes_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
