/* SPDX-License-Identifier: PostgreSQL */
/* The keeper against a real HTTPS server that asks for client certificates; time is passed in. */
#include "tests/support/unit.h"

#include <errno.h>
#include <unistd.h>

#include "collector/link/keeper.h"
#include "lib/io/file.h"
#include "tests/support/kept_log.h"
#include "tests/unit/collector/link/link_fixture.h"

#define HOUR (3600 * USEC_PER_SEC)
#define DAY  (24 * HOUR)

static Scratch scratch;
static Keeper *keeper;
static Usec now, wall;

/* A certificate that the server takes, in state_dir: valid from @from to @until seconds from now. */
static void put_certificate(const char *serial, long from, long until)
{
    Buf path = scratch_path(&server.scratch, "ca.key");
    FILE *file = fopen(buf_cstr(&path), "re");
    assert_non_null(file);
    TestCa ca = {.key = PEM_read_PrivateKey(file, NULL, NULL, NULL)};
    assert_int_equal(fclose(file), 0);
    buf_done(&path);
    path = scratch_path(&server.scratch, "ca.crt");
    file = fopen(buf_cstr(&path), "re");
    assert_non_null(file);
    ca.certificate = PEM_read_X509(file, NULL, NULL, NULL);
    assert_int_equal(fclose(file), 0);
    buf_done(&path);
    TestCert cert;
    test_ca_issue(
        &ca,
        &(TestCertOptions){
            .common_name = "col-1", .serial_hex = serial, .valid_from_seconds = from, .valid_until_seconds = until},
        &cert);
    Buf key = scratch_path(&scratch, "collector.key"), certificate = scratch_path(&scratch, "collector.crt");
    Err err = ERR_INIT;
    assert_ok(file_write_atomic(buf_cstr(&key), 0600, buf_slice(&cert.key_pem), &err), &err);
    assert_ok(file_write_atomic(buf_cstr(&certificate), 0644, buf_slice(&cert.certificate_pem), &err), &err);
    buf_done(&key);
    buf_done(&certificate);
    test_cert_done(&cert);
    test_ca_done(&ca);
}

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make_fast();
    push_server_script(&server, "[]");
    kept_log_begin();
    now = 1000 * USEC_PER_SEC;
    wall = clock_wall();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_fault_set(NULL, NULL);
    keeper = keeper_free(keeper);
    scratch_remove(&scratch);
    kept_log_end();
    return 0;
}

static void start(bool ours)
{
    Buf given = scratch_path(&server.scratch, "ca.crt"), ca = scratch_path(&scratch, "ca.crt");
    Buf authorities = scratch_read(buf_cstr(&given));
    scratch_write(buf_cstr(&ca), buf_slice(&authorities));
    Buf cert = scratch_path(&scratch, "collector.crt"), key = scratch_path(&scratch, "collector.key");
    const KeeperOptions options = {.api_url = server.url,
                                   .collector_id = "col-1",
                                   .state_dir = scratch.path,
                                   .token = "opaque",
                                   .ca_file = buf_cstr(&ca),
                                   .cert_file = buf_cstr(&cert),
                                   .key_file = buf_cstr(&key),
                                   .renew_certificate = ours,
                                   .verify = true};
    Err err = ERR_INIT;
    assert_ok(keeper_new(&keeper, &options, &err), &err);
    buf_done(&authorities);
    buf_done(&given);
    buf_done(&ca);
    buf_done(&cert);
    buf_done(&key);
}

/* Posts something with the keeper's client; the serial of the certificate that the server was shown. */
static void shown_serial(char ret[80])
{
    push_server_script(&server, "[]");
    char url[200];
    (void)snprintf(url, sizeof(url), "%s/api/v1/metrics/push", server.url);
    HttpAnswer answer = HTTP_ANSWER_INIT;
    Err err = ERR_INIT;
    const HttpClientRequest request = {.method = "POST", .url = url, .body = SLICE_LIT("{}")};
    assert_ok(http_client_send(keeper_http(keeper), &request, &answer, &err), &err);
    http_answer_done(&answer);
    yyjson_doc *log = push_server_wait(&server, 1);
    yyjson_val *first = yyjson_arr_get_first(yyjson_doc_get_root(log));
    const char *serial = yyjson_get_str(yyjson_obj_get(first, "serial"));
    (void)snprintf(ret, 80, "%s", serial ? serial : "none");
    yyjson_doc_free(log);
}

