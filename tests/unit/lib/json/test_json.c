/* SPDX-License-Identifier: PostgreSQL */
/* Strict JSON: where a text is wrong, what is missing, of a wrong type, out of bounds, unknown or repeated. */
#include "tests/support/unit.h"

#include "lib/json/json.h"

#define LIMITS ((JsonLimits){.bytes = 1000, .depth = 8})

static void refuses_bad_texts_with_their_place(void **state)
{
    (void)state;
    static const struct {
        Slice text;
        ErrCode code;
        uint32_t line;
        uint32_t column;
        const char *part;
    } cases[] = {
        {SLICE_LIT(""), ERR_SYNTAX, 0, 0, "empty"},
        {SLICE_NULL, ERR_SYNTAX, 0, 0, "empty"},
        {SLICE_LIT("{\"a\":1,}"), ERR_SYNTAX, 1, 7, "line 1, column 7"},
        {SLICE_LIT("{\n \"a\": tru\n}"), ERR_SYNTAX, 2, 7, "line 2, column 7"},
        {SLICE_LIT("[1] 2"), ERR_SYNTAX, 1, 5, "not valid JSON"},
        {SLICE_LIT("[1"), ERR_SYNTAX, 1, 3, "not valid JSON"},
        {SLICE_LIT("[NaN]"), ERR_SYNTAX, 1, 2, "not valid JSON"},
        {SLICE_LIT("[01]"), ERR_SYNTAX, 1, 2, "not valid JSON"},
        {SLICE_LIT("[1] // no"), ERR_SYNTAX, 1, 5, "not valid JSON"},
        {SLICE_LIT("[\"\xFF\"]"), ERR_SYNTAX, 1, 3, "not valid JSON"},
        {SLICE_LIT("[\"a\nb\"]"), ERR_SYNTAX, 1, 4, "not valid JSON"},
        {SLICE_LIT("[[[[[[[[[]]]]]]]]]"), ERR_TOO_LARGE, 0, 0, "deeper than 8"},
        {SLICE_LIT("{\"a\":[{\"a\":[{\"a\":[{\"a\":[{}]}]}]}]}"), ERR_TOO_LARGE, 0, 0, "deeper than 8"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Err e = ERR_INIT;
        _cleanup_json_doc_ yyjson_doc *doc = NULL;
        assert_true(json_parse(cases[i].text, LIMITS, &doc, &e) < 0);
        assert_null(doc);
        if (e.code != cases[i].code || e.line != cases[i].line || e.column != cases[i].column ||
            !strstr(e.detail, cases[i].part))
            fail_msg("case %zu: %s at %u:%u", i, e.detail, e.line, e.column);
    }

    char large[1001];
    memset(large, ' ', sizeof(large));
    Err e = ERR_INIT;
    yyjson_doc *doc = NULL;
    assert_true(json_parse(slice_from(large, sizeof(large)), LIMITS, &doc, &e) < 0);
    assert_err(&e, ERR_TOO_LARGE, "1001 bytes; at most 1000");
}

static void counts_depth_outside_strings_only(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[[[[[[[[8]]]]]]]]",
        "[\"[[[[[[[[[[\", \"\\\"[[[[[[[[[[\", \"\\\\\"]",
        "[[[],[],[],[],[],[],[],[],[],[],[]]]",
        "7",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        Err e = ERR_INIT;
        _cleanup_json_doc_ yyjson_doc *doc = NULL;
        assert_ok(json_parse(slice_cstr(texts[i]), LIMITS, &doc, &e), &e);
        assert_non_null(doc);
    }
    /* More closed than opened is for the parser to refuse, not for the count to wrap. */
    yyjson_doc *doc = NULL;
    Err e = ERR_INIT;
    assert_true(json_parse(SLICE_LIT("]]]["), LIMITS, &doc, &e) < 0);
    assert_int_equal(e.code, ERR_SYNTAX);
}

/* A document and a reader of its root. */
typedef struct Input {
    yyjson_doc *doc;
    JsonReader reader;
    Err err;
} Input;

