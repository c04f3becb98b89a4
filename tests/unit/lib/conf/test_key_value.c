/* SPDX-License-Identifier: PostgreSQL */
/* One value: text to member of every type and width and back, bounds, what is allowed in words, nearest names. */
#include <strings.h>

#include "lib/base/memory.h"
#include "lib/conf/conf_private.h"
#include "tests/unit/lib/conf/keys_support.h"

/* The source itself, so that a test sees what memory holds when it is given back. */
static char freed[64];
static size_t freed_size;

static void spy_free(void *p)
{
    if (p && freed_size > 0)
        memcpy(freed, p, freed_size);
    free(p);
}
#define free spy_free
#include "lib/conf/key_value.c"
#undef free

static void texts_are_read_by_type_and_written_back(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *text;
        const char *written; /* NULL: refused */
    } cases[] = {
        {"title", " x ", " x "},
        {"key_file", "/a b", "/a b"},
        {"token", "12345678", "********"},
        {"token", "", ""},
        {"verify", "true", "true"},
        {"verify", "Yes", "true"},
        {"verify", " on ", "true"},
        {"verify", "1", "true"},
        {"verify", "FALSE", "false"},
        {"verify", "no", "false"},
        {"verify", "off", "false"},
        {"verify", "0", "false"},
        {"verify", "2", NULL},
        {"verify", "", NULL},
        {"port", " 65535 ", "65535"},
        {"port", "0x10", NULL},
        {"port", "1.5", NULL},
        {"niceness", "-20", "-20"},
        {"shift", "-1000", "-1000"},
        {"offset", "-100000", "-100000"},
        {"workers", "4294967295", "4294967295"},
        {"small", "255", "255"},
        {"big", "-9223372036854775808", "-9223372036854775808"},
        {"big", "9223372036854775808", NULL},
        {"max_bytes", "4096", "4kB"},
        {"max_bytes", "256MB", "256MB"},
        {"max_bytes", "3GB", "3GB"},
        {"max_bytes", "2TB", "2TB"},
        {"max_bytes", "1000", "1000B"},
        {"max_bytes", "0", "0B"},
        {"max_bytes", "9223372036854775808", NULL},
        {"max_bytes", "lots", NULL},
        {"interval", "90", "90s"},
        {"interval", "15m", "15m"},
        {"interval", "7200s", "2h"},
        {"interval", "14d", "14d"},
        {"interval", "1500ms", "1500ms"},
        {"interval", "1us", "1us"},
        {"interval", "0", "0"},
        {"interval", "soon", NULL},
        {"names", "a", "a"},
        {"names", " a , b,,c ", "a,b,c"},
        {"names", ",", ""},
        {"mode", "fast", "fast"},
        {"mode", "OFF", "off"},
        {"mode", "slow", NULL},
        {"mode", "fas", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const ConfKey *key = row(cases[i].key);
        _cleanup_conf_value_ ConfValue value = {0};
        bool ok = conf_value_parse(key, slice_cstr(cases[i].text), &value);
        if (ok != (cases[i].written != NULL))
            fail_msg("%s = %s: %s", cases[i].key, cases[i].text, ok ? "accepted" : "refused");
        if (!ok)
            continue;

        Settings s = {0};
        conf_value_store(key, &s, &value);
        _cleanup_buf_ Buf written = BUF_INIT;
        conf_key_write_value(key, &s, &written);
        if (strcmp(buf_cstr(&written), cases[i].written) != 0)
            fail_msg("%s = %s: written %s", cases[i].key, cases[i].text, buf_cstr(&written));

        /* What was written reads back to an equal value, but for secrets. */
        if (key->type != CONF_SECRET) {
            Settings again = {0};
            _cleanup_conf_value_ ConfValue second = {0};
            assert_true(conf_value_parse(key, buf_slice(&written), &second));
            conf_value_store(key, &again, &second);
            assert_true(conf_value_equal(key, &s, &again));
            conf_value_clear(key, &again);
        }
        conf_value_clear(key, &s);
    }
}

