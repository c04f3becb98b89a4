/* SPDX-License-Identifier: PostgreSQL */
/* Registration against a real HTTPS server (tests/support/push_server.py), which signs the request with a real CA. */
#include "tests/support/unit.h"

#include "collector/link/identity.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"
#include "tests/unit/collector/link/link_fixture.h"

static Scratch scratch;

typedef struct Registration {
    EnrolOptions options;
    Buf ca;
    Buf state_dir;
} Registration;

static Registration r;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make_fast();
    r = (Registration){.ca = scratch_path(&server.scratch, "ca.crt"), .state_dir = scratch_path(&scratch, "state/dir")};
    r.options = (EnrolOptions){
        .api_url = server.url,
        .ca_file = buf_cstr(&r.ca),
        .verify = true,
        .state_dir = buf_cstr(&r.state_dir),
        .secret = "a-secret-of-at-least-32-characters",
        .name = "col_001",
        .hostname = "db \"one\"",
        .region = "eu",
    };
    push_server_script(&server, "[]");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&r.ca);
    buf_done(&r.state_dir);
    scratch_remove(&scratch);
    return 0;
}

static Buf state_file(const char *name, mode_t mode)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", buf_cstr(&r.state_dir), name);
    struct stat status;
    assert_int_equal(stat(buf_cstr(&path), &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
    Buf content = scratch_read(buf_cstr(&path));
    buf_done(&path);
    return content;
}

static void must_register(Identity *ret)
{
    Err err = ERR_INIT;
    assert_ok(enrol_register(&r.options, ret, &err), &err);
}

static void must_fail(ErrCode code, const char *detail, const char *hint)
{
    Err err = ERR_INIT;
    Identity identity = {0};
    assert_fails(enrol_register(&r.options, &identity, &err), &err, code, detail);
    if (!strstr(err.hint, hint))
        fail_msg("hint \"%s\" does not say \"%s\"", err.hint, hint);
    assert_null(strstr(err.detail, r.options.secret[0] ? r.options.secret : "\1"));
    assert_null(identity.collector_id);
    identity_done(&identity);
    assert_int_equal(identity_read(buf_cstr(&r.state_dir), &identity, NULL), IDENTITY_ABSENT);
}

static void everything_is_written_with_its_mode_and_fits(void **state)
{
    (void)state;
    Identity identity = {0};
    must_register(&identity);
    assert_string_equal(identity.collector_id, "11111111-2222-4333-8444-555555555555");
    assert_string_equal(identity.api_url, server.url);

    Buf key = state_file("collector.key", 0600);
    Buf certificate = state_file("collector.crt", 0644);
    Buf ca = state_file("ca.crt", 0644);
    Buf token = state_file("token", 0600);
    Buf json = state_file("identity.json", 0644);
    Err err = ERR_INIT;
    assert_ok(tls_cert_check_key(buf_slice(&certificate), buf_slice(&key), &err), &err);
    Buf given_ca = scratch_read(buf_cstr(&r.ca));
    assert_string_equal(buf_cstr(&ca), buf_cstr(&given_ca)); /* not twice */
    assert_string_equal(buf_cstr(&token), identity.token);
    assert_null(strstr(buf_cstr(&json), identity.token));

    Identity back = {0};
    assert_int_equal(identity_read(buf_cstr(&r.state_dir), &back, &err), IDENTITY_OK);
    assert_string_equal(back.collector_id, identity.collector_id);
    assert_string_equal(back.api_url, identity.api_url);
    assert_string_equal(back.token, identity.token);
    identity_done(&back);
    identity_done(&identity);
    buf_done(&given_ca);
    buf_done(&key);
    buf_done(&certificate);
    buf_done(&ca);
    buf_done(&token);
    buf_done(&json);
}

static void request_says_what_it_should_and_not_the_key(void **state)
{
    (void)state;
    Identity identity = {0};
    must_register(&identity);
    identity_done(&identity);
    yyjson_doc *log = push_server_wait(&server, 1);
    yyjson_val *entry = yyjson_arr_get_first(yyjson_doc_get_root(log));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(entry, "path")), "/api/v1/collectors/register");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(entry, "secret")), r.options.secret);
    yyjson_val *body = yyjson_obj_get(entry, "batch");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(body, "name")), "col_001");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(body, "hostname")), "db \"one\"");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(body, "region")), "eu");
    assert_non_null(strstr(yyjson_get_str(yyjson_obj_get(body, "csr")), "BEGIN CERTIFICATE REQUEST"));
    char *text = yyjson_val_write(body, 0, NULL);
    assert_null(strstr(text, "PRIVATE KEY"));
    free(text);
    yyjson_doc_free(log);
}

