/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backend/settings.h"
#include "lib/io/file.h"
#include "tests/support/test_ca.h"

#define SECRET_64 "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
#define KEY_32    "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define PRODUCTION                                                                                                     \
    "ENVIRONMENT=production", "JWT_SECRET=" SECRET_64, "REGISTRATION_SECRET=" SECRET_64, "ENCRYPTION_KEY=" KEY_32

enum { LINES_MAX = 12 };

static int read_from(const char *const *environment, BackendSettings *ret, Buf *faults, Buf *warnings)
{
    Err err = ERR_INIT;
    return settings_read(ret, &(SettingsSource){.environment = environment}, faults, warnings, &err);
}

static void defaults_are_for_development(void **state UNUSED)
{
    static const char *const none[] = {NULL};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings s;
    assert_int_equal(read_from(none, &s, &faults, &warnings), 0);
    assert_int_equal(s.environment, ENVIRONMENT_DEVELOPMENT);
    assert_int_equal(s.port, 8080);
    assert_false(s.tls_enabled);
    assert_string_equal(s.data_dir, "/var/lib/pganalytics");
    assert_string_equal(s.database_url, "");
    assert_int_equal(s.retention_raw, 14 * 24 * 3600 * USEC_PER_SEC);
    assert_int_equal(s.log_level, LOG_LEVEL_INFO);
    settings_done(&s);
}

static void production_takes_what_is_complete(void **state UNUSED)
{
    static const char *const lines[] = {PRODUCTION,
                                        "TLS_ENABLED=false",
                                        "TRUSTED_PROXIES=10.0.0.0/8",
                                        "CLIENT_CERT_HEADER=X-Cert",
                                        "DATABASE_URL=postgresql://db/x",
                                        NULL};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings s;
    if (read_from(lines, &s, &faults, &warnings) < 0)
        fail_msg("%s", buf_cstr(&faults));
    assert_memory_equal(s.encryption_key_bytes, "0123456789abcdef0123456789abcdef", 32);
    assert_int_equal(warnings.len, 0);
    assert_int_equal(settings_ensure_secrets(&s, NULL), 0);
    settings_done(&s);
}

