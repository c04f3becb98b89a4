/* SPDX-License-Identifier: PostgreSQL */
#include "collector/settings/settings_sources.h"

#include "tests/unit/collector/settings_fixture.h"

#define FRONT "[collector]\nstate_dir = \"/s\"\n[[postgres]]\nname = \"a\"\n[[postgres]]\nname = \"b\"\n"

static void sources_belong_to_servers(void **state)
{
    (void)state;
    _cleanup_(settings_unrefp) SettingsRef *ref =
        load(FRONT "[[pgbouncer]]\nhost = \"h\"\nuser = \"u\"\n"
                   "[[pgbouncer]]\nname = \"two\"\nserver = \"b\"\ndsn = \"host=x user=y\"\n"
                   "[patroni]\nurl = \"https://h:8008\"\nca_cert = \"/ca\"\n"
                   "[[backup]]\ntool = \"barman\"\nserver_name = \"main\"\ncommand = [\"sudo\", \"barman\"]\n"
                   "interval = \"10m\"\n",
             NULL);
    assert_non_null(ref);
    const Settings *s = settings_get(ref);
    const PgbouncerSettings *p = (const PgbouncerSettings *)(const void *)settings_source_at(s, SOURCE_PGBOUNCER, 0);
    assert_string_equal(p->head.name, "main");
    assert_string_equal(p->head.server, "a"); /* the first one */
    assert_int_equal(p->port, 6432);
    assert_string_equal(settings_source_at(s, SOURCE_PGBOUNCER, 1)->server, "b");
    assert_null(settings_source_at(s, SOURCE_PGBOUNCER, 2));
    assert_string_equal(((const PatroniSettings *)(const void *)settings_source_at(s, SOURCE_PATRONI, 0))->ca_cert,
                        "/ca");
    const BackupSettings *b = (const BackupSettings *)(const void *)settings_source_at(s, SOURCE_BACKUP, 0);
    assert_int_equal(b->tool, BACKUP_BARMAN);
    assert_string_equal(backup_tool_to_string(b->tool), "barman");
    assert_int_equal(b->command.count, 2);
    assert_int_equal(b->interval, 600 * USEC_PER_SEC);
    assert_int_equal(b->timeout, 60 * USEC_PER_SEC);
}

static void faults_are_named_all_at_once(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"[[pgbouncer]]\nserver = \"c\"\n", "[pgbouncer] server = c: there is no server \"c\""},
        {"[[pgbouncer]]\n[[pgbouncer]]\n", "two [[pgbouncer]] are called \"main\""},
        {"[[pgbouncer]]\nname = \"a/b\"\n", "must be made of letters"},
        {"[[pgbouncer]]\ndsn = \"host=h pass word\"\n", "not a libpq connection string"},
        {"[[pgbouncer]]\ndsn = \"host=h\"\nuser = \"u\"\n", "cannot stand beside host, user or sslmode"},
        {"[[pgbouncer]]\nsslmode = \"yes\"\n", "must be disable, allow"},
        {"[[pgbouncer]]\npassword = \"x\"\npassword_file = \"/x\"\n", "cannot stand beside password"},
        {"[[pgbouncer]]\nhots = \"h\"\n", "did you mean \"host\""},
        {"[[patroni]]\n", "[patroni] url"},
        {"[[patroni]]\nurl = \"h:8008\"\n", "must begin with http:// or https://"},
        {"[[patroni]]\nurl = \"http://h\"\nca_cert = \"/x\"\n", "certificates would not be used"},
        {"[[patroni]]\nurl = \"https://h\"\ncert = \"/x\"\n", "cert and key are needed together"},
        {"[[patroni]]\nurl = \"https://h\"\nkey = \"/x\"\n", "cert and key are needed together"},
        {"[[backup]]\n", "[backup] tool"},
        {"[[backup]]\ntool = \"tar\"\n", "pgbackrest, barman, wal-g"},
        {"[[backup]]\ntool = \"barman\"\n", "is required for barman"},
        {"[[backup]]\ntool = \"barman\"\nserver_name = \"x\"\nstanza = \"y\"\n", "is for pgbackrest only"},
        {"[[backup]]\ntool = \"wal-g\"\nserver_name = \"x\"\n", "is for barman only"},
        {"[[backup]]\ntool = \"wal-g\"\ncommand = [\"\"]\n", "the program has no name"},
        {"[[backup]]\ntool = \"wal-g\"\ninterval = 0\n", "interval"},
    };
    _cleanup_buf_ Buf whole = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf text = BUF_INIT, faults = BUF_INIT;
        buf_printf(&text, "%s%s", FRONT, cases[i].text);
        assert_null(load(buf_cstr(&text), &faults));
        if (!strstr(buf_cstr(&faults), cases[i].fault))
            fail_msg("%s: %s", cases[i].text, buf_cstr(&faults));
    }
    assert_null(load(FRONT "[[pgbouncer]]\nport = 0\n[[patroni]]\n[[backup]]\ntool = \"x\"\n", &whole));
    assert_non_null(strstr(buf_cstr(&whole), "[pgbouncer] port"));
    assert_non_null(strstr(buf_cstr(&whole), "[patroni] url"));
    assert_non_null(strstr(buf_cstr(&whole), "[backup] tool"));
}

static void a_fault_does_not_show_a_password(void **state)
{
    (void)state;
    _cleanup_buf_ Buf faults = BUF_INIT;
    assert_null(load(FRONT "[[pgbouncer]]\ndsn = \"password=geheim broken\"\n", &faults));
    assert_null(strstr(buf_cstr(&faults), "geheim"));
}

static void a_changed_source_is_noticed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        FRONT,
        FRONT "[[backup]]\ntool = \"wal-g\"\n",
        FRONT "[[backup]]\ntool = \"wal-g\"\ntimeout = 5\n",
        FRONT "[[patroni]]\nurl = \"http://h\"\n",
    };
    SettingsRef *refs[ARRAY_LENGTH(texts)];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        refs[i] = load(texts[i], NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(texts); j++) {
            const Settings *a = settings_get(refs[i]), *b = settings_get(refs[j]);
            assert_int_equal(settings_sources_equal(a, b), i == j);
            assert_int_equal(settings_collect_alike(a, b), i == j);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        settings_unref(refs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(sources_belong_to_servers),
        SETTINGS_TEST(faults_are_named_all_at_once),
        SETTINGS_TEST(a_fault_does_not_show_a_password),
        SETTINGS_TEST(a_changed_source_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