static void registering_again_replaces_everything(void **state)
{
    (void)state;
    Identity first = {0}, second = {0};
    must_register(&first);
    Buf old_key = state_file("collector.key", 0600);
    char slashed[100];
    (void)snprintf(slashed, sizeof(slashed), " %s// ", server.url);
    r.options.api_url = slashed;
    must_register(&second);
    Buf key = state_file("collector.key", 0600);
    assert_string_not_equal(buf_cstr(&old_key), buf_cstr(&key));
    assert_string_not_equal(first.token, second.token);
    assert_string_equal(second.api_url, server.url);
    identity_done(&first);
    identity_done(&second);
    buf_done(&old_key);
    buf_done(&key);
}

static void own_ca_is_added_to_the_given_one(void **state)
{
    (void)state;
    /* The backend is reached behind another CA: both are trusted from now on. */
    Buf both = scratch_read(buf_cstr(&r.ca));
    Buf other_path = scratch_path(&server.scratch, "other.crt");
    Buf other = scratch_read(buf_cstr(&other_path));
    Buf bundle_path = scratch_path(&scratch, "bundle.crt");
    Buf bundle = BUF_INIT;
    buf_append(&bundle, slice_trim(buf_slice(&other))); /* without its last newline */
    buf_append_char(&bundle, '\n');
    buf_append(&bundle, slice_trim(buf_slice(&both)));
    scratch_write(buf_cstr(&bundle_path), buf_slice(&bundle));
    r.options.ca_file = buf_cstr(&bundle_path);
    Identity identity = {0};
    must_register(&identity);
    identity_done(&identity);
    Buf ca = state_file("ca.crt", 0644);
    assert_true(slice_find(buf_slice(&ca), slice_trim(buf_slice(&other))) >= 0);
    assert_true(slice_find(buf_slice(&ca), slice_trim(buf_slice(&both))) >= 0);
    buf_done(&ca);
    buf_done(&bundle);
    buf_done(&bundle_path);
    buf_done(&other);
    buf_done(&other_path);
    buf_done(&both);
}

static void unverified_backend_is_trusted_by_its_own_ca_later(void **state)
{
    (void)state;
    r.options.ca_file = NULL;
    r.options.verify = false;
    Identity identity = {0};
    must_register(&identity);
    identity_done(&identity);
    Buf ca = state_file("ca.crt", 0644);
    assert_non_null(strstr(buf_cstr(&ca), "BEGIN CERTIFICATE"));
    buf_done(&ca);
}

static void wrong_secret_is_told(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":401,\"body\":{\"error\":{\"code\":\"credentials_invalid\","
                                "\"message\":\"the registration secret is wrong\"}}}]");
    must_fail(ERR_CREDENTIALS, "the registration secret is wrong", "REGISTRATION_SECRET");
}

static void taken_name_is_told(void **state)
{
    (void)state;
    push_server_script(&server,
                       "[{\"status\":409,\"body\":{\"error\":{\"code\":\"conflict\",\"message\":\"name is taken\"}}}]");
    must_fail(ERR_CONFLICT, "name is taken", "--name");
}

static void backend_hint_is_kept(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":429,\"body\":{\"error\":{\"code\":\"too_many_requests\","
                                "\"message\":\"slow down\",\"hint\":\"wait a minute\"}}}]");
    must_fail(ERR_TOO_MANY_REQUESTS, "slow down", "wait a minute");
}

static void proxy_in_front_is_told(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":403,\"body\":\"<html>Forbidden</html>\"}]");
    must_fail(ERR_UNAVAILABLE, "403", "proxy");
}

static void untrusted_ca_is_told(void **state)
{
    (void)state;
    Buf other = scratch_path(&server.scratch, "other.crt");
    r.options.ca_file = buf_cstr(&other);
    must_fail(ERR_TLS, server.url, "--ca FILE");
    r.options.ca_file = NULL; /* the system's */
    must_fail(ERR_TLS, server.url, "--ca FILE");
    buf_done(&other);
}

static void unreachable_backend_is_told(void **state)
{
    (void)state;
    r.options.api_url = "https://127.0.0.1:1"; /* nobody listens on tcpmux */
    must_fail(ERR_CONNECT, "127.0.0.1:1", "https://127.0.0.1:1");
}

