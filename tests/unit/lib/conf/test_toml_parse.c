/* SPDX-License-Identifier: PostgreSQL */
/* Statements of TOML 1.0: keys, tables, arrays, what may be defined again, limits, encoding. */
#include "tests/unit/lib/conf/toml_support.h"

static const ValidCase valid[] = {
    {"empty text", "", "{}"},
    {"only blanks and comments", " \t\n# x\n\r\n  # y", "{}"},
    {"comment with tab and non-ASCII", "#\t\xc3\xa4\na=1#end", "{\"a\":1}"},
    {"no newline at the end", "a = 1", "{\"a\":1}"},
    {"CR LF lines", "a = 1\r\nb = 2 # c\r\n[t]\r\n", "{\"a\":1,\"b\":2,\"t\":{}}"},
    {"byte order mark",
     "\xEF\xBB\xBF"
     "a = 1",
     "{\"a\":1}"},
    {"bare keys", "A-z_09 = 1\n1234 = 2\n- = 3", "{\"A-z_09\":1,\"1234\":2,\"-\":3}"},
    {"quoted keys", "\"a b\" = 1\n'c.d' = 2\n\"\" = 3\n\"\\u0041\" = 4", "{\"a b\":1,\"c.d\":2,\"\":3,\"A\":4}"},
    {"dotted keys with blanks", "a . \"b\".c = 1\na.d = 2", "{\"a\":{\"b\":{\"c\":1},\"d\":2}}"},
    {"dotted keys out of order", "a.x = 1\nb.x = 2\na.y = 3", "{\"a\":{\"x\":1,\"y\":3},\"b\":{\"x\":2}}"},
    {"keys that look like floats", "3.14 = 1", "{\"3\":{\"14\":1}}"},
    {"keys that look like values", "true = 1\ninf = 2\n1979-05-27 = 3", "{\"true\":1,\"inf\":2,\"1979-05-27\":3}"},

    {"tables", "[a]\nx = 1\n[b] # c\ny = 2\n[c]", "{\"a\":{\"x\":1},\"b\":{\"y\":2},\"c\":{}}"},
    {"nested headers with blanks", "[ a . 'b' ]\nx = 1", "{\"a\":{\"b\":{\"x\":1}}}"},
    {"super table after sub table", "[a.b]\nx = 1\n[a]\ny = 2", "{\"a\":{\"b\":{\"x\":1},\"y\":2}}"},
    {"sub table of a table made by dotted keys", "[f]\na.c = 1\n[f.a.t]\ns = 2",
     "{\"f\":{\"a\":{\"c\":1,\"t\":{\"s\":2}}}}"},
    {"empty quoted header", "['']\nx = 1", "{\"\":{\"x\":1}}"},

    {"arrays of tables", "[[a]]\nx = 1\n[[a]]\n[[a]]\nx = 3", "{\"a\":[{\"x\":1},{},{\"x\":3}]}"},
    {"sub tables of the latest element", "[[a]]\n[a.t]\nx = 1\n[[a]]\n[a.t]\nx = 2",
     "{\"a\":[{\"t\":{\"x\":1}},{\"t\":{\"x\":2}}]}"},
    {"nested arrays of tables", "[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3",
     "{\"a\":[{\"b\":[{\"x\":1},{\"x\":2}]},{\"b\":[{\"x\":3}]}]}"},
    {"dotted keys in each element", "[[a]]\nb.c = 1\n[[a]]\nb.c = 2", "{\"a\":[{\"b\":{\"c\":1}},{\"b\":{\"c\":2}}]}"},
    {"many elements", "[[a]]\n[[a]]\n[[a]]\n[[a]]\n[[a]]\n[[a]]\n", "{\"a\":[{},{},{},{},{},{}]}"},

    {"arrays", "a = []\nb = [ 1, 2 ]\nc = [1,2,]\nd = [[1], ['x', []]]",
     "{\"a\":[],\"b\":[1,2],\"c\":[1,2],\"d\":[[1],[\"x\",[]]]}"},
    {"arrays over lines with comments", "a = [ # one\n 1 # two\n , # three\n 2,\n # four\n ]", "{\"a\":[1,2]}"},
    {"arrays of mixed types", "a = [1, 1.5, 'x', true, {b = 1}, 07:32:00]",
     "{\"a\":[1,float 1.5,\"x\",true,{\"b\":1},07:32:00]}"},
    {"inline tables", "a = {}\nb = { x = 1, y.z = 2, 'q' = {r = 3} }",
     "{\"a\":{},\"b\":{\"x\":1,\"y\":{\"z\":2},\"q\":{\"r\":3}}}"},
    {"inline table with an array over lines", "a = {b = [\n1,\n2\n]}", "{\"a\":{\"b\":[1,2]}}"},
    {"dotted keys share a table in an inline table", "a = {b.c = 1, b.d = 2}", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
    {"seventeen keys in an inline table", "a = {a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1}",
     "{\"a\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,"
     "\"n\":1,\"o\":1,\"p\":1,\"q\":1}}"},
};

static const InvalidCase invalid[] = {
    {"key alone", "a", 1, 2, "unexpected end of the file, expected '='"},
    {"key without value", "a =\n", 1, 4, "unexpected end of the line, expected a value"},
    {"value without key", "= 1", 1, 1, "unexpected '=', expected a key"},
    {"colon for equals", "a: 1", 1, 2, "unexpected ':', expected '='"},
    {"key over two lines", "a\n= 1", 1, 2, "unexpected end of the line"},
    {"two values on a line", "x = 1\na = 1 b = 2", 2, 7, "unexpected 'b', expected the end of the line after a value"},
    {"non-ASCII bare key", "\xc3\xa4 = 1", 1, 1, "unexpected '\xc3\xa4', expected a key"},
    {"dotted key ends in a dot", "a. = 1", 1, 4, "expected a key"},
    {"dotted key begins with a dot", ".a = 1", 1, 1, "expected a key"},
    {"two dots", "a..b = 1", 1, 3, "expected a key"},
    {"unclosed key", "\"a = 1", 1, 7, "expected the closing quote"},
    {"multi-line key", "\"\"\"a\"\"\" = 1", 1, 3, "expected '='"},
    {"control character for a key", "\x01", 1, 1, "unexpected control character 0x01"},
    {"delete character in a comment", "# \x7f", 1, 3, "unexpected control character 0x7f, which a comment"},
    {"control character in a comment after a value", "a = 1 # \x02", 1, 9, "which a comment may not hold"},
    {"CR alone in a comment", "# a\rb", 1, 4, "0x0d"},
    {"CR alone ends no line", "a = 1\rb = 2", 1, 6, "unexpected control character 0x0d"},
    {"control character between values", "a = [1, # \x02\n]", 1, 11, "which a comment may not hold"},

    {"key twice", "a = 1\nb = 2\n a = 3", 3, 2, "\"a\" is already an integer since line 1, it cannot be given twice"},
    {"key twice, quoted", "a = 1\n\"\\u0061\" = 2", 2, 1, "\"a\" is already an integer"},
    {"table for a value", "a = 1\n[a]", 2, 2, "\"a\" is already an integer since line 1, it cannot be defined again"},
    {"table below a value", "a = 1\n[a.b]", 2, 2, "a header cannot extend it"},
    {"dotted key below a value", "a = 1\na.b = 2", 2, 1, "a dotted key cannot extend it"},
    {"value for a dotted table", "a.b = 1\na = 2", 2, 1, "\"a\" is already a table since line 1"},
    {"table twice", "[a]\n[b]\n[a]", 3, 2, "\"a\" is already a table since line 1"},
    {"table of a dotted table", "a.b = 1\n[a]", 2, 2, "\"a\" is already a table since line 1"},
    {"dotted key into a header's table", "[a.b]\n[a]\nb.c = 1", 3, 1,
     "\"b\" is already a table since line 1, defined by"},
    {"dotted key into a table passed by a header", "[a.b.c]\nz = 9\n[a]\nb.d = 1", 4, 1, "defined by a header"},
    {"dotted key into an array of tables", "[[a.b]]\n[a]\nb.y = 2", 3, 1,
     "\"b\" is already an array of tables since line 1"},
    {"table for an array of tables", "[[a]]\n[a]", 2, 2, "\"a\" is already an array of tables since line 1"},
    {"array of tables for a table", "[a]\n[[a]]", 2, 3,
     "\"a\" is already a table since line 1, [[...]] cannot add to it"},
    {"array of tables for an array", "a = []\n[[a]]", 2, 3, "\"a\" is already an array since line 1"},
    {"array of tables for an implicit table", "[a.b]\n[[a]]", 2, 3, "\"a\" is already a table since line 1"},
    {"header into an array", "a = [{}]\n[a.b]", 2, 2, "\"a\" is already an array since line 1"},
    {"header into an inline table", "a = {}\n[a.b]", 2, 2, "\"a\" is already an inline table since line 1"},
    {"header of an inline table", "a = {}\n[a]", 2, 2, "\"a\" is already an inline table"},
    {"dotted key into an inline table", "a = {b = 1}\na.c = 2", 2, 1, "\"a\" is already an inline table"},
    {"dotted key into a nested inline table", "a.b = {c = {}}\na.b.c.d = 1", 2, 3, "\"b\" is already an inline table"},
    {"key twice in an inline table", "a = {b = 1, b = 2}", 1, 13, "\"b\" is already an integer"},

    {"unclosed header", "[a", 1, 3, "unexpected end of the file, expected ']' after a header"},
    {"unclosed header at a newline", "[a\n]", 1, 3, "unexpected end of the line, expected ']'"},
    {"unclosed array header", "[[a]", 1, 4, "expected ']]' after a header"},
    {"blank between brackets", "[[a] ]", 1, 4, "expected ']]' after a header"},
    {"blank between opening brackets", "[ [a]]", 1, 3, "unexpected '[', expected a key"},
    {"empty header", "[]", 1, 2, "unexpected ']', expected a key"},
    {"header ends in a dot", "[a.]", 1, 4, "unexpected ']', expected a key"},
    {"header with a wrong part", "[a.=]", 1, 4, "unexpected '=', expected a key"},
    {"unclosed key in a header", "['a]", 1, 5, "expected the closing quote"},
    {"text after a header", "[a] b = 1", 1, 5, "unexpected 'b', expected the end of the line after a header"},
    {"second header on the line", "[a] [b]", 1, 5, "unexpected '[', expected the end of the line"},

    {"unclosed array", "a = [1,\n2\n", 3, 1, "unexpected end of the file, the array of line 1 is not closed"},
    {"array without comma", "a = [1 2]", 1, 8, "unexpected '2', expected ',' or ']'"},
    {"array with two commas", "a = [1,,2]", 1, 8, "unexpected ',', expected a value"},
    {"array with a comma first", "a = [,1]", 1, 6, "unexpected ',', expected a value"},
    {"array closed by a brace", "a = [1}", 1, 7, "unexpected '}', expected ',' or ']'"},
    {"inline table over lines", "a = {b = 1,\nc = 2}", 1, 12, "unexpected end of the line, expected a key"},
    {"inline table with a comma at the end", "a = {b = 1,}", 1, 12, "unexpected '}', expected a key"},
    {"inline table with a comma first", "a = {,b = 1}", 1, 6, "unexpected ',', expected a key"},
    {"inline table without comma", "a = {b = 1 c = 2}", 1, 12, "unexpected 'c', expected ',' or '}'"},
    {"unclosed inline table", "a = {b = 1", 1, 11, "unexpected end of the file, expected ',' or '}'"},
    {"comment in an inline table", "a = {b = 1 # c\n}", 1, 12, "unexpected '#', expected ',' or '}'"},
    {"wrong value deep inside", "a = {b = [1, {c = x}]}", 1, 19, "not a value"},
};

static void valid_documents_give_their_tree(void **state)
{
    (void)state;
    check_valid(valid, ARRAY_LENGTH(valid));
}

static void invalid_documents_are_refused_with_the_place(void **state)
{
    (void)state;
    check_invalid(invalid, ARRAY_LENGTH(invalid));
}

static void absent_text_is_an_empty_document(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    assert_int_equal(toml_parse(SLICE_NULL, NULL, &doc, NULL), 0);
    assert_int_equal(toml_table_count(toml_root(doc)), 0);
}

static void nul_is_no_end_of_the_text(void **state)
{
    (void)state;
    const InvalidCase key = {"key", "", 1, 2, "unexpected control character 0x00"};
    check_refused(&key, SLICE_LIT("a\0 = 1"));
    const InvalidCase item = {"array", "", 1, 6, "unexpected control character 0x00, expected a value"};
    check_refused(&item, SLICE_LIT("a = [\0]"));
    const InvalidCase value = {"value", "", 1, 6, "unexpected control character 0x00"};
    check_refused(&value, SLICE_LIT("a = 1\0"));
}

static void long_keys_are_cut_in_messages_at_a_character(void **state)
{
    (void)state;
    _cleanup_buf_ Buf key = BUF_INIT;
    buf_append_cstr(&key, "\"x");
    for (int i = 0; i < 60; i++)
        buf_append_cstr(&key, "\xc3\xa4"); /* byte 80 is in the middle of one */
    buf_append_cstr(&key, "\"");
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_printf(&text, "%s = 1\n%s = 2\n", buf_cstr(&key), buf_cstr(&key));
    const InvalidCase c = {"long key", buf_cstr(&text), 2, 1, "\xc3\xa4\"... is already an integer"};
    check_invalid(&c, 1);
}

static void keys_in_messages_are_printable(void **state)
{
    (void)state;
    const InvalidCase c = {"newline", "\"a\\nb\" = 1\n\"a\\nb\" = 2", 2, 1, "\"a\\nb\" is already"};
    check_invalid(&c, 1);
}

static void text_that_is_not_utf8_is_refused_where_it_is_not(void **state)
{
    (void)state;
    static const InvalidCase cases[] = {
        {"lone byte", "a = 1\n# \xc3\xa4 \xff", 2, 5, "byte 0xff is not valid UTF-8"},
        {"continuation without lead", "\x80", 1, 1, "byte 0x80"},
        {"cut at the end", "a = '\xe2\x82", 1, 6, "byte 0xe2"},
        {"overlong", "a = '\xc0\xaf'", 1, 6, "byte 0xc0"},
        {"surrogate", "a = '\xed\xa0\x80'", 1, 6, "byte 0xed"},
        {"beyond Unicode", "a = '\xf4\x90\x80\x80'", 1, 6, "byte 0xf4"},
        {"after a four-byte character", "a = '\xf0\x9f\x90\x98\xf0", 1, 7, "byte 0xf0"},
        {"UTF-16",
         "\xff\xfe"
         "a",
         1, 1, "byte 0xff"},
    };
    check_invalid(cases, ARRAY_LENGTH(cases));
}

static int parse_limited(const char *text, TomlLimits limits, Err *err)
{
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    *err = ERR_INIT;
    return toml_parse(slice_cstr(text), &limits, &doc, err);
}

static void limits_hold_at_their_edge(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        TomlLimits limits;
        const char *fits;
        const char *exceeds;
        uint32_t line, column;
    } cases[] = {
        {"bytes", {.bytes = 5}, "a = 1", "a = 12", 0, 0},
        {"keys", {.values = 2}, "a = 1\nb = 2", "a = 1\nb = 2\nc = 3", 3, 1},
        {"array elements", {.values = 3}, "a = [1, 2]", "a = [1, 2, 3]", 1, 12},
        {"tables", {.values = 2}, "[a]\n[b]", "[a]\n[b]\n[c]", 3, 2},
        {"elements of tables", {.values = 2}, "[[a]]\n[[a]]", "[[a]]\n[[a]]\n[[a]]", 3, 3},
        {"keys of inline tables", {.values = 3}, "a = {b = 1, c = 2}", "a = {b = 1, c = 2, d = 3}", 1, 20},
        {"arrays in arrays", {.depth = 2}, "a = [[1]]", "a = [[[1]]]", 1, 7},
        {"inline tables", {.depth = 2}, "a = {b = {c = 1}}", "a = {b = {c = {}}}", 1, 15},
        {"dotted keys", {.depth = 2}, "a.b.c = 1", "a.b.c.d = 1", 1, 5},
        {"headers", {.depth = 2}, "[a.b]", "[a.b.c]", 1, 6},
        {"headers on the way", {.depth = 2}, "[a.b]", "[a.b.c.d]", 1, 6},
        {"array headers", {.depth = 2}, "[[a]]", "[[a.b]]", 1, 5},
        {"value in a deep table", {.depth = 2}, "[a]\nb = []", "[a]\nb = [[]]", 2, 6},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Err err;
        if (parse_limited(cases[i].fits, cases[i].limits, &err) < 0)
            fail_msg("%s: refused: %s", cases[i].name, err.detail);
        if (parse_limited(cases[i].exceeds, cases[i].limits, &err) == 0)
            fail_msg("%s: accepted", cases[i].name);
        assert_int_equal(err.code, ERR_TOO_LARGE);
        if (err.line != cases[i].line || err.column != cases[i].column)
            fail_msg("%s: refused at %u:%u", cases[i].name, err.line, err.column);
    }
}

static void default_depth_stops_what_would_exhaust_the_stack(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_append_cstr(&text, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_append_char(&text, '[');
    Err err;
    assert_true(parse_limited(buf_cstr(&text), (TomlLimits){0}, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_documents_give_their_tree),
        cmocka_unit_test(invalid_documents_are_refused_with_the_place),
        cmocka_unit_test(absent_text_is_an_empty_document),
        cmocka_unit_test(nul_is_no_end_of_the_text),
        cmocka_unit_test(long_keys_are_cut_in_messages_at_a_character),
        cmocka_unit_test(keys_in_messages_are_printable),
        cmocka_unit_test(text_that_is_not_utf8_is_refused_where_it_is_not),
        cmocka_unit_test(limits_hold_at_their_edge),
        cmocka_unit_test(default_depth_stops_what_would_exhaust_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