static void assert_shown(const char *expected)
{
    char serial[80];
    shown_serial(serial);
    assert_string_equal(serial, expected);
}

static size_t requests(void)
{
    yyjson_doc *log = push_server_wait(&server, 0);
    const size_t n = yyjson_arr_size(yyjson_doc_get_root(log));
    yyjson_doc_free(log);
    return n;
}

static void a_young_certificate_is_left_alone(void **state)
{
    (void)state;
    put_certificate("0a01", -10 * 86400, 90 * 86400);
    start(true);
    assert_int_equal(keeper_tend(keeper, now, wall), now + 60 * USEC_PER_SEC);
    assert_int_equal(requests(), 0);
    assert_true(logged_nothing());
}

static void it_wants_to_be_called_when_renewal_is_due(void **state)
{
    (void)state;
    put_certificate("0a01", -1, 59); /* due in 39 seconds */
    start(true);
    const Usec next = keeper_tend(keeper, now, wall);
    assert_in_range(next - now, 37 * USEC_PER_SEC, 40 * USEC_PER_SEC);
    assert_int_equal(requests(), 0);
}

static void due_is_renewed_and_shown_at_once(void **state)
{
    (void)state;
    put_certificate("0a01", -70 * 86400, 30 * 86400 + 60);
    start(true);
    assert_shown("0A01");
    (void)keeper_tend(keeper, now, wall);
    assert_shown("4D"); /* over a new connection: the old one would go on with the old certificate */
    assert_true(logged("certificate renewed"));
    assert_false(logged("PRIVATE"));
    assert_int_equal(keeper_stats(keeper)->certificates_renewed, 1);
    assert_in_range(keeper_stats(keeper)->certificate_not_after, wall, wall + 25 * HOUR);
    assert_in_range(keeper_stats(keeper)->certificate_due, wall + 15 * HOUR,
                    wall + 17 * HOUR); /* two thirds of a day */
    Buf renewed = scratch_path(&scratch, "renewed.pem");
    assert_false(file_exists(buf_cstr(&renewed)));
    buf_done(&renewed);
    (void)keeper_tend(keeper, now + 1, wall);
    assert_int_equal(keeper_stats(keeper)->files_replaced, 0); /* by nobody but itself */
}

static void the_next_one_is_asked_for_anew(void **state)
{
    (void)state;
    put_certificate("0a01", -70 * 86400, 30 * 86400 + 60);
    start(true);
    for (int i = 0; i < 2; i++) {
        (void)keeper_tend(keeper, now, wall);
        assert_int_equal(requests(), i + 1);
        assert_int_equal(keeper_stats(keeper)->certificates_renewed, i + 1);
        wall = keeper_stats(keeper)->certificate_due;
    }
}

static void fail_all_requests(void)
{
    Buf script = BUF_INIT;
    for (int i = 0; i < 40; i++)
        buf_printf(&script, "%s{\"status\":503,\"body\":\"\"}", i > 0 ? "," : "[");
    buf_append_char(&script, ']');
    push_server_script(&server, buf_cstr(&script));
    buf_done(&script);
}

static void pauses_begin_anew_behind_a_success(void **state)
{
    (void)state;
    put_certificate("0a01", -70 * 86400, 30 * 86400 + 60);
    start(true);
    fail_all_requests();
    for (int i = 0; i < 12; i++, now += HOUR)
        (void)keeper_tend(keeper, now, wall);
    push_server_script(&server, "[]");
    (void)keeper_tend(keeper, now, wall);
    assert_int_equal(keeper_stats(keeper)->certificates_renewed, 1);
    fail_all_requests();
    wall = keeper_stats(keeper)->certificate_due;
    assert_in_range(keeper_tend(keeper, now, wall) - now, USEC_PER_SEC / 2, 2 * USEC_PER_SEC);
}

static void the_nearer_the_end_the_more_often_it_is_tried(void **state)
{
    (void)state;
    put_certificate("0a01", -100, 20); /* a twentieth of what is left: a second */
    start(true);
    fail_all_requests();
    for (int i = 0; i < 12; i++) {
        const Usec next = keeper_tend(keeper, now, wall);
        assert_in_range(next - now, USEC_PER_SEC / 2, 2 * USEC_PER_SEC);
        now = next;
    }
    assert_int_equal(keeper_stats(keeper)->certificate_failures, 12);
}

