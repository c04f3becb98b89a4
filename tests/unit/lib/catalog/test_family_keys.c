/* SPDX-License-Identifier: PostgreSQL */
/* Keys one by one; whole files are in test_family_parse.c. */
#include "lib/catalog/family_keys.h"

#include "tests/support/unit.h"

typedef struct Fixture {
    Arena *arena;
    TomlDoc *doc;
    Err err;
    FamilyParser p;
} Fixture;

static const TomlTable *begin(Fixture *x, const char *text)
{
    *x = (Fixture){.arena = arena_new(0)};
    assert_ok(toml_parse(slice_cstr(text), NULL, &x->doc, &x->err), &x->err);
    x->p = (FamilyParser){.arena = x->arena, .file_name = "f.toml", .reterr = &x->err};
    return toml_root(x->doc);
}

static void end(Fixture *x)
{
    (void)toml_doc_free(x->doc);
    (void)arena_free(x->arena);
}

static void texts_are_trimmed_and_absent_ones_empty(void **state)
{
    (void)state;
    Fixture x;
    const TomlTable *t = begin(&x, "a = \"\"\"\n  select 1\n\"\"\"\n");
    assert_string_equal(family_keys_text(&x.p, t, "a"), "select 1");
    assert_string_equal(family_keys_text(&x.p, t, "b"), "");
    end(&x);
}

static void lists_come_from_one_or_many(void **state)
{
    (void)state;
    Fixture x;
    const TomlTable *t = begin(&x, "one = 'x'\nmany = ['x', ' y ']\n");
    const char *const *one = family_keys_list(&x.p, t, "one"), *const *many = family_keys_list(&x.p, t, "many");
    assert_string_equal(one[0], "x");
    assert_null(one[1]);
    assert_string_equal(many[1], "y");
    assert_null(many[2]);
    assert_null(family_keys_list(&x.p, t, "none"));
    end(&x);
}

static void choices_and_integers_are_bounded(void **state)
{
    (void)state;
    static const char *const names[] = {"", "left", "right", NULL};
    Fixture x;
    const TomlTable *t = begin(&x, "a = 'right'\nb = 'up'\nn = 7\n");
    assert_int_equal(family_keys_choice(&x.p, t, "a", names), 2);
    assert_int_equal(family_keys_choice(&x.p, t, "none", names), 0);
    assert_int_equal(family_keys_choice(&x.p, t, "b", names), -1);
    assert_err(&x.err, ERR_CONFIG, "f.toml: b = \"up\" is not one of \"left\", \"right\"");
    assert_int_equal(x.err.line, 2);

    int n = -1;
    assert_ok(family_keys_integer(&x.p, t, "n", 7, &n), &x.err);
    assert_int_equal(n, 7);
    assert_true(family_keys_integer(&x.p, t, "n", 6, &n) < 0);
    assert_err(&x.err, ERR_CONFIG, "n = 7 is not between 0 and 6");
    assert_ok(family_keys_integer(&x.p, t, "none", 6, &n), &x.err);
    assert_int_equal(n, 0);
    end(&x);
}

static void types_are_checked(void **state)
{
    (void)state;
    static const FamilyKey keys[] = {
        {"b", KEY_BOOL}, {"i", KEY_INTEGER}, {"l", KEY_LIST}, {"t", KEY_TABLES}, {"x", KEY_TEXT}};
    static const struct {
        const char *text;
        const char *fault; /* NULL: good */
    } cases[] = {
        {"b = true\ni = 1\nl = ['a']\nx = 's'\n[[t]]\n", NULL},
        {"l = 'a'", NULL},
        {"b = 1", "b must be true or false"},
        {"i = '1'", "i must be an integer"},
        {"l = [1]", "l must be a string or a list"},
        {"l = []", "l must be a string or a list"},
        {"l = [\"a\\u0000\"]", "l must be a string or a list"},
        {"t = [1]", "t must be a list of tables"},
        {"[t]", "t must be a list of tables"},
        {"x = 1.5", "x must be a string"},
        {"y = 1", "unknown key \"y\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Fixture x;
        const TomlTable *t = begin(&x, cases[i].text);
        int r = family_keys_check(&x.p, t, keys, ARRAY_LENGTH(keys));
        if (cases[i].fault)
            assert_err(&x.err, ERR_CONFIG, cases[i].fault);
        else
            assert_ok(r, &x.err);
        end(&x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_trimmed_and_absent_ones_empty),
        cmocka_unit_test(lists_come_from_one_or_many),
        cmocka_unit_test(choices_and_integers_are_bounded),
        cmocka_unit_test(types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
