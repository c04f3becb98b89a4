/* SPDX-License-Identifier: PostgreSQL */
/* The authority from files; that from the store is part of the system tests. */
#include "backend/auth/ca.c"

#include <stdio.h>

#include "tests/support/unit.h"

static const Usec now = (Usec)1800000000 * USEC_PER_SEC;

typedef struct Files {
    char directory[64];
    char cert[96];
    char key[96];
} Files;

static void write_file(const char *path, Slice content)
{
    assert_int_equal(file_write_atomic(path, 0600, content, NULL), 0);
}

static int make_files(void **state)
{
    Files *f = calloc(1, sizeof *f);
    _cleanup_buf_ Buf cert = BUF_INIT;
    _cleanup_buf_ Buf key = BUF_INIT;
    Err err = ERR_INIT;

    assert_non_null(f);
    (void)snprintf(f->directory, sizeof f->directory, "/tmp/pga-test-ca-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    (void)snprintf(f->cert, sizeof f->cert, "%s/c.crt", f->directory);
    (void)snprintf(f->key, sizeof f->key, "%s/c.key", f->directory);
    assert_int_equal(ca_make(now, &cert, &key, &err), 0);
    write_file(f->cert, buf_slice(&cert));
    write_file(f->key, buf_slice(&key));
    *state = f;
    return 0;
}

static int remove_files(void **state)
{
    Files *f = *state;
    char published[96];

    (void)snprintf(published, sizeof published, "%s/ca.crt", f->directory);
    (void)unlink(published);
    (void)unlink(f->cert);
    (void)unlink(f->key);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

static Ca *open_ca(const Files *f)
{
    Ca *ca = NULL;
    Err err = ERR_INIT;

    int r = ca_open(&ca, &(CaOptions){.cert_file = f->cert, .key_file = f->key, .data_dir = f->directory}, &err);
    if (r < 0)
        fail_msg("%s", err.detail);
    return ca;
}

static X509 *read_certificate(Slice pem)
{
    _cleanup_(bio_freep) BIO *bio = bio_of(pem);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

    assert_non_null(x);
    return x;
}

/* Chain, purpose and time, as a TLS peer checks them. */
static bool is_trusted(const Ca *ca, X509 *leaf, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    assert_int_equal(X509_STORE_add_cert(store, ca->certificate), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
    assert_int_equal(X509_STORE_CTX_set_purpose(context, purpose), 1);
    X509_STORE_CTX_set_time(context, 0, (time_t)(now / USEC_PER_SEC));
    bool ok = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return ok;
}

static void a_client_certificate_is_for_its_collector_and_for_clients_only(void **state)
{
    _cleanup_(ca_freep) Ca *ca = open_ca(*state);
    _cleanup_buf_ Buf key = BUF_INIT;
    _cleanup_buf_ Buf csr = BUF_INIT;
    _cleanup_buf_ Buf pem = BUF_INIT;
    TlsCertInfo info;
    Err err = ERR_INIT;

    assert_int_equal(tls_key_generate(&key, &err), 0);
    assert_int_equal(tls_csr_make(buf_slice(&key), "i-say-i-am-another", &csr, &err), 0);
    assert_int_equal(ca_issue_client(ca, buf_slice(&csr), "col-1", now, &pem, &err), 0);
    assert_int_equal(tls_cert_read(buf_slice(&pem), &info, &err), 0);
    assert_string_equal(info.common_name, "col-1");
    assert_int_equal(info.not_after, now + leaf_lifetime);
    assert_int_equal(tls_cert_check_key(buf_slice(&pem), buf_slice(&key), &err), 0);
    _cleanup_(x509_freep) X509 *leaf = read_certificate(buf_slice(&pem));
    assert_true(is_trusted(ca, leaf, X509_PURPOSE_SSL_CLIENT));
    assert_false(is_trusted(ca, leaf, X509_PURPOSE_SSL_SERVER));
}

static void the_life_of_client_certificates_can_be_set(void **state)
{
    const Files *f = *state;
    _cleanup_(ca_freep) Ca *ca = NULL;
    _cleanup_buf_ Buf key = BUF_INIT;
    _cleanup_buf_ Buf csr = BUF_INIT;
    _cleanup_buf_ Buf pem = BUF_INIT;
    TlsCertInfo info;
    Err err = ERR_INIT;
    const CaOptions options = {.cert_file = f->cert, .key_file = f->key, .client_lifetime = 20 * USEC_PER_SEC};

    assert_int_equal(ca_open(&ca, &options, &err), 0);
    assert_int_equal(tls_key_generate(&key, &err), 0);
    assert_int_equal(tls_csr_make(buf_slice(&key), "x", &csr, &err), 0);
    assert_int_equal(ca_issue_client(ca, buf_slice(&csr), "col-1", now, &pem, &err), 0);
    assert_int_equal(tls_cert_read(buf_slice(&pem), &info, &err), 0);
    assert_int_equal(info.not_after, now + 20 * USEC_PER_SEC);
    assert_int_equal(info.not_before, now - 2 * USEC_PER_SEC); /* two thirds of it lie behind the start, not before */
}

static void a_server_certificate_names_hosts_and_addresses(void **state)
{
    _cleanup_(ca_freep) Ca *ca = open_ca(*state);
    _cleanup_buf_ Buf key = BUF_INIT;
    _cleanup_buf_ Buf pem = BUF_INIT;
    Err err = ERR_INIT;

    assert_int_equal(ca_issue_server(ca, "api.example, 127.0.0.1,::1", now, &pem, &key, &err), 0);
    _cleanup_(x509_freep) X509 *leaf = read_certificate(buf_slice(&pem));
    assert_int_equal(X509_check_host(leaf, "api.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.example", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_true(is_trusted(ca, leaf, X509_PURPOSE_SSL_SERVER));
    assert_false(is_trusted(ca, leaf, X509_PURPOSE_SSL_CLIENT));
    assert_true(slice_ends_with(buf_slice(&pem), ca_certificate_pem(ca)));
    assert_fails(ca_issue_server(ca, "a,b;critical", now, &pem, &key, &err), &err, ERR_CONFIG, "b;critical");
    assert_fails(ca_issue_server(ca, " , ", now, &pem, &key, &err), &err, ERR_CONFIG, "no host name");
}

static void a_request_that_is_no_good_is_refused(void **state)
{
    _cleanup_(ca_freep) Ca *ca = open_ca(*state);
    _cleanup_buf_ Buf key = BUF_INIT;
    _cleanup_buf_ Buf csr = BUF_INIT;
    _cleanup_buf_ Buf pem = BUF_INIT;
    Err err = ERR_INIT;

    assert_int_equal(tls_key_generate(&key, &err), 0);
    assert_int_equal(tls_csr_make(buf_slice(&key), "x", &csr, &err), 0);
    csr.ptr[csr.len / 2] = csr.ptr[csr.len / 2] == 'A' ? 'B' : 'A';
    const Slice bad[] = {SLICE_LIT(""), SLICE_LIT("hello"), buf_slice(&csr), buf_slice(&key)};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_fails(ca_issue_client(ca, bad[i], "col-1", now, &pem, &err), &err, ERR_UNPROCESSABLE, "csr");
    assert_int_equal(pem.len, 0);
}

static void a_request_that_says_it_has_a_password_asks_nobody(void **state)
{
    static const char csr[] = "-----BEGIN CERTIFICATE REQUEST-----\nProc-Type: 4,ENCRYPTED\n"
                              "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\nMIIBaDCCAQ4CAQAwGDEWMBQG\n"
                              "-----END CERTIFICATE REQUEST-----\n";
    _cleanup_(ca_freep) Ca *ca = open_ca(*state);
    _cleanup_buf_ Buf pem = BUF_INIT;
    Err err = ERR_INIT;
    int ends[2], input = dup(STDIN_FILENO);
    char left[16];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "secret\n", 7), 7);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    assert_fails(ca_issue_client(ca, slice_cstr(csr), "col-1", now, &pem, &err), &err, ERR_UNPROCESSABLE, "csr");
    assert_int_equal(read(ends[0], left, sizeof left), 7); /* all still there */
    assert_true(dup2(input, STDIN_FILENO) >= 0);
    close(input);
    close(ends[0]);
    close(ends[1]);
}

static void serials_differ(void **state)
{
    _cleanup_(ca_freep) Ca *ca = open_ca(*state);
    TlsCertInfo a, b;

    for (int i = 0; i < 2; i++) {
        _cleanup_buf_ Buf key = BUF_INIT;
        _cleanup_buf_ Buf pem = BUF_INIT;
        assert_int_equal(ca_issue_server(ca, "h", now, &pem, &key, NULL), 0);
        assert_int_equal(tls_cert_read(buf_slice(&pem), i ? &b : &a, NULL), 0);
    }
    assert_string_not_equal(a.serial, b.serial);
    assert_int_equal(strlen(a.serial), 2 * SERIAL_BYTES);
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
    const Files *f = *state;
    Ca *ca = NULL;
    Err err = ERR_INIT;
    _cleanup_buf_ Buf key = BUF_INIT;

    assert_int_equal(tls_key_generate(&key, &err), 0);
    write_file(f->key, buf_slice(&key));
    assert_fails(ca_open(&ca, &(CaOptions){.cert_file = f->cert, .key_file = f->key}, &err), &err, ERR_TLS, f->key);
    assert_null(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_client_certificate_is_for_its_collector_and_for_clients_only, make_files,
                                        remove_files),
        cmocka_unit_test_setup_teardown(the_life_of_client_certificates_can_be_set, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_server_certificate_names_hosts_and_addresses, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_request_that_is_no_good_is_refused, make_files, remove_files),
        cmocka_unit_test_setup_teardown(a_request_that_says_it_has_a_password_asks_nobody, make_files, remove_files),
        cmocka_unit_test_setup_teardown(serials_differ, make_files, remove_files),
        cmocka_unit_test_setup_teardown(files_that_do_not_belong_together_are_refused, make_files, remove_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
