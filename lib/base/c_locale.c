/* SPDX-License-Identifier: PostgreSQL */
/* One "C" locale for the life of the process; made at first use, never freed. Any thread. */
#include "lib/base/c_locale.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t the_locale;

static void make_locale(void)
{
    the_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!the_locale)
        abort(); /* GCOV_EXCL_LINE: "C" always exists */
}

locale_t c_locale(void)
{
    (void)pthread_once(&once, make_locale); /* cannot fail with a valid once */
    return the_locale;
}