static void input_init(Input *in, const char *text, const char *path)
{
    *in = (Input){.err = ERR_INIT};
    assert_ok(json_parse(slice_cstr(text), LIMITS, &in->doc, &in->err), &in->err);
    json_reader_init(&in->reader, yyjson_doc_get_root(in->doc), path, &in->err);
}

static void input_done(Input *in)
{
    yyjson_doc_free(in->doc);
}

static void takes_every_type(void **state)
{
    (void)state;
    Input in;
    input_init(&in,
               "{\"s\":\"text\",\"empty\":\"\",\"none\":null,\"n\":-7,\"max\":9223372036854775807,"
               "\"yes\":true,\"array\":[1],\"any\":{\"x\":1},\"zero\":0}",
               "");
    JsonReader *r = &in.reader;
    assert_slice(json_take_string(r, "s", 1, 4), "text");
    assert_slice(json_take_optional_string(r, "empty", 10), "");
    assert_slice(json_take_optional_string(r, "none", 10), NULL);
    assert_slice(json_take_optional_string(r, "absent", 10), NULL);
    assert_int_equal(json_take_int(r, "n", -7, 7), -7);
    assert_int_equal(json_take_int(r, "max", INT64_MIN, INT64_MAX), INT64_MAX);
    assert_int_equal(json_take_optional_int(r, "zero", 0, 9, 5), 0);
    assert_int_equal(json_take_optional_int(r, "absent", 0, 9, 5), 5);
    assert_int_equal(json_take_optional_int(r, "none", 0, 9, 6), 6);
    assert_true(json_take_optional_bool(r, "yes", false));
    assert_true(json_take_optional_bool(r, "absent", true));
    assert_int_equal(yyjson_arr_size(json_take_array(r, "array")), 1);
    assert_true(yyjson_is_obj(json_take_optional(r, "any")));
    assert_null(json_take_optional(r, "none"));
    assert_null(json_take_optional(r, "absent"));
    assert_ok(json_reader_finish(r), &in.err);
    input_done(&in);
}

typedef enum Take { STRING, OPTIONAL_STRING, INT, OPTIONAL_INT, BOOL, ARRAY, NOTHING } Take;

static void take_member(JsonReader *r, Take take)
{
    switch (take) {
    case STRING:
        assert_slice(json_take_string(r, "m", 1, 3), NULL);
        break;
    case OPTIONAL_STRING:
        assert_slice(json_take_optional_string(r, "m", 3), NULL);
        break;
    case INT:
        assert_int_equal(json_take_int(r, "m", -5, 5), 0);
        break;
    case OPTIONAL_INT:
        (void)json_take_optional_int(r, "m", -5, 5, 1);
        break;
    case BOOL:
        (void)json_take_optional_bool(r, "m", false);
        break;
    case ARRAY:
        assert_null(json_take_array(r, "m"));
        break;
    case NOTHING:
        break;
    }
}

static void names_the_fault(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *path;
        Take take;
        const char *detail;
    } cases[] = {
        {"{}", "", STRING, "m is missing; a string was expected"},
        {"{}", "frames[3]", INT, "frames[3].m is missing; a whole number was expected"},
        {"{}", "", ARRAY, "m is missing; an array was expected"},
        {"{\"m\":1}", "", STRING, "m: expected a string, found uint"},
        {"{\"m\":null}", "", STRING, "m: expected a string, found null"},
        {"{\"m\":[]}", "", OPTIONAL_STRING, "m: expected a string, found array"},
        {"{\"m\":\"\"}", "", STRING, "m has 0 bytes; 1 to 3 are allowed"},
        {"{\"m\":\"abcd\"}", "x", OPTIONAL_STRING, "x.m has 4 bytes; 0 to 3 are allowed"},
        {"{\"m\":\"a\\u0000\"}", "", STRING, "m contains a NUL character"},
        {"{\"m\":\"1\"}", "", INT, "m: expected a whole number, found string"},
        {"{\"m\":1.0}", "", INT, "m: expected a whole number, found real"},
        {"{\"m\":6}", "", INT, "m is not between -5 and 5"},
        {"{\"m\":-6}", "", OPTIONAL_INT, "m is not between -5 and 5"},
        {"{\"m\":18446744073709551615}", "", INT, "m is not between -5 and 5"},
        {"{\"m\":1}", "", BOOL, "m: expected true or false, found uint"},
        {"{\"m\":{}}", "", ARRAY, "m: expected an array, found object"},
        {"[]", "", NOTHING, "expected an object, found array"},
        {"[]", "servers[0]", NOTHING, "servers[0]: expected an object, found array"},
        {"{\"x\":1}", "", NOTHING, "unknown member \"x\""},
        {"{\"x\":1}", "a.b", NOTHING, "a.b: unknown member \"x\""},
        {"{\"m\":[1,2],\"m\":[]}", "", NOTHING, "unknown member \"m\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Input in;
        input_init(&in, cases[i].text, cases[i].path);
        take_member(&in.reader, cases[i].take);
        assert_true(json_reader_finish(&in.reader) < 0);
        assert_int_equal(in.err.code, ERR_BODY_INVALID);
        assert_string_equal(in.err.detail, cases[i].detail);
        input_done(&in);
    }
}

