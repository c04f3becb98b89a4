/* SPDX-License-Identifier: PostgreSQL */
/* What is written for people: the sample file is read back, markdown and help hold every key that is not hidden. */
#include "lib/conf/conf_private.h"
#include "tests/unit/lib/conf/keys_support.h"

static void the_sample_as_it_is_sets_only_the_examples(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_keys_write_sample_toml(&keys, &text);
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (toml_parse(buf_slice(&text), NULL, &doc, &err) < 0)
        fail_msg("%u:%u: %s in\n%s", err.line, err.column, err.detail, buf_cstr(&text));
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_keys_apply_toml(&keys, &s, toml_root(doc), "sample", d);
    expect_faults(d, "");
    assert_string_equal(s.name, "main");
    assert_int_equal(s.hosts.count, 1);
    for (size_t i = 0; i < keys.count; i++)
        assert_int_equal(conf_keys_given(&keys, &s, (char *)&s + rows[i].offset, d), rows[i].example != NULL);
    conf_keys_free(&keys, &s);
}

static void the_sample_with_every_key_set_gives_the_defaults(void **state)
{
    (void)state;
    _cleanup_buf_ Buf sample = BUF_INIT;
    conf_keys_write_sample_toml(&keys, &sample);
    _cleanup_buf_ Buf text = BUF_INIT;
    for (Slice rest = buf_slice(&sample); rest.ptr;) {
        Slice line = slice_split(&rest, '\n');
        bool is_key = line.len > 1 && line.ptr[0] == '#' && line.ptr[1] != ' ';
        bool has_minimum = slice_starts_with(line, SLICE_LIT("#token "));
        buf_append(&text, is_key && !has_minimum ? slice_skip(line, 1) : line);
        buf_append_char(&text, '\n');
    }
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (toml_parse(buf_slice(&text), NULL, &doc, &err) < 0)
        fail_msg("%u:%u: %s in\n%s", err.line, err.column, err.detail, buf_cstr(&text));
    Settings s, defaults;
    conf_keys_init_defaults(&keys, &s);
    conf_keys_init_defaults(&keys, &defaults);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_keys_apply_toml(&keys, &s, toml_root(doc), "sample", d);
    expect_faults(d, "");
    for (size_t i = 0; i < keys.count; i++) {
        if (!rows[i].name || (rows[i].flags & CONF_HIDDEN) || rows[i].example || rows[i].type == CONF_SECRET)
            continue;
        assert_true(conf_keys_given(&keys, &s, (char *)&s + rows[i].offset, d));
        assert_true(conf_value_equal(&rows[i], &s, &defaults));
    }
    conf_keys_free(&keys, &s);
    conf_keys_free(&keys, &defaults);
}

static void the_sample_looks_like_this(void **state)
{
    (void)state;
    static const char *const choices[] = {"one", "two", NULL};
    static const ConfKey few[] = {
        {"a", "text", CONF_STRING, CONF_FIELD(Settings, title), .otherwise = "x\"y", .help = "First."},
        {"a", "list", CONF_STRING_LIST, CONF_FIELD(Settings, names), .help = "Second \n line."},
        {"b", "hidden", CONF_BOOL, CONF_FIELD(Settings, verify), .flags = CONF_HIDDEN, .help = "Third."},
        {"b", "choice", CONF_ENUM, CONF_FIELD(Settings, mode), .choices = choices,
         .help =
             "A sentence that goes on and on until it is so long that it has to be broken into two lines of the sample "
             "file."},
        {"b", "size", CONF_BYTES, CONF_FIELD(Settings, quota), .help = ""},
        {"B", NULL, CONF_STRING, CONF_FIELD(Settings, only_env), .env = "X", .help = "Not in a file."},
    };
    static const ConfKeys few_keys = {few, ARRAY_LENGTH(few), NULL};
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_keys_write_sample_toml(&few_keys, &text);
    assert_string_equal(
        buf_cstr(&text),
        "[a]\n"
        "# First.\n"
        "#text = \"x\\\"y\"\n"
        "# Second line.\n"
        "#list = []\n"
        "\n"
        "[b]\n"
        "# A sentence that goes on and on until it is so long that it has to be broken into two lines of the\n"
        "# sample file.\n"
        "#choice = \"one\"\n"
        "#size = 0\n");
}

static void markdown_has_a_table_for_each_section(void **state)
{
    (void)state;
    static const ConfKey few[] = {
        {"", "title", CONF_STRING, CONF_FIELD(Settings, title), .otherwise = "a|b", .help = "First."},
        {"a", "port", CONF_INT, CONF_FIELD(Settings, port), .env = "PORT", .otherwise = "1", .min = 1, .max = 9,
         .flags = CONF_RELOADABLE, .help = "Either | or\nboth."},
        {"a", "key", CONF_SECRET, CONF_FIELD(Settings, token), .env = "KEY", .file_key = "key_file",
         .flags = CONF_REQUIRED, .help = "Secret."},
        {"a", "hidden", CONF_BOOL, CONF_FIELD(Settings, verify), .flags = CONF_HIDDEN, .help = "Hidden."},
        {"More", NULL, CONF_PATH, CONF_FIELD(Settings, only_env), .env = "DIR", .help = "Not in a file."},
    };
    static const ConfKeys few_keys = {few, ARRAY_LENGTH(few), NULL};
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_keys_write_markdown(&few_keys, &text);
    assert_string_equal(
        buf_cstr(&text),
        "| key | allowed | default | meaning |\n"
        "|---|---|---|---|\n"
        "| `title` | a string | `a\\|b` | First. |\n"
        "\n"
        "## `[a]`\n"
        "\n"
        "| key | allowed | default | meaning |\n"
        "|---|---|---|---|\n"
        "| `port`<br>environment: `PORT` | an integer from 1 to 9 | `1` | Either \\| or both. Taken over "
        "at reload. |\n"
        "| `key`, or `key_file`<br>environment: `KEY`, or `KEY_FILE` | a string | required | Secret. |\n"
        "\n"
        "## More\n"
        "\n"
        "| key | allowed | default | meaning |\n"
        "|---|---|---|---|\n"
        "| `DIR` | a path |  | Not in a file. |\n");
}

static void help_has_every_key_that_is_not_hidden(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_keys_write_help(&keys, &text);
    for (size_t i = 0; i < keys.count; i++) {
        _cleanup_buf_ Buf line = BUF_INIT;
        buf_printf(&line, "  %s", rows[i].name ? rows[i].name : rows[i].env);
        assert_int_equal(slice_find(buf_slice(&text), buf_slice(&line)) >= 0, !(rows[i].flags & CONF_HIDDEN));
    }
    assert_true(slice_starts_with(buf_slice(&text), SLICE_LIT("  title (default none)\n      Shown at the top.\n"
                                                              "[server]\n"
                                                              "  name (required), environment: SERVER_NAME\n")));
    assert_non_null(strstr(buf_cstr(&text), "  port (default 5432), environment: PORT\n"
                                            "      Where it listens. Allowed: an integer from 1 to 65535.\n"));
    assert_non_null(strstr(buf_cstr(&text), "Environment\n  ONLY_ENV (required)\n      Not in a file.\n"));
    for (Slice rest = buf_slice(&text); rest.ptr;)
        assert_true(slice_split(&rest, '\n').len <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_as_it_is_sets_only_the_examples),
        cmocka_unit_test(the_sample_with_every_key_set_gives_the_defaults),
        cmocka_unit_test(the_sample_looks_like_this),
        cmocka_unit_test(markdown_has_a_table_for_each_section),
        cmocka_unit_test(help_has_every_key_that_is_not_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
