/* SPDX-License-Identifier: PostgreSQL */
#include "tests/support/unit.h"

#include "collector/link/identity.h"
#include "tests/support/scratch.h"

static Scratch scratch;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make_fast();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static void put(const char *name, const char *content)
{
    Buf path = scratch_path(&scratch, name);
    scratch_write(buf_cstr(&path), slice_cstr(content));
    buf_done(&path);
}

static void nothing_is_absent(void **state)
{
    (void)state;
    Identity i;
    assert_int_equal(identity_read(scratch.path, &i, NULL), IDENTITY_ABSENT);
    assert_null(i.collector_id);
    put("token", "lonely");
    assert_int_equal(identity_read(scratch.path, &i, NULL), IDENTITY_ABSENT);
    assert_null(i.token);
    assert_int_equal(identity_read("/nonexistent/dir", &i, NULL), IDENTITY_ABSENT);
}

static void whole_identity_is_read(void **state)
{
    (void)state;
    put("identity.json", "{\"collector_id\":\"abc\",\"api_url\":\"https://x:1\",\"name\":\"col_001\"}\n");
    put("token", " secret.token \n");
    Identity i;
    assert_int_equal(identity_read(scratch.path, &i, NULL), IDENTITY_OK);
    assert_string_equal(i.collector_id, "abc");
    assert_string_equal(i.api_url, "https://x:1");
    assert_string_equal(i.token, "secret.token");
    identity_done(&i);
    assert_null(i.token);
}

static void token_may_be_missing(void **state)
{
    (void)state;
    put("identity.json", "{\"collector_id\":\"abc\",\"api_url\":\"https://x:1\"}");
    Identity i;
    assert_int_equal(identity_read(scratch.path, &i, NULL), IDENTITY_OK);
    assert_null(i.token);
    identity_done(&i);
}

static void damaged_identity_names_its_file_and_the_remedy(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"collector_id\":\"abc\"}",
                                        "{\"collector_id\":\"\",\"api_url\":\"x\"}",
                                        "{\"collector_id\":7,\"api_url\":\"x\"}",
                                        "{\"collector_id\":\"abc\",\"api_url\":\"x\",\"other\":1}"};
    for (size_t n = 0; n < ARRAY_LENGTH(texts); n++) {
        put("identity.json", texts[n]);
        Identity i;
        Err err = ERR_INIT;
        if (identity_read(scratch.path, &i, &err) >= 0)
            fail_msg("\"%s\" was read", texts[n]);
        assert_non_null(strstr(err.detail, "identity.json"));
        assert_non_null(strstr(err.hint, "register"));
        assert_null(i.collector_id);
    }
}

static void unreadable_token_is_an_error(void **state)
{
    (void)state;
    put("identity.json", "{\"collector_id\":\"abc\",\"api_url\":\"https://x:1\"}");
    Buf path = scratch_path(&scratch, "token");
    assert_int_equal(mkdir(buf_cstr(&path), 0700), 0);
    Identity i;
    Err err = ERR_INIT;
    assert_true(identity_read(scratch.path, &i, &err) < 0);
    assert_non_null(strstr(err.detail, "token"));
    assert_null(i.collector_id);
    buf_done(&path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_absent),
        TEST(whole_identity_is_read),
        TEST(token_may_be_missing),
        TEST(damaged_identity_names_its_file_and_the_remedy),
        TEST(unreadable_token_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
