/* SPDX-License-Identifier: PostgreSQL */
/* A certificate's renewal: key and certificate belong together after a kill at any point of the writing. */
#include "tests/support/unit.h"

#include <errno.h>
#include <sys/wait.h>

#include "collector/link/certificate.h"
#include "lib/io/file.h"
#include "lib/io/tls.h"
#include "tests/unit/collector/link/link_fixture.h"

#define DAY ((Usec)86400 * USEC_PER_SEC)

static Scratch scratch;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make_fast();
    push_server_script(&server, "[]");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static void put(const char *name, Slice content)
{
    Buf path = scratch_path(&scratch, name);
    scratch_write(buf_cstr(&path), content);
    buf_done(&path);
}

static bool is_there(const char *name)
{
    Buf path = scratch_path(&scratch, name);
    const bool there = file_exists(buf_cstr(&path));
    buf_done(&path);
    return there;
}

static mode_t mode_of(const char *name)
{
    Buf path = scratch_path(&scratch, name);
    struct stat status;
    assert_int_equal(stat(buf_cstr(&path), &status), 0);
    buf_done(&path);
    return status.st_mode & 0777;
}

/* A pair of @common_name: as registration writes it, or as a renewal holds it. */
static void make_pair(const char *common_name, Buf *ret_key, Buf *ret_certificate)
{
    TestCa ca;
    TestCert cert;
    test_ca_init(&ca, "ca");
    test_ca_issue(&ca, &(TestCertOptions){.common_name = common_name}, &cert);
    *ret_key = cert.key_pem;
    *ret_certificate = cert.certificate_pem;
    test_ca_done(&ca);
}

static void put_registered(void)
{
    Buf key, certificate;
    make_pair("registered", &key, &certificate);
    put("collector.key", buf_slice(&key));
    put("collector.crt", buf_slice(&certificate));
    buf_done(&key);
    buf_done(&certificate);
}

static Buf make_renewed(void)
{
    Buf key, certificate;
    make_pair("renewed", &key, &certificate);
    buf_append(&key, buf_slice(&certificate));
    buf_done(&certificate);
    return key;
}

/* The common name of the certificate in force, whose key must be its own. */
static void read_force(char ret[128])
{
    char *cert_file, *key_file;
    certificate_files(scratch.path, &cert_file, &key_file);
    assert_non_null(cert_file);
    assert_non_null(key_file);
    Buf certificate = scratch_read(cert_file), key = scratch_read(key_file);
    Err err = ERR_INIT;
    TlsCertInfo info;
    assert_ok(tls_cert_check_key(buf_slice(&certificate), buf_slice(&key), &err), &err);
    assert_ok(tls_cert_read(buf_slice(&certificate), &info, &err), &err);
    (void)snprintf(ret, 128, "%s", info.common_name);
    buf_done(&certificate);
    buf_done(&key);
    free(cert_file);
    free(key_file);
}

static void assert_force(const char *expected)
{
    char name[128];
    read_force(name);
    assert_string_equal(name, expected);
}

static void due_when_two_thirds_are_over(void **state)
{
    (void)state;
    const Usec from = 20000 * DAY, to = from + 300 * DAY;
    assert_false(certificate_is_due(from, to, from));
    assert_false(certificate_is_due(from, to, from + 200 * DAY - 1));
    assert_true(certificate_is_due(from, to, from + 200 * DAY));
    assert_true(certificate_is_due(from, to, to + DAY));
}

static void a_renewed_pair_replaces_the_files(void **state)
{
    (void)state;
    put_registered();
    Buf renewed = make_renewed();
    Err err = ERR_INIT;
    assert_ok(certificate_keep(scratch.path, buf_slice(&renewed), &err), &err);
    assert_force("renewed"); /* at once */
    assert_true(is_there("renewed.pem"));
    assert_int_equal(mode_of("renewed.pem"), 0600); /* a key is in it */
    assert_ok(certificate_finish(scratch.path, &err), &err);
    assert_false(is_there("renewed.pem"));
    assert_force("renewed");
    assert_int_equal(mode_of("collector.key"), 0600);
    Buf certificate_path = scratch_path(&scratch, "collector.crt");
    Buf certificate = scratch_read(buf_cstr(&certificate_path));
    assert_null(strstr(buf_cstr(&certificate), "PRIVATE KEY")); /* this file is for everybody */
    buf_done(&certificate);
    buf_done(&certificate_path);
    buf_done(&renewed);
}

static void nothing_to_finish_is_fine(void **state)
{
    (void)state;
    put_registered();
    Err err = ERR_INIT;
    assert_ok(certificate_finish(scratch.path, &err), &err);
    assert_force("registered");
}

static void a_renewed_pair_that_is_none_is_left_alone(void **state)
{
    (void)state;
    put_registered();
    Buf renewed = make_renewed();
    Buf key, certificate;
    make_pair("other", &key, &certificate);
    Buf foreign = BUF_INIT;
    buf_append(&foreign, buf_slice(&key));
    buf_append(&foreign,
               slice_skip(buf_slice(&renewed), (size_t)slice_find(buf_slice(&renewed), SLICE_LIT("-----BEGIN CERT"))));
    const Slice bad[] = {SLICE_LIT(""), SLICE_LIT("rubbish"), buf_slice(&key), buf_slice(&certificate),
                         buf_slice(&foreign)};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        put("renewed.pem", bad[i]);
        Err err = ERR_INIT;
        assert_fails(certificate_finish(scratch.path, &err), &err, ERR_TLS, "renewed.pem");
        assert_force("registered");
    }
    buf_done(&foreign);
    buf_done(&key);
    buf_done(&certificate);
    buf_done(&renewed);
}

