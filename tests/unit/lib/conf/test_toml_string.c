/* SPDX-License-Identifier: PostgreSQL */
/* Basic, literal and multi-line strings: escapes, quotes, line ends, forbidden characters. */
#include "tests/unit/lib/conf/toml_support.h"

static const ValidCase valid[] = {
    {"basic", "a = \"\"\nb = \"x y\"\nc = \"it's\"", "{\"a\":\"\",\"b\":\"x y\",\"c\":\"it's\"}"},
    {"short escapes", "a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\"}"},
    {"escapes of every UTF-8 length", "a = \"\\u0041\\u00e4\\u20AC\\U0001F418\"",
     "{\"a\":\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98\"}"},
    {"edges of the UTF-8 lengths", "a = \"\\u007F\\u0080\\u07FF\\u0800\\uFFFF\\U00010000\"",
     "{\"a\":\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\"}"},
    {"edges of Unicode", "a = \"\\uD7FF\\uE000\\U0010FFFF\"", "{\"a\":\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"}"},
    {"tab and non-ASCII stand for themselves", "a = \"x\ty\xc3\xa4\"", "{\"a\":\"x\\ty\xc3\xa4\"}"},
    {"number sign is no comment", "a = \"x # y\" # z", "{\"a\":\"x # y\"}"},
    {"literal", "a = ''\nb = 'C:\\x\\u0041 \"q\"'", "{\"a\":\"\",\"b\":\"C:\\\\x\\\\u0041 \\\"q\\\"\"}"},

    {"multi-line", "a = \"\"\"x\ny\"\"\"", "{\"a\":\"x\\ny\"}"},
    {"first newline is left out, the second is not", "a = \"\"\"\n\nx\n\"\"\"", "{\"a\":\"\\nx\\n\"}"},
    {"empty multi-line", "a = \"\"\"\"\"\"\nb = ''''''", "{\"a\":\"\",\"b\":\"\"}"},
    {"CR LF becomes a newline", "a = \"\"\"\r\nx\r\ny\"\"\"\r\nb = '''\r\nx\r\n'''",
     "{\"a\":\"x\\ny\",\"b\":\"x\\n\"}"},
    {"one and two quotes inside", "a = \"\"\"x\"y\"\"z\"\"\"", "{\"a\":\"x\\\"y\\\"\\\"z\"}"},
    {"quotes before the end", "a = \"\"\"x\"\"\"\"\nb = \"\"\"x\"\"\"\"\"", "{\"a\":\"x\\\"\",\"b\":\"x\\\"\\\"\"}"},
    {"only quotes", "a = \"\"\"\"\"\"\"\nb = ''''''''", "{\"a\":\"\\\"\",\"b\":\"''\"}"},
    {"escaped quotes", "a = \"\"\"x\\\"\\\"\\\"y\"\"\"", "{\"a\":\"x\\\"\\\"\\\"y\"}"},
    {"line continuation", "a = \"\"\"x \\\n\n   \t y\\   \r\n z\"\"\"", "{\"a\":\"x yz\"}"},
    {"line continuation to the end", "a = \"\"\"\\\n  \"\"\"", "{\"a\":\"\"}"},
    {"escaped backslash before a newline", "a = \"\"\"x\\\\\ny\"\"\"", "{\"a\":\"x\\\\\\ny\"}"},
    {"multi-line literal", "a = '''\nx\\n'y''z\n'''", "{\"a\":\"x\\\\n'y''z\\n\"}"},
    {"multi-line literal ends with quotes", "a = '''x''''\nb = '''x'''''", "{\"a\":\"x'\",\"b\":\"x''\"}"},
    {"multi-line inside an array", "a = [\"\"\"\nx\"\"\", '''\ny''']", "{\"a\":[\"x\",\"y\"]}"},
};

