/* SPDX-License-Identifier: PostgreSQL */
/* See comma_locale.h. One directory of the process under /tmp, removed when left. One thread. */
#include "comma_locale.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "tests/support/scratch.h"

static Scratch scratch;

static bool build(void)
{
    Buf source = scratch_path(&scratch, "source");
    Buf command = BUF_INIT;
    scratch_write(source.ptr, SLICE_LIT("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\ngrouping -1\n"
                                        "END LC_NUMERIC\n"));
    buf_printf(&command, "localedef -c -i %s %s/comma >%s/log 2>&1", source.ptr, scratch.path, scratch.path);
    int status = system(command.ptr);
    buf_done(&command);
    buf_done(&source);
    return status != -1; /* 1 stands for warnings, of which an otherwise empty locale has many */
}

bool comma_locale_enter(void)
{
    scratch = scratch_make("/tmp");
    (void)setenv("LOCPATH", scratch.path, 1);
    (void)uselocale(LC_GLOBAL_LOCALE); /* whatever code under test may have left behind */
    if (build() && setlocale(LC_NUMERIC, "comma") && strcmp(localeconv()->decimal_point, ",") == 0)
        return true;
    comma_locale_leave();
    return false;
}

void comma_locale_leave(void)
{
    (void)setlocale(LC_NUMERIC, "C");
    (void)unsetenv("LOCPATH");
    scratch_remove(&scratch);
}