static void keeps_the_first_fault(void **state)
{
    (void)state;
    Input in;
    input_init(&in, "{\"a\":1,\"b\":\"x\",\"c\":3,\"d\":[],\"u\":0}", "");
    JsonReader *r = &in.reader;
    assert_slice(json_take_string(r, "a", 0, 9), NULL);
    assert_slice(json_take_string(r, "b", 0, 9), NULL);
    assert_slice(json_take_optional_string(r, "b2", 9), NULL);
    assert_int_equal(json_take_int(r, "c", 0, 9), 0);
    assert_int_equal(json_take_optional_int(r, "c2", 0, 9, 4), 4);
    assert_null(json_take_array(r, "d"));
    assert_null(json_take_optional(r, "e"));
    assert_true(json_reader_finish(r) < 0);
    assert_string_equal(in.err.detail, "a: expected a string, found uint");
    input_done(&in);
}

static void refuses_a_missing_object(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    JsonReader r;
    json_reader_init(&r, NULL, "config", &e);
    assert_true(json_reader_finish(&r) < 0);
    assert_string_equal(e.detail, "config: expected an object, found nothing");
}

static void proposes_the_nearest_member(void **state)
{
    (void)state;
    Input in;
    input_init(&in, "{\"hostnmae\":\"x\"}", "");
    (void)json_take_optional_string(&in.reader, "name", 10);
    (void)json_take_optional_string(&in.reader, "hostname", 10);
    assert_true(json_reader_finish(&in.reader) < 0);
    assert_string_equal(in.err.hint, "did you mean \"hostname\"?");
    input_done(&in);

    input_init(&in, "{\"entirely different and very, very long; far longer than anybody wants to read\":1}", "");
    (void)json_take_optional_string(&in.reader, "name", 10);
    assert_true(json_reader_finish(&in.reader) < 0);
    assert_string_equal(in.err.hint, "");
    assert_true(strlen(in.err.detail) < 80);
    input_done(&in);
}

static void refuses_a_member_given_twice(void **state)
{
    (void)state;
    Input in;
    input_init(&in, "{\"a\":1,\"b\":2,\"a\":3}", "frames[0]");
    (void)json_take_int(&in.reader, "b", 0, 9);
    (void)json_take_int(&in.reader, "a", 0, 9);
    assert_true(json_reader_finish(&in.reader) < 0);
    assert_err(&in.err, ERR_BODY_INVALID, "frames[0].a is given more than once");
    input_done(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_texts_with_their_place),
        cmocka_unit_test(counts_depth_outside_strings_only),
        cmocka_unit_test(takes_every_type),
        cmocka_unit_test(names_the_fault),
        cmocka_unit_test(keeps_the_first_fault),
        cmocka_unit_test(refuses_a_missing_object),
        cmocka_unit_test(proposes_the_nearest_member),
        cmocka_unit_test(refuses_a_member_given_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