static const InvalidCase invalid[] = {
    {"unclosed at the end", "a = \"x", 1, 7, "unexpected end of the file, expected the closing quote"},
    {"unclosed at a newline", "a = \"x\nb = 1", 1, 7, "unexpected end of the line, expected the closing quote"},
    {"unclosed at CR LF", "a = 'x\r\n", 1, 7, "unexpected end of the line"},
    {"unclosed literal", "a = 'x", 1, 7, "unexpected end of the file"},
    {"wrong closing quote", "a = \"x'", 1, 8, "expected the closing quote"},
    {"control character", "a = \"x\x01\"", 1, 7, "unexpected control character 0x01, which a string may hold only as"},
    {"delete character", "a = \"\x7f\"", 1, 6, "0x7f"},
    {"CR alone", "a = \"x\ry\"", 1, 7, "0x0d"},
    {"control character in a literal", "a = 'x\x1f'", 1, 7, "0x1f, which a literal string may not hold"},
    {"unknown escape", "a = \"x\\y\"", 1, 8, "unexpected 'y', expected one of b t n f r"},
    {"escape of 1.1", "a = \"\\e\"", 1, 7, "unexpected 'e'"},
    {"escape at the end of the text", "a = \"\\", 1, 7, "unexpected end of the file"},
    {"escape at the end of the line", "a = \"\\\n\"", 1, 7, "unexpected end of the line"},
    {"three digits", "a = \"\\u123\"", 1, 11, "expected four hexadecimal digits"},
    {"seven digits", "a = \"\\U0001234\"", 1, 15, "expected eight hexadecimal digits"},
    {"digits cut", "a = \"\\u12", 1, 10, "unexpected end of the file"},
    {"not hexadecimal", "a = \"\\u00g0\"", 1, 10, "unexpected 'g'"},
    {"first surrogate", "a = \"x\\uD800\"", 1, 7, "the escape names 0xd800, which is not a character"},
    {"last surrogate", "a = \"\\uDFFF\"", 1, 6, "0xdfff"},
    {"beyond Unicode", "a = \"\\U00110000\"", 1, 6, "0x110000"},
    {"far beyond Unicode", "a = \"\\Uffffffff\"", 1, 6, "0xffffffff"},

    {"unclosed multi-line", "a = \"\"\"x\ny", 2, 2, "the string of line 1 is not closed"},
    {"multi-line closed by two", "a = \"\"\"x\"\"", 1, 11, "the string of line 1 is not closed"},
    {"unclosed multi-line literal", "\na = '''x''\n", 3, 1, "the string of line 2 is not closed"},
    {"six quotes at the end", "a = \"\"\"x\"\"\"\"\"\"", 1, 14, "expected the end of the line after a value"},
    {"control character in multi-line", "a = \"\"\"\nx\x02\"\"\"", 2, 2, "0x02, which a string may hold only as"},
    {"CR alone in multi-line", "a = \"\"\"x\ry\"\"\"", 1, 9, "0x0d"},
    {"CR alone in multi-line literal", "a = '''x\ry'''", 1, 9, "0x0d, which a literal string may not hold"},
    {"backslash and blank", "a = \"\"\"x\\ y\"\"\"", 1, 10, "unexpected ' ', expected one of"},
    {"unknown escape in multi-line", "a = \"\"\"\n\\q\"\"\"", 2, 2, "unexpected 'q'"},
    {"place after a multi-line string", "a = \"\"\"\n\n\"\"\"\nb = x", 4, 5, "not a value"},
    {"place after a continuation", "a = \"\"\"\\\n\n  x\"\"\"\nb = x", 4, 5, "not a value"},
};

static void valid_strings_are_decoded(void **state)
{
    (void)state;
    check_valid(valid, ARRAY_LENGTH(valid));
}

static void invalid_strings_are_refused_with_the_place(void **state)
{
    (void)state;
    check_invalid(invalid, ARRAY_LENGTH(invalid));
}

static void nul_can_be_escaped_and_is_kept(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    assert_int_equal(toml_parse(SLICE_LIT("a = \"x\\u0000y\""), NULL, &doc, NULL), 0);
    Slice s = toml_table_get_string(toml_root(doc), "a");
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.ptr, "x\0y", 4);

    const InvalidCase raw = {"raw NUL", "", 1, 7, "unexpected control character 0x00"};
    check_refused(&raw, SLICE_LIT("a = \"x\0y\""));
    const InvalidCase escape = {"NUL as an escape", "", 1, 7, "unexpected control character 0x00, expected one of"};
    check_refused(&escape, SLICE_LIT("a = \"\\\0\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_strings_are_decoded),
        cmocka_unit_test(invalid_strings_are_refused_with_the_place),
        cmocka_unit_test(nul_can_be_escaped_and_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
