#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The command line of pganalytics-api. Parsing is pure; running is the main thread's. */
#include <stdio.h>

#include "backend/http/http.h"
#include "lib/base/err.h"

struct CliCommand;

typedef struct Cli {
    const struct CliCommand *command; /* NULL: help or version was asked for */
    bool help;
    bool version;
    const char *env_file; /* NULL: none */
    const char *login;    /* of the user commands */
    Role role;            /* of user add */
} Cli;

/* ERR_USAGE says what is wrong and what is meant. */
int cli_parse(int argc, const char *const *argv, Cli *ret, Err *reterr) MUST_CHECK;
void cli_write_help(Buf *out);
void cli_write_version(Buf *out);
/* Runs the command; returns the exit status. */
int cli_run(const Cli *cli);
