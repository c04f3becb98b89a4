/* SPDX-License-Identifier: PostgreSQL */
/* The tree: order, look-up in small and large tables, typed access, places. */
#include "tests/unit/lib/conf/toml_support.h"

static TomlDoc *parse(const char *text)
{
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (toml_parse(slice_cstr(text), NULL, &doc, &err) < 0)
        fail_msg("%u:%u: %s", err.line, err.column, err.detail);
    return doc;
}

static void entries_keep_the_order_of_the_file(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse("z = 1\na = 2\nm = 3\n[t]\nb = 4\n");
    _cleanup_buf_ Buf got = BUF_INIT;
    dump_table(toml_root(doc), &got);
    assert_string_equal(buf_cstr(&got), "{\"z\":1,\"a\":2,\"m\":3,\"t\":{\"b\":4}}");
}

static void keys_and_values_know_their_place(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc =
        parse("# c\n  a.b = [1,\n   {x = 2}]\n\"\xc3\xa4\xc3\xb6\" =  \"v\"\n[ t ]\n");
    const TomlEntry *a = toml_table_first(toml_root(doc));
    assert_int_equal(a->line, 2);
    assert_int_equal(a->column, 3);
    const TomlEntry *b = toml_table_first(a->value.as.table);
    assert_int_equal(b->line, 2);
    assert_int_equal(b->column, 5);
    assert_int_equal(b->value.column, 9);
    const TomlValue *inline_table = &b->value.as.array->items[1];
    assert_int_equal(inline_table->line, 3);
    assert_int_equal(inline_table->column, 4);
    assert_int_equal(toml_table_first(inline_table->as.table)->column, 5);

    /* Columns count characters, not bytes. */
    const TomlEntry *umlauts = a->next;
    assert_int_equal(umlauts->line, 4);
    assert_int_equal(umlauts->value.column, 9);
    assert_int_equal(umlauts->next->line, 5);
    assert_int_equal(umlauts->next->column, 3);
}

static void a_header_after_the_fact_moves_the_place_of_its_table(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse("[a.b]\n[a]\nx = 1\n");
    const TomlEntry *a = toml_table_find(toml_root(doc), SLICE_LIT("a"));
    assert_int_equal(a->line, 2);
    assert_int_equal(a->value.line, 2);
}

static void large_tables_find_every_key(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    for (int table = 0; table < 3; table++) {
        buf_printf(&text, "[t%d]\n", table);
        for (int i = 0; i < 100; i++)
            buf_printf(&text, "key%d = %d\n", i, table * 1000 + i);
    }
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse(buf_cstr(&text));
    for (int table = 0; table < 3; table++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "t%d", table);
        const TomlTable *t = toml_table_get_table(toml_root(doc), name);
        assert_int_equal(toml_table_count(t), 100);
        for (int i = 0; i < 100; i++) {
            int64_t value;
            (void)snprintf(name, sizeof(name), "key%d", i);
            assert_true(toml_table_get_integer(t, name, &value));
            assert_int_equal(value, table * 1000 + i);
        }
        assert_null(toml_table_get(t, "key100"));
    }
}

static void duplicates_are_found_in_large_tables(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "key%d = %d\n", i, i);
    buf_append_cstr(&text, "key7 = 1\n");
    const InvalidCase c = {"large", buf_cstr(&text), 41, 1, "\"key7\" is already an integer since line 8"};
    check_invalid(&c, 1);
}

static void typed_access_refuses_other_types(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse("s = 'x'\ni = 3\nb = true\na = []\n[t]\n");
    const TomlTable *root = toml_root(doc);
    int64_t i = 9;
    bool b = false;
    assert_true(slice_eq_cstr(toml_table_get_string(root, "s"), "x"));
    assert_true(toml_table_get_integer(root, "i", &i));
    assert_int_equal(i, 3);
    assert_true(toml_table_get_bool(root, "b", &b));
    assert_true(b);
    assert_int_equal(toml_table_get_array(root, "a")->count, 0);
    assert_int_equal(toml_table_count(toml_table_get_table(root, "t")), 0);
    assert_null(toml_table_first(toml_table_get_table(root, "t")));

    assert_null(toml_table_get_string(root, "i").ptr);
    assert_null(toml_table_get_string(root, "absent").ptr);
    assert_false(toml_table_get_integer(root, "s", &i));
    assert_false(toml_table_get_bool(root, "s", &b));
    assert_null(toml_table_get_array(root, "s"));
    assert_null(toml_table_get_table(root, "s"));
    assert_int_equal(i, 3);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (int type = 0; type < _TOML_TYPE_MAX; type++)
        assert_true(strlen(toml_type_to_string((TomlType)type)) > 2);
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    assert_null(toml_doc_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_keep_the_order_of_the_file),
        cmocka_unit_test(keys_and_values_know_their_place),
        cmocka_unit_test(a_header_after_the_fact_moves_the_place_of_its_table),
        cmocka_unit_test(large_tables_find_every_key),
        cmocka_unit_test(duplicates_are_found_in_large_tables),
        cmocka_unit_test(typed_access_refuses_other_types),
        cmocka_unit_test(every_type_has_a_name),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
