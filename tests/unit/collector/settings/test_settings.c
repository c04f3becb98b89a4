/* SPDX-License-Identifier: PostgreSQL */
/* A case is a file; what it gives, or the faults that it has, each with its place. */
#include "tests/unit/collector/settings_fixture.h"

static void an_empty_file_is_enough(void **state)
{
    (void)state;
    _cleanup_(settings_unrefp) SettingsRef *ref = load("", NULL);
    assert_non_null(ref);
    const Settings *s = settings_get(ref);
    assert_true(s->interval == 60 * USEC_PER_SEC);
    assert_string_equal(s->state_dir, "/var/lib/pganalytics");
    assert_int_equal(s->buffer_max_size, 10000);
    assert_int_equal(s->buffer_max_bytes, 256 << 20);
    assert_true(settings_verify(s));
    assert_true(s->hostname[0] && strcmp(s->id, s->hostname) == 0);
    assert_int_equal(s->server_count, 1);
    assert_string_equal(s->servers[0].name, "main");
    assert_string_equal(s->servers[0].database, "postgres");
    assert_true(s->servers[0].local);
    assert_true(server_settings_want(&s->servers[0], "any"));
}

static void every_documented_key_is_known(void **state)
{
    (void)state;
    static const char TEXT[] = "[collector]\nid = \"col_001\"\nhostname = \"db-server-01\"\ninterval = 60\n"
                               "state_dir = \"/var/lib/pganalytics\"\n"
                               "[backend]\nurl = \"https://api.example.com\"\n"
                               "tls_cert = \"/etc/pganalytics/collector.crt\"\n"
                               "tls_key = \"/etc/pganalytics/collector.key\"\nca_cert = \"/etc/pganalytics/ca.crt\"\n"
                               "verify_ssl = true\n"
                               "[postgres]\nhost = \"localhost\"\nport = 5432\nuser = \"pganalytics_monitoring\"\n"
                               "password = \"...\"\nsslmode = \"prefer\"\ndatabases = [\"postgres\", \"app_*\"]\n"
                               "exclude_databases = [\"app_old\"]\n"
                               "[metrics]\nenable_pg_stat_statements = true\nenable_replication = true\n"
                               "enable_wal_level = true\n"
                               "[metrics.family.pg_settings]\nenabled = false\ninterval = 300\n"
                               "[buffer]\nmax_size = 10000\nmax_bytes = \"256MB\"\nflush_interval = 60\n"
                               "[security]\ntls_enabled = true\nverify_ssl = true\njwt_token = \"...\"\n"
                               "[logs]\npath = \"/var/log/postgresql/*.log\"\n"
                               "[prometheus]\nlisten = \"127.0.0.1:9187\"\n";
    _cleanup_(settings_unrefp) SettingsRef *ref = load(TEXT, NULL);
    assert_non_null(ref);
    const ServerSettings *server = &settings_get(ref)->servers[0];
    assert_true(server_settings_want(server, "postgres"));
    assert_true(server_settings_want(server, "app_new"));
    assert_false(server_settings_want(server, "app_old"));
    assert_false(server_settings_want(server, "other"));
    _cleanup_buf_ Buf conninfo = BUF_INIT;
    server_settings_conninfo(server, &conninfo);
    assert_string_equal(buf_cstr(&conninfo),
                        "host='localhost' port='5432' user='pganalytics_monitoring' sslmode='prefer'");
}

static void several_servers(void **state)
{
    (void)state;
    _cleanup_(settings_unrefp) SettingsRef *ref = load("[[postgres]]\nname = \"a\"\nhost = \"db1\"\n"
                                                       "[[postgres]]\nname = \"b\"\n"
                                                       "dsn = \"postgresql://joe:x@127.0.0.1:5433/shop\"\n"
                                                       "[[postgres]]\nname = \"c\"\nhost = \"db2\"\nlocal = true\n",
                                                       NULL);
    assert_non_null(ref);
    const Settings *s = settings_get(ref);
    assert_int_equal(s->server_count, 3);
    assert_false(s->servers[0].local);
    assert_true(s->servers[1].local);
    assert_string_equal(s->servers[1].database, "shop");
    assert_true(s->servers[2].local);
    assert_true(server_settings_equal(&s->servers[0], &s->servers[0]));
    assert_false(server_settings_equal(&s->servers[0], &s->servers[2]));
}

static void an_exporter_may_be_reached_with_a_token_or_by_all(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[prometheus]\nlisten = \"0.0.0.0:9187\"\ntoken = \"x\"\n",
        "[prometheus]\nlisten = \":9187\"\nwithout_token = true\n",
        "[prometheus]\nlisten = \"[::1]:9187, localhost:9188\"\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        _cleanup_(settings_unrefp) SettingsRef *ref = load(texts[i], NULL);
        assert_non_null(ref);
    }
}