static void unusable_answers_write_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        ErrCode code;
        const char *detail;
    } cases[] = {
        {"\"<html>\"", ERR_SYNTAX, "not the backend's"},
        {"{}", ERR_BODY_INVALID, "collector_id"},
        {"{\"collector_id\":\"x\",\"token\":\"t\",\"certificate\":\"c\"}", ERR_BODY_INVALID, "ca_certificate"},
        {"{\"collector_id\":\"x\",\"token\":\"t\",\"certificate\":\"c\",\"ca_certificate\":\"d\"}", ERR_TLS,
         "the backend's answer"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char steps[300];
        (void)snprintf(steps, sizeof(steps), "[{\"status\":201,\"body\":%s}]", cases[i].body);
        push_server_script(&server, steps);
        must_fail(cases[i].code, cases[i].detail, "");
    }
}

static void certificate_of_another_key_is_refused(void **state)
{
    (void)state;
    Buf path = scratch_path(&server.scratch, "client.crt");
    Buf foreign = scratch_read(buf_cstr(&path));
    Buf steps = BUF_INIT;
    buf_append_cstr(&steps, "[{\"status\":201,\"body\":{\"collector_id\":\"x\",\"token\":\"t\",\"certificate\":");
    buf_append_json_string(&steps, buf_slice(&foreign));
    buf_append_cstr(&steps, ",\"ca_certificate\":");
    buf_append_json_string(&steps, buf_slice(&foreign));
    buf_append_cstr(&steps, "}}]");
    push_server_script(&server, buf_cstr(&steps));
    must_fail(ERR_TLS, "the backend's answer", "");
    buf_done(&steps);
    buf_done(&foreign);
    buf_done(&path);
}

static void secrets_that_cannot_travel_are_refused_here(void **state)
{
    (void)state;
    static const char *const secrets[] = {"", "line\nbreak", "two words", "caf\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
        r.options.secret = secrets[i];
        must_fail(ERR_USAGE, "secret", "");
    }
}

static void state_dir_that_cannot_be_made_is_told_before_registering(void **state)
{
    (void)state;
    Buf file = scratch_path(&scratch, "file");
    scratch_write(buf_cstr(&file), SLICE_LIT("x"));
    buf_append_cstr(&file, "/state");
    r.options.state_dir = buf_cstr(&file);
    Err err = ERR_INIT;
    Identity identity = {0};
    assert_true(enrol_register(&r.options, &identity, &err) < 0);
    assert_non_null(strstr(err.detail, buf_cstr(&file)));
    yyjson_doc *log = push_server_wait(&server, 0);
    assert_int_equal(yyjson_arr_size(yyjson_doc_get_root(log)), 0);
    yyjson_doc_free(log);
    buf_done(&file);
}

static int full_disk(void *arg, IoCall call)
{
    unsigned *left = arg;
    if (call != IO_CALL_WRITE || (*left)-- > 0)
        return 0;
    *left = 0;
    return 28; /* ENOSPC */
}

static void failing_to_write_is_told_and_leaves_no_identity(void **state)
{
    (void)state;
    for (unsigned files = 0; files < 5; files++) {
        unsigned left = files;
        io_fault_set(full_disk, &left);
        Err err = ERR_INIT;
        Identity identity = {0};
        const int result = enrol_register(&r.options, &identity, &err);
        io_fault_set(NULL, NULL);
        assert_true(result < 0);
        assert_int_equal(err.code, ERR_DISK_FULL);
        assert_non_null(strstr(err.hint, "register again"));
        assert_int_equal(identity_read(buf_cstr(&r.state_dir), &identity, NULL), IDENTITY_ABSENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(everything_is_written_with_its_mode_and_fits),
        LINK_TEST(request_says_what_it_should_and_not_the_key),
        LINK_TEST(registering_again_replaces_everything),
        LINK_TEST(own_ca_is_added_to_the_given_one),
        LINK_TEST(unverified_backend_is_trusted_by_its_own_ca_later),
        LINK_TEST(wrong_secret_is_told),
        LINK_TEST(taken_name_is_told),
        LINK_TEST(backend_hint_is_kept),
        LINK_TEST(proxy_in_front_is_told),
        LINK_TEST(untrusted_ca_is_told),
        LINK_TEST(unreachable_backend_is_told),
        LINK_TEST(unusable_answers_write_nothing),
        LINK_TEST(certificate_of_another_key_is_refused),
        LINK_TEST(secrets_that_cannot_travel_are_refused_here),
        LINK_TEST(state_dir_that_cannot_be_made_is_told_before_registering),
        LINK_TEST(failing_to_write_is_told_and_leaves_no_identity),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
