/* SPDX-License-Identifier: PostgreSQL */
/* See comma_locale.h. One directory of the process under /tmp, removed when left. One thread. */
#include "comma_locale.h"

#include <fcntl.h>
#include <locale.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "tests/support/scratch.h"

static Scratch scratch;

/* Exit status 1 stands for warnings, of which an otherwise empty locale has many: what counts is what came out. */
static void build(void)
{
    Buf source = scratch_path(&scratch, "source");
    Buf result = scratch_path(&scratch, "comma");
    scratch_write(source.ptr, SLICE_LIT("LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \"\"\ngrouping -1\n"
                                        "END LC_NUMERIC\n"));
    posix_spawn_file_actions_t quiet;
    (void)posix_spawn_file_actions_init(&quiet);
    (void)posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char *argv[] = {(char[]){"localedef"}, (char[]){"-c"}, (char[]){"-i"}, source.ptr, result.ptr, NULL};
    pid_t pid;
    if (posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ) == 0)
        (void)waitpid(pid, NULL, 0);
    (void)posix_spawn_file_actions_destroy(&quiet);
    buf_done(&result);
    buf_done(&source);
}

bool comma_locale_enter(void)
{
    scratch = scratch_make("/tmp");
    (void)setenv("LOCPATH", scratch.path, 1);
    (void)uselocale(LC_GLOBAL_LOCALE); /* whatever code under test may have left behind */
    build();
    if (setlocale(LC_NUMERIC, "comma") && strcmp(localeconv()->decimal_point, ",") == 0)
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