static void one_that_has_ended_cannot_be_renewed(void **state)
{
    (void)state;
    put_certificate("0a01", -100, 60);
    start(true);
    (void)keeper_tend(keeper, now, wall + 61 * USEC_PER_SEC);
    assert_int_equal(requests(), 0);
    assert_true(logged("has ended"));
    assert_true(logged("register this collector again"));
}

static void it_never_asks_to_be_called_all_the_time(void **state)
{
    (void)state;
    put_certificate("0a01", -60, 60);
    start(true);
    wall = keeper_stats(keeper)->certificate_due - 1; /* in a microsecond */
    assert_int_equal(keeper_tend(keeper, now, wall), now + USEC_PER_SEC / 2);
}

static void failures_are_tried_again_later_and_later(void **state)
{
    (void)state;
    put_certificate("0a01", -70 * 86400, 31 * 86400);
    start(true);
    push_server_script(&server,
                       "[{\"status\":503,\"body\":\"\"},{\"status\":503,\"body\":\"\"},{\"status\":503,\"body\":"
                       "\"\"}]");
    const Usec first = keeper_tend(keeper, now, wall);
    assert_true(first > now);
    assert_int_equal(requests(), 1);
    (void)keeper_tend(keeper, now + 1, wall); /* too early */
    assert_int_equal(requests(), 1);
    now += HOUR; /* the longest pause */
    (void)keeper_tend(keeper, now, wall);
    assert_int_equal(requests(), 2);
    assert_int_equal(keeper_stats(keeper)->certificate_failures, 2);
    assert_true(logged("certificate could not be renewed"));
    assert_shown("0A01");
    now += HOUR;
    (void)keeper_tend(keeper, now, wall);
    assert_shown("4D");
}

static int fail_writes(void *arg, IoCall call)
{
    (void)arg;
    return call == IO_CALL_WRITE ? ENOSPC : 0;
}

static void what_cannot_be_written_is_not_asked_for_again(void **state)
{
    (void)state;
    put_certificate("0a01", -70 * 86400, 31 * 86400);
    start(true);
    io_fault_set(fail_writes, NULL);
    (void)keeper_tend(keeper, now, wall);
    now += 2 * HOUR;
    (void)keeper_tend(keeper, now, wall);
    assert_int_equal(requests(), 1);
    assert_shown("0A01"); /* one that could be lost is not used */
    io_fault_set(NULL, NULL);
    now += 2 * HOUR;
    (void)keeper_tend(keeper, now, wall);
    assert_shown("4D");
    assert_int_equal(keeper_stats(keeper)->certificates_renewed, 1);
}

static void warnings_come_once_at_each_step(void **state)
{
    (void)state;
    put_certificate("0a01", -80 * 86400, 40 * 86400);
    start(false); /* somebody else's: never renewed here */
    (void)keeper_tend(keeper, now, wall);
    assert_false(logged("ends soon"));
    (void)keeper_tend(keeper, now, wall + 11 * DAY);
    assert_true(logged("ends soon"));
    assert_true(logged("put a new certificate"));
    kept_log_clear();
    (void)keeper_tend(keeper, now, wall + 12 * DAY);
    assert_true(logged_nothing());
    (void)keeper_tend(keeper, now, wall + 34 * DAY);
    assert_true(logged("ends soon"));
    kept_log_clear();
    (void)keeper_tend(keeper, now, wall + 41 * DAY);
    assert_true(logged("has ended"));
    assert_int_equal(requests(), 0);
}

static void each_certificate_is_warned_of(void **state)
{
    (void)state;
    put_certificate("0a01", -80 * 86400, 5 * 86400);
    start(false);
    (void)keeper_tend(keeper, now, wall);
    put_certificate("0a02", -80 * 86400, 5 * 86400);
    (void)keeper_tend(keeper, now, wall);
    assert_int_equal(times_logged("ends soon"), 2);
}

static void files_that_were_replaced_are_taken_over(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(false);
    assert_shown("0A01");
    put_certificate("0a02", -86400, 90 * 86400);
    (void)keeper_tend(keeper, now, wall);
    assert_shown("0A02");
    assert_int_equal(keeper_stats(keeper)->files_replaced, 1);
}

