/* SPDX-License-Identifier: PostgreSQL */
/* See comma_locale.h. One directory of the process under /tmp, removed when left. One thread. */
#include "comma_locale.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char directory[] = "/tmp/pga-locale-XXXXXX";

static bool run(const char *before, const char *after)
{
    char command[256];
    int len = snprintf(command, sizeof(command), "%s%s%s", before, directory, after);
    return len > 0 && len < (int)sizeof(command) && system(command) == 0;
}

bool comma_locale_enter(void)
{
    memcpy(directory, "/tmp/pga-locale-XXXXXX", sizeof(directory));
    if (!mkdtemp(directory))
        return false;
    /* localedef ends with 1 for warnings: what counts is whether the locale can be had. */
    (void)run("localedef -c -i de_DE -f UTF-8 ", "/de_DE.UTF-8 >/dev/null 2>&1");
    (void)setenv("LOCPATH", directory, 1);
    (void)uselocale(LC_GLOBAL_LOCALE); /* whatever code under test may have left behind */
    if (setlocale(LC_ALL, "de_DE.UTF-8") && strcmp(localeconv()->decimal_point, ",") == 0)
        return true;
    comma_locale_leave();
    return false;
}

void comma_locale_leave(void)
{
    (void)setlocale(LC_ALL, "C");
    (void)unsetenv("LOCPATH");
    (void)run("rm -rf ", "");
}
