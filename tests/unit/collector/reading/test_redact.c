/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

typedef struct Case {
    const char *in;
    const char *out;
} Case;

static const Case SQL[] = {
    {"", ""},
    {"select a, \"B c\" from t1 where x = $1", "select a, \"B c\" from t1 where x = $1"},
    {"select 'secret'", "select ?"},
    {"select 'it''s', 'x'", "select ?, ?"},
    {"select 'back\\', 'x'", "select ?, ?"},
    {"select E'it\\'s secret', 2", "select ?, ?"},
    {"select e'a\\\\', 'b'", "select ?, ?"},
    {"select N'a', b'01', X'ff', U&'d\\0061t' uescape '!'", "select ?, ?, ?, ? uescape ?"},
    {"select U&\"d\\0061t\" from t", "select U&\"d\\0061t\" from t"},
    {"select 'a'\n  'b'", "select ?"},
    {"select 'a' -- c\n 'b'", "select ?"},
    {"select E'a'\n 'b\\'c' , d", "select ? , d"},
    {"select 'a' 'b'", "select ? ?"},
    {"select $$secret$$, $tag$ it's $$ \" $tag$, $1", "select ?, ?, $1"},
    {"do $body$ begin perform 'x'; end $body$", "do ?"},
    {"select $_ta1$x$_ta1$", "select ?"},
    {"select a$b$c from t$1", "select a$b$c from t$1"},
    {"select $$cut", "select ?"},
    {"select $tag", "select $tag"},
    {"select 'cut", "select ?"},
    {"select E'cut\\", "select ?"},
    {"select \"cut secret", "select ?"},
    {"select 1 /* cut secret", "select ?  "},
    {"select 1 -- secret\n, 2", "select ?  \n, ?"},
    {"/* app='x' /* nested */ still */ select 1", "  select ?"},
    {"select 1, 1.5, .5, 1e10, 1.5E-3, 0xFF, 1_000, -7, t1.c2", "select ?, ?, ?, ?, ?, ?, ?, -?, t1.c2"},
    {"select a[1:2], x..y", "select a[?:?], x..y"},
    {"limit 10 offset 20", "limit ? offset ?"},
    {"alter role joe password 'hunter2' valid until '2030-01-01'", "alter role joe password ? valid until ?"},
    {"select \xc3\xa4\xc3\xb6, '\xc3\xbc'", "select \xc3\xa4\xc3\xb6, ?"},
    {"select a -- b", "select a  "},
    {"select a/b*c - d", "select a/b*c - d"},
    {"select 1a2b", "select ?"},
};

static void literals_become_question_marks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(SQL); i++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        redact_sql(slice_cstr(SQL[i].in), false, &out);
        if (strcmp(buf_cstr(&out), SQL[i].out) != 0)
            fail_msg("%s\n  got    %s\n  expect %s", SQL[i].in, buf_cstr(&out), SQL[i].out);
    }
}

static void with_old_strings_a_backslash_escapes_in_all_of_them(void **state)
{
    (void)state;
    _cleanup_buf_ Buf out = BUF_INIT;
    redact_sql(SLICE_LIT("select 'it\\'s secret', a"), true, &out);
    assert_string_equal(buf_cstr(&out), "select ?, a");
}

/* Cut anywhere, as track_activity_query_size does: nothing of a value comes through. */
static void a_text_cut_anywhere_shows_no_value(void **state)
{
    (void)state;
    static const char TEXT[] = "select 'SECRET', E'\\'SECRET', $x$SECRET$x$, \"a\" /* SECRET */ -- SECRET\n, 'SECRET'";
    for (size_t len = 0; len <= sizeof(TEXT) - 1; len++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        redact_sql(slice_from(TEXT, len), false, &out);
        assert_true(slice_find(buf_slice(&out), SLICE_LIT("SEC")) < 0);
    }
}

static const Case CREDENTIALS[] = {
    {"", ""},
    {"replica", "replica"},
    {"host=a password=hunter2 port=1", "host=a password=*** port=1"},
    {"host=a password = 'hun ter\\'2' port=1", "host=a password = *** port=1"},
    {"user=x PGPASSWORD=hunter2", "user=x PGPASSWORD=***"},
    {"postgresql://joe:hunter2@db/x?sslmode=require", "postgresql://joe:***@db/x?sslmode=require"},
    {"postgresql://joe:hun@ter2@db/x", "postgresql://joe:***@db/x"},
    {"postgresql://db:5432/x", "postgresql://db:5432/x"},
    {"aws s3 cp --secret-key abc %p s3://b", "aws s3 cp --secret-key *** %p s3://b"},
    {"TOKEN: abc; next", "TOKEN: ***; next"},
    {"Secret=a sECRET=b", "Secret=*** sECRET=***"},
    {"Access_Key=a aPIKEY=b Api_key=c", "Access_Key=*** aPIKEY=*** Api_key=***"},
    {"Passwd=a pASSPHRASE=b Token=c token=d", "Passwd=*** pASSPHRASE=*** Token=*** token=***"},
    {"password_encryption", "password_encryption"},
    {"password", "password"},
    {"password=", "password="},
};

static void values_behind_secret_words_are_masked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(CREDENTIALS); i++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        redact_credentials(slice_cstr(CREDENTIALS[i].in), &out);
        if (strcmp(buf_cstr(&out), CREDENTIALS[i].out) != 0)
            fail_msg("%s\n  got    %s\n  expect %s", CREDENTIALS[i].in, buf_cstr(&out), CREDENTIALS[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_become_question_marks),
        cmocka_unit_test(with_old_strings_a_backslash_escapes_in_all_of_them),
        cmocka_unit_test(a_text_cut_anywhere_shows_no_value),
        cmocka_unit_test(values_behind_secret_words_are_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
