/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/store/sql_split.h"
#include "lib/base/cleanup.h"
#include "lib/base/embedded.h"

extern const EmbeddedFile STORE_MIGRATIONS[];
extern const size_t STORE_MIGRATIONS_count;

static void statements_end_at_semicolons_outside_of_texts(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *statements[4];
    } CASES[] = {
        {"", {NULL}},
        {"  -- nothing\n ; /* at */ ;", {NULL}},
        {"select 1", {"select 1"}},
        {"select 1;\n\nselect 2;\n", {"select 1", "select 2"}},
        {"-- head; comment\nselect 1 -- tail; comment\n;", {"select 1 -- tail; comment"}},
        {"select ';', 'it''s; so'; x", {"select ';', 'it''s; so'", "x"}},
        {"select 'no escape\\'; x", {"select 'no escape\\'", "x"}},
        {"select E'an escape\\'; here'; x", {"select E'an escape\\'; here'", "x"}},
        {"select name'\\'; x", {"select name'\\'", "x"}},
        {"create table \"a;b\" (); x", {"create table \"a;b\" ()", "x"}},
        {"do $$ begin a; b; end $$; x", {"do $$ begin a; b; end $$", "x"}},
        {"do $body$ $$;$$ $other$ ; $body$; x", {"do $body$ $$;$$ $other$ ; $body$", "x"}},
        {"select $1; select a$b$; x", {"select $1", "select a$b$", "x"}},
        {"a /* ; /* nested; */ ; */ b; x", {"a /* ; /* nested; */ ; */ b", "x"}},
        {"a 'not closed; b", {"a 'not closed; b"}},
        {"a $$ not closed; b", {"a $$ not closed; b"}},
        {"a /* not closed; b", {"a /* not closed; b"}},
        {"a 'E", {"a 'E"}},
        {"E'\\", {"E'\\"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Slice rest = slice_cstr(CASES[i].script);
        Slice statement;
        for (size_t n = 0; CASES[i].statements[n]; n++) {
            assert_true(sql_split_next(&rest, &statement));
            assert_int_equal(statement.len, strlen(CASES[i].statements[n]));
            assert_memory_equal(statement.ptr, CASES[i].statements[n], statement.len);
        }
        assert_false(sql_split_next(&rest, &statement));
    }
}

static void no_cut_of_a_script_reads_beyond_its_end(void **state)
{
    (void)state;
    const char script[] = "a 'b' $x$ c $x$ /* d /* e */ f */ -- g\n E'\\'' \"h\"; i";
    for (size_t len = 0; len <= strlen(script); len++) {
        char *copy = malloc(len ? len : 1); /* exactly as long: the sanitizer sees a byte too many */
        memcpy(copy, script, len);
        Slice rest = slice_from(copy, len);
        Slice statement;
        size_t total = 0;
        while (sql_split_next(&rest, &statement))
            total += statement.len;
        assert_true(total <= len);
        free(copy);
    }
}

static void migrations_have_as_many_statements_as_they_begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < STORE_MIGRATIONS_count; i++) {
        Slice rest = embedded_slice(&STORE_MIGRATIONS[i]);
        Slice statement;
        size_t count = 0;
        for (; sql_split_next(&rest, &statement); count++)
            assert_true(slice_starts_with(statement, SLICE_LIT("create ")) ||
                        slice_starts_with(statement, SLICE_LIT("alter ")) ||
                        slice_starts_with(statement, SLICE_LIT("insert ")) ||
                        slice_starts_with(statement, SLICE_LIT("update ")) ||
                        slice_starts_with(statement, SLICE_LIT("comment ")) ||
                        slice_starts_with(statement, SLICE_LIT("drop ")));
        assert_true(count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_at_semicolons_outside_of_texts),
        cmocka_unit_test(no_cut_of_a_script_reads_beyond_its_end),
        cmocka_unit_test(migrations_have_as_many_statements_as_they_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