static void storing_touches_only_its_member(void **state)
{
    (void)state;
    Settings s;
    for (size_t i = 0; i < keys.count; i++) {
        const ConfKey *key = &rows[i];
        memset(&s, 0xAA, sizeof(s));
        memset((char *)&s + key->offset, 0, key->size);
        _cleanup_conf_value_ ConfValue value = {.text = SLICE_LIT("x"), .number = 1};
        conf_value_store(key, &s, &value);
        conf_value_clear(key, &s);
        for (size_t at = 0; at < sizeof(s); at++) {
            bool inside = at >= key->offset && at < key->offset + key->size;
            assert_int_equal(((unsigned char *)&s)[at], inside ? 0 : 0xAA);
        }
    }
}

static bool in_bounds(const char *key, const char *text)
{
    _cleanup_conf_value_ ConfValue value = {0};
    assert_true(conf_value_parse(row(key), slice_cstr(text), &value));
    return conf_value_in_bounds(row(key), &value);
}

static void bounds_hold_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        const char *key, *below, *first, *last, *above;
    } cases[] = {
        {"port", "0", "1", "65535", "65536"},
        {"niceness", "-21", "-20", "19", "20"},
        {"name", "", "x", "123456789012", "1234567890123"},
        {"token", "1234567", "12345678", "long enough for anybody", NULL},
        {"max_bytes", "1048575", "1MB", "1TB", "1048577MB"},
        {"interval", "999ms", "1s", "1d", "86401"},
        {"names", "", "a", "a,b,c", "a,b,c,d"},
        {"quota", NULL, "0", "8388607TB", NULL},
        {"note", NULL, "", "1234", "12345"},
        {"verify", NULL, "false", "true", NULL},
        {"mode", NULL, "fast", "off", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (cases[i].below)
            assert_false(in_bounds(cases[i].key, cases[i].below));
        assert_true(in_bounds(cases[i].key, cases[i].first));
        assert_true(in_bounds(cases[i].key, cases[i].last));
        if (cases[i].above)
            assert_false(in_bounds(cases[i].key, cases[i].above));
    }
    const ConfValue negative = {.number = -1};
    assert_false(conf_value_in_bounds(row("quota"), &negative)); /* no bounds: still not negative */
}

static void what_is_allowed_is_said_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *key, *allowed;
    } cases[] = {
        {"title", "a string"},
        {"name", "a string of 1 to 12 bytes"},
        {"note", "a string of at most 4 bytes"},
        {"token", "a string of at least 8 bytes"},
        {"key_file", "a path"},
        {"verify", "true or false"},
        {"port", "an integer from 1 to 65535"},
        {"niceness", "an integer from -20 to 19"},
        {"small", "an integer from 0 to 255"},
        {"big", "an integer"},
        {"max_bytes", "a size from 1MB to 1TB, such as 64kB, 256MB or 1GB"},
        {"quota", "a size, such as 64kB, 256MB or 1GB"},
        {"interval", "a duration from 1s to 1d, such as 90 or 90s, 15m, 2h, 14d"},
        {"names", "a list of strings, 1 to 3 of them"},
        {"hosts", "a list of strings"},
        {"mode", "one of fast, safe, off"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf text = BUF_INIT;
        conf_key_write_allowed(row(cases[i].key), &text);
        assert_string_equal(buf_cstr(&text), cases[i].allowed);
    }
}

static void a_replaced_string_is_freed_and_a_cleared_one_is_gone(void **state)
{
    (void)state;
    Settings s = {0};
    conf_value_store(row("token"), &s, &(ConfValue){.text = SLICE_LIT("first secret")});
    conf_value_store(row("token"), &s, &(ConfValue){.text = SLICE_LIT("second")});
    assert_string_equal(s.token, "second");
    conf_value_clear(row("token"), &s);
    assert_null(s.token);
    conf_value_clear(row("token"), &s);
}

static void a_secret_is_wiped_before_its_memory_is_given_back(void **state)
{
    (void)state;
    static const char secret[] = "correct horse battery";
    static const char zeros[sizeof(secret)] = {0};
    Settings s = {0};
    freed_size = sizeof(secret);
    conf_value_store(row("token"), &s, &(ConfValue){.text = SLICE_LIT("correct horse battery")});
    conf_value_clear(row("token"), &s);
    assert_memory_equal(freed, zeros, sizeof(zeros));

    /* The spy does see what is not wiped. */
    conf_value_store(row("title"), &s, &(ConfValue){.text = SLICE_LIT("correct horse battery")});
    conf_value_clear(row("title"), &s);
    assert_memory_equal(freed, secret, sizeof(secret));
    freed_size = 0;
}