static void names_every_fault(void **state UNUSED)
{
    static const struct {
        const char *lines[LINES_MAX];
        const char *faults[LINES_MAX]; /* parts of what is said, in any order */
    } cases[] = {
        {{"ENVIRONMENT=production", NULL},
         {"JWT_SECRET: must be given", "REGISTRATION_SECRET: must be given", "ENCRYPTION_KEY: must be given",
          "TLS_CERT: must be given", NULL}},
        {{"PORT=65536", "LOG_LEVEL=loud", "TLS_ENABLED=perhaps", NULL},
         {"PORT = 65536", "LOG_LEVEL = loud", "TLS_ENABLED"}},
        {{"JWT_SECRET=short", NULL}, {"JWT_SECRET"}},
        {{"ENCRYPTION_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ==", NULL}, {"is not base64 of 32 bytes"}},
        {{"ENVIRONMENT=production", "JWT_SECRET=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "REGISTRATION_SECRET=" SECRET_64, "ENCRYPTION_KEY=" KEY_32, "TLS_ENABLED=false", NULL},
         {"JWT_SECRET: is not random enough"}},
        {{"TLS_CERT=/x.crt", NULL}, {"TLS_KEY: must be given together"}},
        {{"CA_KEY=/x.key", NULL}, {"CA_CERT: must be given together"}},
        {{"TLS_CERT=/none.crt", "TLS_KEY=/none.key", NULL}, {"/none.crt"}},
        {{"DATABASE_URL=somewhere", NULL}, {"DATABASE_URL: is neither a PostgreSQL URI nor keywords"}},
        {{"DATABASE_URL=host=a", "TIMESCALE_URL=host=b", NULL}, {"TIMESCALE_URL: must be the same database"}},
        {{"CORS_ORIGINS=https://a.example, *", NULL}, {"\"*\" is not an origin"}},
        {{"CORS_ORIGINS=https://a.example/", NULL}, {"is not an origin"}},
        {{"TRUSTED_PROXIES=proxy", NULL}, {"\"proxy\" is not an address"}},
        {{"CLIENT_CERT_HEADER=X", NULL}, {"CLIENT_CERT_HEADER = X: would be believed from nobody"}},
        {{"RETENTION_RAW=100d", NULL}, {"RETENTION_5M"}},
        {{"SMTP_URL=http://x", NULL}, {"is not an smtp://", "SMTP_FROM: is needed"}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf faults = BUF_INIT;
        _cleanup_buf_ Buf warnings = BUF_INIT;
        BackendSettings s;
        if (read_from(cases[i].lines, &s, &faults, &warnings) >= 0)
            fail_msg("%s was taken", cases[i].lines[0]);
        for (size_t k = 0; k < LINES_MAX && cases[i].faults[k]; k++) {
            if (!strstr(buf_cstr(&faults), cases[i].faults[k]))
                fail_msg("no \"%s\" in \"%s\"", cases[i].faults[k], buf_cstr(&faults));
        }
        assert_null(strstr(buf_cstr(&faults), "aaaaaaaa")); /* no secret is repeated */
    }
}

static void warns_of_passwords_in_the_clear(void **state UNUSED)
{
    static const char *const lines[] = {PRODUCTION, "TLS_ENABLED=false", NULL};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings s;
    assert_int_equal(read_from(lines, &s, &faults, &warnings), 0);
    assert_non_null(strstr(buf_cstr(&warnings), "travel in the clear"));
    settings_done(&s);
}

static void checks_that_key_and_certificate_belong_together(void **state UNUSED)
{
    char directory[] = "/tmp/pga-settings-XXXXXX";
    assert_non_null(mkdtemp(directory));
    TestCa ca;
    TestCert one;
    TestCert other;
    test_ca_init(&ca, "CA");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "one", .server = true}, &one);
    test_ca_issue(&ca, &(TestCertOptions){.common_name = "other", .server = true}, &other);
    char cert_line[128], key_line[128], other_line[128];
    (void)snprintf(cert_line, sizeof cert_line, "TLS_CERT=%s/crt", directory);
    (void)snprintf(key_line, sizeof key_line, "TLS_KEY=%s/key", directory);
    (void)snprintf(other_line, sizeof other_line, "TLS_KEY=%s/other", directory);
    assert_int_equal(file_write_atomic(strchr(cert_line, '=') + 1, 0600, buf_slice(&one.certificate_pem), NULL), 0);
    assert_int_equal(file_write_atomic(strchr(key_line, '=') + 1, 0600, buf_slice(&one.key_pem), NULL), 0);
    assert_int_equal(file_write_atomic(strchr(other_line, '=') + 1, 0600, buf_slice(&other.key_pem), NULL), 0);

    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings s;
    assert_int_equal(read_from((const char *const[]){PRODUCTION, cert_line, key_line, NULL}, &s, &faults, &warnings),
                     0);
    assert_true(s.tls_enabled); /* in production without saying so */
    settings_done(&s);
    assert_true(read_from((const char *const[]){PRODUCTION, cert_line, other_line, NULL}, &s, &faults, &warnings) < 0);
    assert_non_null(strstr(buf_cstr(&faults), "TLS_KEY"));

    (void)unlink(strchr(cert_line, '=') + 1);
    (void)unlink(strchr(key_line, '=') + 1);
    (void)unlink(strchr(other_line, '=') + 1);
    (void)rmdir(directory);
    test_cert_done(&one);
    test_cert_done(&other);
    test_ca_done(&ca);
}

