/* SPDX-License-Identifier: PostgreSQL */
/* pganalytics-api, the backend: command line to command. */
#include "backend/cli.h"
#include "backend/program.h"
#include "lib/base/log.h"

int main(int argc, char **argv)
{
    Cli cli;
    Err err = ERR_INIT;
    if (cli_parse(argc, (const char *const *)argv, &cli, &err) < 0) {
        (void)fprintf(stderr, "pganalytics-api: %s\n", err.detail);
        if (err.hint[0] != '\0')
            (void)fprintf(stderr, "  %s\n", err.hint);
        return EXIT_USAGE;
    }
    log_setup("pganalytics-api", LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
    return cli_run(&cli);
}
