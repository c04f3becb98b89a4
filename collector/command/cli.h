#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The command line: what was asked for, or what is wrong with it. Pure, main thread. */
#include <stdbool.h>
#include <stdio.h>

#include "lib/base/err.h"

typedef enum CliCommand {
    CLI_RUN,
    CLI_VALIDATE,
    CLI_DRY_RUN,
    CLI_REGISTER,
    CLI_BLOAT,
    CLI_STATUS,
    CLI_VERSION,
    CLI_HELP,
} CliCommand;

/* Strings are argv's. */
typedef struct Cli {
    CliCommand command;
    const char *config; /* NULL: not given */
    bool verbose;
    /* register */
    const char *api;
    const char *ca;
    const char *secret_file;
    const char *name;
    const char *hostname;
    const char *region;
    const char *state_dir;
    /* status */
    bool json;
    /* bloat */
    const char *server;
    const char *database;
    const char *table;
    const char *max_bytes;
} Cli;

/* ERR_USAGE names the argument and the nearest known one. */
int cli_parse(int argc, char *const *argv, Cli *ret, Err *reterr) MUST_CHECK;
void cli_print_help(FILE *out);
void cli_print_version(FILE *out);
/* For people: what cannot be written is nobody's loss. */
void cli_print(FILE *out, const char *format, ...) PRINTF_LIKE(2, 3);
void cli_print_error(const Err *err); /* on standard error, with its hint */