static void emptiness_is_for_strings_and_lists(void **state)
{
    (void)state;
    Settings s = {.name = "", .title = "x"};
    assert_true(conf_value_is_empty(row("name"), &s));
    assert_false(conf_value_is_empty(row("title"), &s));
    assert_true(conf_value_is_empty(row("names"), &s));
    assert_false(conf_value_is_empty(row("port"), &s));
}

static void values_are_compared_by_content(void **state)
{
    (void)state;
    const char *ab[] = {"a", "b", NULL};
    const char *ab_too[] = {"a", "b", NULL};
    const char *ac[] = {"a", "c", NULL};
    char name[] = "x";
    Settings a = {.name = "x", .port = 1, .names = {ab, 2}};
    Settings b = {.name = name, .port = 1, .names = {ab_too, 2}};
    assert_true(conf_value_equal(row("name"), &a, &b));
    assert_true(conf_value_equal(row("port"), &a, &b));
    assert_true(conf_value_equal(row("names"), &a, &b));
    b = (Settings){.name = "y", .port = 2, .names = {ac, 2}};
    assert_false(conf_value_equal(row("name"), &a, &b));
    assert_false(conf_value_equal(row("port"), &a, &b));
    assert_false(conf_value_equal(row("names"), &a, &b));
    b.names = (ConfStringList){ab, 1};
    assert_false(conf_value_equal(row("names"), &a, &b));
}

static void the_nearest_name_wins_and_far_ones_do_not_count(void **state)
{
    (void)state;
    static const struct {
        const char *given, *expected; /* NULL: none */
    } cases[] = {{"intervall", "interval"},
                 {"itnerval", "interval"},
                 {"prot", "port"},
                 {"prt", "port"},
                 {"poxx", "port"},
                 {"xyz", NULL},
                 {"p", NULL},
                 {"", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ConfNearest n = conf_nearest(slice_cstr(cases[i].given));
        for (size_t k = 0; k < keys.count; k++)
            conf_nearest_offer(&n, slice_cstr(rows[k].name));
        if (cases[i].expected)
            assert_true(slice_eq_cstr(n.best, cases[i].expected));
        else
            assert_null(n.best.ptr);
    }
}

static void decimals_are_thousandths(void **state)
{
    (void)state;
    static const ConfKey key = {"limits", "share", CONF_DECIMAL, 0, sizeof(int64_t), .min = 1, .max = 100000};
    static const struct {
        const char *text;
        int64_t number;
        const char *written;
        bool in_bounds;
    } cases[] = {{"0.5", 500, "0.5", true},      {" 12 ", 12000, "12", true},           {"1e-3", 1, "0.001", true},
                 {"0.0004", 0, "0", false},      {"100.001", 100001, "100.001", false}, {"-1", -1000, "-1", false},
                 {"0.12345", 123, "0.123", true}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ConfValue value = {0};
        int64_t member = 0;
        _cleanup_buf_ Buf out = BUF_INIT;
        assert_true(conf_value_parse(&key, slice_cstr(cases[i].text), &value));
        assert_int_equal(value.number, cases[i].number);
        assert_int_equal(conf_value_in_bounds(&key, &value), cases[i].in_bounds);
        conf_value_store(&key, &member, &value);
        conf_key_write_value(&key, &member, &out);
        assert_string_equal(buf_cstr(&out), cases[i].written);
    }
    static const char *const wrong[] = {"", "x", "0.5%", "nan", "1e300"};
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(conf_value_parse(&key, slice_cstr(wrong[i]), &(ConfValue){0}));
    _cleanup_buf_ Buf allowed = BUF_INIT;
    conf_key_write_allowed(&key, &allowed);
    assert_string_equal(buf_cstr(&allowed), "a number from 0.001 to 100, such as 0.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_by_type_and_written_back),
        cmocka_unit_test(decimals_are_thousandths),
        cmocka_unit_test(storing_touches_only_its_member),
        cmocka_unit_test(bounds_hold_at_their_edges),
        cmocka_unit_test(what_is_allowed_is_said_in_words),
        cmocka_unit_test(a_replaced_string_is_freed_and_a_cleared_one_is_gone),
        cmocka_unit_test(a_secret_is_wiped_before_its_memory_is_given_back),
        cmocka_unit_test(emptiness_is_for_strings_and_lists),
        cmocka_unit_test(values_are_compared_by_content),
        cmocka_unit_test(the_nearest_name_wins_and_far_ones_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
