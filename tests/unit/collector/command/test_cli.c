/* SPDX-License-Identifier: PostgreSQL */
#include "collector/command/cli.h"

#include <string.h>

#include <stdio.h>

#include "tests/support/unit.h"

enum { ARGUMENTS_MAX = 8 };

static int parse(const char *const *arguments, Cli *ret, Err *reterr)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)(uintptr_t) "pganalytics"};
    int argc = 1;
    for (; argc <= ARGUMENTS_MAX && arguments[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
    return cli_parse(argc, argv, ret, reterr);
}

typedef struct GoodCase {
    const char *arguments[ARGUMENTS_MAX];
    CliCommand command;
    const char *config;
    bool verbose;
} GoodCase;

static void commands_and_options_are_understood(void **state)
{
    (void)state;
    static const GoodCase CASES[] = {
        {{NULL}, CLI_RUN, NULL, false},
        {{"--config", "a.toml"}, CLI_RUN, "a.toml", false},
        {{"--config=a.toml", "--verbose", "--validate"}, CLI_VALIDATE, "a.toml", true},
        {{"--dry-run", "--config", "--verbose"}, CLI_DRY_RUN, "--verbose", false},
        {{"--version"}, CLI_VERSION, NULL, false},
        {{"--dry-run", "--help"}, CLI_HELP, NULL, false},
        {{"register", "--help"}, CLI_HELP, NULL, false},
        {{"register", "--api", "https://x", "--config", "c"}, CLI_REGISTER, "c", false},
        {{"--config", "c", "register", "--api=https://x"}, CLI_REGISTER, "c", false},
        {{"status", "--json", "--config", "c"}, CLI_STATUS, "c", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Cli cli;
        Err err = ERR_INIT;
        if (parse(CASES[i].arguments, &cli, &err) < 0)
            fail_msg("case %zu: %s", i, err.detail);
        assert_int_equal(cli.command, CASES[i].command);
        assert_int_equal(cli.verbose, CASES[i].verbose);
        assert_string_equal(cli.config ? cli.config : "", CASES[i].config ? CASES[i].config : "");
    }
}

static void register_takes_its_options(void **state)
{
    (void)state;
    static const char *const ARGUMENTS[] = {"register", "--api",    "https://x", "--secret-file",
                                            "s",        "--name=n", "--ca=c",    NULL};
    Cli cli;
    assert_int_equal(parse(ARGUMENTS, &cli, NULL), 0);
    assert_string_equal(cli.api, "https://x");
    assert_string_equal(cli.secret_file, "s");
    assert_string_equal(cli.name, "n");
    assert_string_equal(cli.ca, "c");
    assert_null(cli.region);
}

typedef struct BadCase {
    const char *arguments[ARGUMENTS_MAX];
    const char *detail;
    const char *hint;
} BadCase;

static void faults_name_the_argument_and_the_nearest(void **state)
{
    (void)state;
    static const BadCase CASES[] = {
        {{"--confg", "x"}, "unknown argument \"--confg\"", "did you mean --config?"},
        {{"--dryrun"}, "unknown argument \"--dryrun\"", "did you mean --dry-run?"},
        {{"frobnicate"}, "unknown argument \"frobnicate\"", "--help"},
        {{"--config"}, "--config needs a value: FILE", ""},
        {{"--verbose=1"}, "--verbose takes no value", ""},
        {{"--dry-run", "--validate"}, "asks for something else", ""},
        {{"register"}, "register needs --api", "pganalytics register"},
        {{"--api", "x"}, "--api belongs to", ""},
        {{"--validate", "register", "--api", "x"}, "asks for something else", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Cli cli;
        Err err = ERR_INIT;
        int r = parse(CASES[i].arguments, &cli, &err);
        assert_true(r < 0);
        assert_err(&err, ERR_USAGE, CASES[i].detail);
        assert_non_null(strstr(err.hint, CASES[i].hint));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_and_options_are_understood),
        cmocka_unit_test(register_takes_its_options),
        cmocka_unit_test(faults_name_the_argument_and_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