static int die_at(void *arg, IoCall call)
{
    (void)call;
    unsigned *left = arg;
    if (--*left == 0)
        _exit(9); /* as a kill does: nothing is cleaned up */
    return 0;
}

/* In a process of its own, which dies at its @nth system call. True when it came to its end. */
static bool renew_and_die(Slice renewed, unsigned nth)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        io_fault_set(die_at, &nth);
        const bool ok =
            certificate_keep(scratch.path, renewed, NULL) == 0 && certificate_finish(scratch.path, NULL) == 0;
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9));
    return WEXITSTATUS(status) == 0;
}

static void killed_at_any_point_the_pair_belongs_together(void **state)
{
    (void)state;
    Buf renewed = make_renewed();
    bool done = false, was_new = false;
    unsigned points = 0;
    for (unsigned nth = 1; !done; nth++) {
        put_registered();
        done = renew_and_die(buf_slice(&renewed), nth);
        points += !done;
        char before[128], after[128];
        read_force(before);
        Err err = ERR_INIT;
        assert_ok(certificate_finish(scratch.path, &err), &err); /* the next start */
        read_force(after);
        assert_string_equal(before, after); /* what was in force stays in force */
        assert_false(is_there("renewed.pem"));
        was_new = was_new || strcmp(after, "renewed") == 0;
        assert_int_equal(strcmp(after, "renewed") == 0, was_new); /* and never turns back */
    }
    assert_true(was_new);
    assert_true(points >= 12); /* open, write, fsync, rename, fsync of the directory: three times */
    buf_done(&renewed);
}

static HttpClient *make_client(void)
{
    Buf ca = scratch_path(&server.scratch, "ca.crt");
    HttpClient *http = NULL;
    Err err = ERR_INIT;
    assert_ok(http_client_new(&http, &(HttpClientOptions){.ca_file = buf_cstr(&ca), .verify = true}, &err), &err);
    buf_done(&ca);
    return http;
}

static int request(HttpClient *http, Buf *pem, Err *reterr)
{
    const CertificateRequest r = {.http = http, .api_url = server.url, .collector_id = "col-1", .token = "tok"};
    return certificate_request(&r, pem, reterr);
}

static void the_answer_belongs_to_the_key_that_was_made(void **state)
{
    (void)state;
    HttpClient *http = make_client();
    Buf pem = BUF_INIT;
    Err err = ERR_INIT;
    assert_ok(request(http, &pem, &err), &err);
    assert_ok(tls_cert_check_key(buf_slice(&pem), buf_slice(&pem), &err), &err);
    yyjson_doc *log = push_server_wait(&server, 1);
    yyjson_val *first = yyjson_arr_get_first(yyjson_doc_get_root(log));
    assert_string_equal(yyjson_get_str(yyjson_obj_get(first, "path")), "/api/v1/collectors/col-1/certificate");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(first, "authorization")), "Bearer tok");
    yyjson_doc_free(log);
    buf_done(&pem);
    http_client_free(http);
}

static const struct {
    const char *step;
    ErrCode code;
    const char *part;
} bad_answers[] = {
    {"{\"status\":404,\"body\":\"\"}", ERR_UNAVAILABLE, "404"},
    {"{\"status\":403,\"body\":{\"error\":{\"code\":\"certificate_invalid\",\"message\":\"revoked\"}}}",
     ERR_CERTIFICATE_INVALID, "revoked"},
    {"{\"status\":200,\"body\":\"no JSON\"}", ERR_SYNTAX, "renewing the certificate"},
    {"{\"status\":200,\"body\":{}}", ERR_BODY_INVALID, "certificate"},
    {"{\"status\":200,\"body\":{\"certificate\":\"rubbish\"}}", ERR_TLS, "certificate"},
    {"{\"action\":\"cut\"}", ERR_CONNECT, "certificate"},
};

static void other_answers_give_nothing(void **state)
{
    (void)state;
    HttpClient *http = make_client();
    for (size_t i = 0; i < ARRAY_LENGTH(bad_answers); i++) {
        Buf script = BUF_INIT, pem = BUF_INIT;
        buf_printf(&script, "[%s,%s]", bad_answers[i].step, bad_answers[i].step); /* a cut request may be repeated */
        push_server_script(&server, buf_cstr(&script));
        Err err = ERR_INIT;
        assert_fails(request(http, &pem, &err), &err, bad_answers[i].code, bad_answers[i].part);
        assert_int_equal(pem.len, 0);
        assert_null(strstr(err.detail, "PRIVATE"));
        buf_done(&script);
    }
    http_client_free(http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(due_when_two_thirds_are_over),
        LINK_TEST(a_renewed_pair_replaces_the_files),
        LINK_TEST(nothing_to_finish_is_fine),
        LINK_TEST(a_renewed_pair_that_is_none_is_left_alone),
        LINK_TEST(killed_at_any_point_the_pair_belongs_together),
        LINK_TEST(the_answer_belongs_to_the_key_that_was_made),
        LINK_TEST(other_answers_give_nothing),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