/* Other authorities are trusted from then on: here none that the server has a certificate of. */
static void authorities_that_were_replaced_are_taken_over(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(false);
    Buf from = scratch_path(&server.scratch, "other.crt"), to = scratch_path(&scratch, "ca.crt");
    Buf other = scratch_read(buf_cstr(&from));
    scratch_write(buf_cstr(&to), buf_slice(&other));
    (void)keeper_tend(keeper, now, wall);
    assert_int_equal(keeper_stats(keeper)->files_replaced, 1);
    HttpAnswer answer = HTTP_ANSWER_INIT;
    Err err = ERR_INIT;
    const HttpClientRequest request = {.method = "GET", .url = server.url};
    assert_fails(http_client_send(keeper_http(keeper), &request, &answer, &err), &err, ERR_TLS, "certificate");
    http_answer_done(&answer);
    buf_done(&other);
    buf_done(&to);
    buf_done(&from);
}

static void half_a_pair_waits_for_its_other_half(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(false);
    assert_shown("0A01");
    Buf key = scratch_path(&scratch, "collector.key");
    Buf before = scratch_read(buf_cstr(&key));
    put_certificate("0a02", -86400, 90 * 86400);
    Buf after = scratch_read(buf_cstr(&key));
    scratch_write(buf_cstr(&key), buf_slice(&before));
    (void)keeper_tend(keeper, now, wall);
    assert_true(logged("the one before stays in use"));
    assert_shown("0A01"); /* over the connection that is open */
    scratch_write(buf_cstr(&key), buf_slice(&after));
    (void)keeper_tend(keeper, now, wall);
    assert_shown("0A02");
    buf_done(&after);
    buf_done(&before);
    buf_done(&key);
}

static void a_token_that_lasts_longer_is_taken_over(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(true);
    Buf path = scratch_path(&scratch, "token");
    scratch_write(buf_cstr(&path), SLICE_LIT("e30.eyJleHAiOjk5OTk5OTk5OTl9.x\n")); /* {"exp":9999999999} */
    (void)keeper_tend(keeper, now, wall);
    assert_string_equal(keeper_token(keeper), "e30.eyJleHAiOjk5OTk5OTk5OTl9.x");
    scratch_write(buf_cstr(&path), SLICE_LIT("e30.eyJleHAiOjE4MDAwMDAwMDB9.x")); /* ends earlier */
    (void)keeper_tend(keeper, now, wall);
    assert_string_equal(keeper_token(keeper), "e30.eyJleHAiOjk5OTk5OTk5OTl9.x");
    buf_done(&path);
}

static void a_token_that_lasts_as_long_is_not_taken_over(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(true);
    Buf path = scratch_path(&scratch, "token");
    scratch_write(buf_cstr(&path), SLICE_LIT("opaque, too")); /* of neither the end is known */
    (void)keeper_tend(keeper, now, wall);
    assert_string_equal(keeper_token(keeper), "opaque");
    buf_done(&path);
}

static void only_a_good_answer_brings_a_token(void **state)
{
    (void)state;
    put_certificate("0a01", -86400, 90 * 86400);
    start(true);
    push_server_script(&server, "[{\"status\":403,\"body\":{\"token\":\"another\"}}]");
    assert_false(keeper_renew_token(keeper));
    assert_string_equal(keeper_token(keeper), "opaque");
    assert_int_equal(keeper_stats(keeper)->token_failures, 1);
    assert_true(logged("token could not be renewed"));
    assert_true(keeper_renew_token(keeper));
    assert_string_not_equal(keeper_token(keeper), "opaque");
    assert_int_equal(keeper_stats(keeper)->tokens_renewed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_young_certificate_is_left_alone),
        LINK_TEST(it_wants_to_be_called_when_renewal_is_due),
        LINK_TEST(due_is_renewed_and_shown_at_once),
        LINK_TEST(the_next_one_is_asked_for_anew),
        LINK_TEST(pauses_begin_anew_behind_a_success),
        LINK_TEST(the_nearer_the_end_the_more_often_it_is_tried),
        LINK_TEST(one_that_has_ended_cannot_be_renewed),
        LINK_TEST(it_never_asks_to_be_called_all_the_time),
        LINK_TEST(failures_are_tried_again_later_and_later),
        LINK_TEST(what_cannot_be_written_is_not_asked_for_again),
        LINK_TEST(warnings_come_once_at_each_step),
        LINK_TEST(each_certificate_is_warned_of),
        LINK_TEST(files_that_were_replaced_are_taken_over),
        LINK_TEST(authorities_that_were_replaced_are_taken_over),
        LINK_TEST(half_a_pair_waits_for_its_other_half),
        LINK_TEST(a_token_that_lasts_longer_is_taken_over),
        LINK_TEST(a_token_that_lasts_as_long_is_not_taken_over),
        LINK_TEST(only_a_good_answer_brings_a_token),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
