/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/cli.c"

enum { WORDS_MAX = 7 };

static int parse(const char *const *words, Cli *ret, Err *err)
{
    const char *argv[WORDS_MAX + 2] = {"pganalytics-api"};
    int argc = 1;
    while (words[argc - 1]) {
        argv[argc] = words[argc - 1];
        argc++;
    }
    return cli_parse(argc, argv, ret, err);
}

static void understands_commands(void **state UNUSED)
{
    static const struct {
        const char *words[WORDS_MAX];
        int (*run)(const Cli *cli);
        const char *login;
        const char *env_file;
        Role role;
    } cases[] = {
        {{NULL}, command_serve, NULL, NULL, ROLE_VIEWER},
        {{"serve", NULL}, command_serve, NULL, NULL, ROLE_VIEWER},
        {{"--env-file", "x.env", NULL}, command_serve, NULL, "x.env", ROLE_VIEWER},
        {{"migrate", "--env-file=x.env", NULL}, command_migrate, NULL, "x.env", ROLE_VIEWER},
        {{"user", "add", "ann", NULL}, command_user_add, "ann", NULL, ROLE_VIEWER},
        {{"user", "add", "ann", "--role", "admin", NULL}, command_user_add, "ann", NULL, ROLE_ADMIN},
        {{"user", "add", "--role=editor", "ann", NULL}, command_user_add, "ann", NULL, ROLE_EDITOR},
        {{"user", "passwd", "ann", NULL}, command_user_passwd, "ann", NULL, ROLE_VIEWER},
        {{"user", "list", NULL}, command_user_list, NULL, NULL, ROLE_VIEWER},
        {{"secret", "create", NULL}, command_secret_create, NULL, NULL, ROLE_VIEWER},
        {{"check", NULL}, command_check, NULL, NULL, ROLE_VIEWER},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Cli cli;
        Err err = ERR_INIT;
        if (parse(cases[i].words, &cli, &err) < 0)
            fail_msg("%zu: %s", i, err.detail);
        assert_ptr_equal(cli.command->run, cases[i].run);
        assert_int_equal(cli.role, cases[i].role);
        assert_true((cli.login == NULL) == (cases[i].login == NULL));
        if (cases[i].login)
            assert_string_equal(cli.login, cases[i].login);
        if (cases[i].env_file)
            assert_string_equal(cli.env_file, cases[i].env_file);
    }
}

static void says_what_is_wrong(void **state UNUSED)
{
    static const struct {
        const char *words[WORDS_MAX];
        const char *detail;
        const char *hint;
    } cases[] = {
        {{"serv", NULL}, "\"serv\" is not a command", "did you mean \"serve\"?"},
        {{"frobnicate", NULL}, "\"frobnicate\" is not a command", "--help"},
        {{"user", NULL}, "wants to know what to do", "add, passwd, list"},
        {{"user", "remove", NULL}, "\"user remove\" is not a command", "add, passwd, list"},
        {{"user", "add", NULL}, "a login is missing", ""},
        {{"user", "list", "ann", NULL}, "\"ann\" is too much", ""},
        {{"user", "add", "ann", "secret", NULL}, "\"secret\" is too much", ""},
        {{"migrate", "now", NULL}, "\"now\" is too much", ""},
        {{"user", "add", "ann", "--role", "god", NULL}, "\"god\" is not a role", ""},
        {{"user", "add", "ann", "--role", NULL}, "--role needs a value", ""},
        {{"migrate", "--role=admin", NULL}, "--role does not belong", ""},
        {{"--env-file", NULL}, "--env-file needs a value", ""},
        {{"--password=x", NULL}, "\"--password=x\" is not an option", "--help"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Cli cli;
        Err err = ERR_INIT;
        assert_true(parse(cases[i].words, &cli, &err) < 0);
        assert_int_equal(err.code, ERR_USAGE);
        if (!strstr(err.detail, cases[i].detail) || !strstr(err.hint, cases[i].hint))
            fail_msg("%zu: %s (%s)", i, err.detail, err.hint);
    }
}

static void help_names_every_command_and_setting(void **state UNUSED)
{
    _cleanup_buf_ Buf help = BUF_INIT;
    cli_write_help(&help);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        assert_non_null(strstr(buf_cstr(&help), commands[i].usage));
        assert_true(commands[i].help[0] != '\0');
    }
    assert_non_null(strstr(buf_cstr(&help), "DATABASE_URL"));
    _cleanup_buf_ Buf version = BUF_INIT;
    cli_write_version(&version);
    assert_non_null(strstr(buf_cstr(&version), "libmicrohttpd"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_commands),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(help_names_every_command_and_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