static void the_environment_stands_above_the_file(void **state)
{
    (void)state;
    setenv("BACKEND_URL", "https://env", 1);
    setenv("PGHOST", "it's", 1);
    setenv("JWT_TOKEN", "token", 1);
    _cleanup_(settings_unrefp) SettingsRef *ref =
        load("[backend]\nurl = \"https://file\"\n[postgres]\nhost = \"file\"\n", NULL);
    setup(NULL);
    assert_non_null(ref);
    assert_string_equal(settings_get(ref)->backend_url, "https://env");
    assert_string_equal(settings_get(ref)->jwt_token, "token");
    assert_string_equal(settings_get(ref)->servers[0].host, "it's");
    _cleanup_buf_ Buf conninfo = BUF_INIT;
    server_settings_conninfo(&settings_get(ref)->servers[0], &conninfo);
    assert_string_equal(buf_cstr(&conninfo), "host='it\\'s' port='5432'");
}

typedef struct FaultCase {
    const char *text;
    const char *faults[4]; /* what the printed faults contain, one each */
} FaultCase;

static const FaultCase FAULTS[] = {
    {"[collector]\nintervall = 5\n", {"c.toml:2:1:", "interval"}},
    {"[colector]\nid = \"x\"\n", {"c.toml:1:", "collector"}},
    {"[collector]\ninterval = 0\n[buffer]\nmax_size = \"many\"\n[security]\nverify_ssl = 3\n",
     {"interval", "max_size", "verify_ssl"}},
    {"[postgres]\nport = 70000\n", {"c.toml:2:", "70000"}},
    {"[postgres]\nname = \"../x\"\n", {"letters, digits"}},
    {"[[postgres]]\nname = \"a\"\n[[postgres]]\nname = \"a\"\n", {"c.toml:4:", "two servers are called \"a\""}},
    {"[[postgres]]\nhost = \"a\"\n[[postgres]]\nhost = \"b\"\n", {"two servers are called \"main\""}},
    {"[postgres]\nsslmode = \"always\"\n", {"verify-full"}},
    {"[postgres]\ndsn = \"postgresql://a:secret@[x/\"\n", {"not a libpq connection string"}},
    {"[postgres]\ndsn = \"host=a\"\nhost = \"b\"\n", {"cannot stand beside"}},
    {"[prometheus]\nlisten = \"9187\"\n", {"c.toml:2:", "\"9187\" is not HOST:PORT"}},
    {"[prometheus]\nlisten = \"127.0.0.1:1, 0.0.0.0:1\"\n", {"no token is asked for", "without_token"}},
    {"[prometheus]\nlisten = \":9187\"\n", {"no token is asked for"}},
    {"[prometheus]\nlisten = \"a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1,a:1\"\nwithout_token = true\n", {"more than 8"}},
    {"[postgres]\npassword = \"a\"\npassword_file = \"b\"\n", {"cannot stand beside password"}},
    {"[backend]\nurl = \"http://x\"\n", {"is not encrypted", "tls_enabled"}},
    {"[backend]\nurl = \"ftp://x\"\n", {"must begin with https://"}},
    {"[metrics.family.pg_locs]\ninterval = 5\n", {"c.toml:1:", "no such metric family", "did you mean pg_locks?"}},
    {"[metrics.family.pg_locks]\nintervall = 5\n", {"c.toml:2:", "interval"}},
    {"[metrics.family]\npg_locks = 5\n", {"c.toml:2:", "must be a table"}},
    {"[collector\n", {"c.toml:1:"}},
};

static void faults_are_named_all_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(FAULTS); i++) {
        _cleanup_buf_ Buf printed = BUF_INIT;
        SettingsRef *ref = load(FAULTS[i].text, &printed);
        if (ref)
            fail_msg("case %zu was accepted:\n%s", i, FAULTS[i].text);
        for (size_t j = 0; j < ARRAY_LENGTH(FAULTS[i].faults) && FAULTS[i].faults[j]; j++) {
            if (!strstr(buf_cstr(&printed), FAULTS[i].faults[j]))
                fail_msg("case %zu: \"%s\" is not in:\n%s", i, FAULTS[i].faults[j], buf_cstr(&printed));
        }
        assert_null(strstr(buf_cstr(&printed), "secret"));
    }
}

static void plain_http_can_be_asked_for(void **state)
{
    (void)state;
    _cleanup_(settings_unrefp) SettingsRef *ref =
        load("[backend]\nurl = \"http://x\"\n[security]\ntls_enabled = false\n", NULL);
    assert_non_null(ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(an_empty_file_is_enough),
        SETTINGS_TEST(every_documented_key_is_known),
        SETTINGS_TEST(several_servers),
        SETTINGS_TEST(the_environment_stands_above_the_file),
        SETTINGS_TEST(faults_are_named_all_at_once),
        SETTINGS_TEST(plain_http_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