static void development_makes_secrets_once_and_keeps_them(void **state UNUSED)
{
    char directory[] = "/tmp/pga-settings-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char line[128], path[128];
    (void)snprintf(line, sizeof line, "DATA_DIR=%s", directory);
    const char *const lines[] = {line, "JWT_SECRET_PREVIOUS=" SECRET_64, NULL};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings first;
    BackendSettings second;
    assert_int_equal(read_from(lines, &first, &faults, &warnings), 0);
    assert_int_equal(settings_ensure_secrets(&first, NULL), 0);
    assert_true(strlen(first.jwt_secret) >= 64);
    assert_true(strlen(first.registration_secret) >= 32);
    assert_int_equal(read_from(lines, &second, &faults, &warnings), 0);
    assert_int_equal(settings_ensure_secrets(&second, NULL), 0);
    assert_string_equal(first.jwt_secret, second.jwt_secret);
    assert_memory_equal(first.encryption_key_bytes, second.encryption_key_bytes, 32);

    static const char *const names[] = {"jwt_secret", "registration_secret", "encryption_key"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/secrets/%s", directory, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        (void)unlink(path);
    }
    _cleanup_buf_ Buf values = BUF_INIT;
    settings_write_values(&first, &values);
    assert_null(strstr(buf_cstr(&values), first.jwt_secret));
    (void)snprintf(path, sizeof path, "%s/secrets", directory);
    (void)rmdir(path);
    (void)rmdir(directory);
    settings_done(&first);
    settings_done(&second);
}

static void the_environment_wins_over_the_file(void **state UNUSED)
{
    char path[] = "/tmp/pga-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "PORT=1111\nLOG_LEVEL=debug\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    BackendSettings s;
    static const char *const lines[] = {"PORT=2222", NULL};
    const SettingsSource source = {.environment = lines, .env_file = path};
    assert_int_equal(settings_read(&s, &source, &faults, &warnings, NULL), 0);
    assert_int_equal(s.port, 2222);
    assert_int_equal(s.log_level, LOG_LEVEL_DEBUG);
    settings_done(&s);

    static const char wrong[] = "PROT=1\nLOG_LEVEL=high\n";
    assert_int_equal(pwrite(fd, wrong, sizeof wrong - 1, 0), sizeof wrong - 1);
    assert_int_equal(ftruncate(fd, sizeof wrong - 1), 0);
    assert_true(settings_read(&s, &source, &faults, &warnings, NULL) < 0);
    assert_non_null(strstr(buf_cstr(&faults), ":1:"));
    assert_non_null(strstr(buf_cstr(&faults), "PORT")); /* the nearest name */
    assert_non_null(strstr(buf_cstr(&faults), ":2:"));
    (void)close(fd);
    (void)unlink(path);
}

static void reload_takes_what_may_change_and_names_the_rest(void **state UNUSED)
{
    static const char *const before[] = {"LOG_LEVEL=info", "PORT=1", NULL};
    static const char *const after[] = {"LOG_LEVEL=error", "PORT=2", "WORKERS=3", NULL};
    _cleanup_buf_ Buf faults = BUF_INIT;
    _cleanup_buf_ Buf warnings = BUF_INIT;
    _cleanup_buf_ Buf restart = BUF_INIT;
    BackendSettings s;
    BackendSettings fresh;
    assert_int_equal(read_from(before, &s, &faults, &warnings), 0);
    assert_int_equal(read_from(after, &fresh, &faults, &warnings), 0);
    settings_reload(&s, &fresh, &restart);
    assert_int_equal(s.log_level, LOG_LEVEL_ERROR);
    assert_int_equal(s.port, 1);
    assert_string_equal(buf_cstr(&restart), "PORT, WORKERS");
    settings_done(&s);
    settings_done(&fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_for_development),
        cmocka_unit_test(production_takes_what_is_complete),
        cmocka_unit_test(names_every_fault),
        cmocka_unit_test(warns_of_passwords_in_the_clear),
        cmocka_unit_test(checks_that_key_and_certificate_belong_together),
        cmocka_unit_test(development_makes_secrets_once_and_keeps_them),
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(reload_takes_what_may_change_and_names_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
