/* SPDX-License-Identifier: PostgreSQL */
/* pganalytics, the collector: command line to command. */
#include <malloc.h>
#include <stdio.h>

#include "collector/agent/agent.h"
#include "collector/agent/limits.h"
#include "collector/command/bloat.h"
#include "collector/command/cli.h"
#include "collector/command/dry_run.h"
#include "collector/command/register.h"
#include "collector/command/status_print.h"
#include "collector/command/validate.h"
#include "collector/settings/settings.h"
#include "lib/base/log.h"

enum { MALLOC_ARENAS_MAX = 1, MALLOC_TRIM_BYTES = 256 << 10 };

/* A thread a server would have an arena of freed memory each; one for all, trimmed early, keeps the process small.
 * Threads wait for their servers, not for each other: hundreds of them together use a tenth of a processor. */
static void keep_memory_small(void)
{
    mallopt(M_ARENA_MAX, MALLOC_ARENAS_MAX);
    mallopt(M_TRIM_THRESHOLD, MALLOC_TRIM_BYTES);
    mallopt(M_MMAP_THRESHOLD, MALLOC_TRIM_BYTES);
}

int main(int argc, char **argv)
{
    Cli cli;
    Err err = ERR_INIT;
    if (cli_parse(argc, argv, &cli, &err) < 0) {
        cli_print_error(&err);
        return 2;
    }
    keep_memory_small();
    limits_set_stacks();
    log_setup("pganalytics", LOG_FORMAT_AUTO, cli.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    const char *config = cli.config ? cli.config : SETTINGS_DEFAULT_PATH;
    switch (cli.command) {
    case CLI_HELP:
        cli_print_help(stdout);
        return 0;
    case CLI_VERSION:
        cli_print_version(stdout);
        return 0;
    case CLI_VALIDATE:
        return validate_run(config);
    case CLI_DRY_RUN:
        return dry_run(config);
    case CLI_REGISTER:
        return register_run(&cli);
    case CLI_STATUS:
        return status_run(&cli);
    case CLI_BLOAT:
        return bloat_run(config, &cli);
    case CLI_RUN:
        return agent_run(config);
    }
    return 2;
}
