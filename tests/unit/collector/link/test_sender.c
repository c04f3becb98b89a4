/* SPDX-License-Identifier: PostgreSQL */
/* The sender against a real HTTPS server (tests/support/push_server.py) that answers as the test's script says. */
#include "tests/support/unit.h"

#include <sodium.h>

#include "collector/link/sender.h"
#include "lib/io/file.h"
#include "tests/support/kept_log.h"
#include "tests/unit/collector/link/link_fixture.h"

enum { SPOOLS = 2, PUSHES_MAX = 100 };

/* --- world ------------------------------------------------------------------------------------------------------ */

typedef struct World {
    Scratch scratch;
    Spool *spools[SPOOLS];
    Sender *sender;
    char *token;
    char *url;      /* NULL: the server's */
    const char *ca; /* name in the server's scratch */
    bool with_certificate;
} World;

static World w;

/* A JWT that ends in @lifetime seconds. */
static char *make_token(int64_t lifetime)
{
    Buf claims = BUF_INIT;
    buf_printf(&claims, "{\"sub\":\"c\",\"exp\":%" PRId64 "}", clock_wall() / USEC_PER_SEC + lifetime);
    char encoded[200];
    sodium_bin2base64(encoded, sizeof(encoded), (const unsigned char *)claims.ptr, claims.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    buf_clear(&claims);
    buf_printf(&claims, "e30.%s.signature", encoded);
    return buf_take(&claims);
}

static int setup(void **state)
{
    (void)state;
    w = (World){.scratch = scratch_make_fast(), .token = make_token(86400 * 365), .ca = "ca.crt"};
    for (size_t i = 0; i < SPOOLS; i++) {
        char path[300];
        (void)snprintf(path, sizeof(path), "%s/spool%zu", w.scratch.path, i);
        Err err = ERR_INIT;
        assert_ok(spool_open(&w.spools[i], &(SpoolOptions){.directory = path}, &err), &err);
    }
    push_server_script(&server, "[]");
    kept_log_begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sender_stop(w.sender, 0);
    for (size_t i = 0; i < SPOOLS; i++)
        spool_close(w.spools[i]);
    free(w.token);
    scratch_remove(&w.scratch);
    kept_log_end();
    return 0;
}

/* Appends a batch as the collector makes them, in @encoding; @filler makes it larger. */
static void append(size_t spool, WireEncoding encoding, size_t filler)
{
    Err err = ERR_INIT;
    uint64_t sequence;
    assert_ok(spool_prepare(w.spools[spool], &sequence, &err), &err);
    Buf text = BUF_INIT;
    buf_printf(&text, "{\"collector_id\":\"c\",\"spool\":\"%s\",\"sequence\":%" PRIu64 ",\"metrics\":[],\"filler\":\"",
               spool_id(w.spools[spool]), sequence);
    for (size_t i = 0; i < filler; i++)
        buf_append_char(&text, (char)('a' + i % 26));
    buf_append_cstr(&text, "\"}");
    Buf packed = BUF_INIT;
    if (encoding == WIRE_IDENTITY)
        buf_append(&packed, buf_slice(&text));
    else
        assert_ok(wire_compress(encoding, buf_slice(&text), &packed, &err), &err);
    assert_ok(spool_append(w.spools[spool], encoding, buf_slice(&packed), clock_wall(), &err), &err);
    buf_done(&packed);
    buf_done(&text);
}

static void start(size_t spools)
{
    Buf ca = scratch_path(&server.scratch, w.ca);
    Buf cert = scratch_path(&server.scratch, "client.crt");
    Buf key = scratch_path(&server.scratch, "client.key");
    const SenderOptions options = {
        .api_url = w.url ? w.url : server.url,
        .ca_file = buf_cstr(&ca),
        .cert_file = w.with_certificate ? buf_cstr(&cert) : NULL,
        .key_file = w.with_certificate ? buf_cstr(&key) : NULL,
        .verify = true,
        .state_dir = w.scratch.path,
        .token = w.token,
        .collector_id = "c",
        .backoff_base = 2 * USEC_PER_MSEC,
        .backoff_cap = 20 * USEC_PER_MSEC,
    };
    Err err = ERR_INIT;
    assert_ok(sender_start(&w.sender, &options, w.spools, spools, &err), &err);
    buf_done(&ca);
    buf_done(&cert);
    buf_done(&key);
}

typedef struct StatsCopy {
    uint64_t sent, sent_bytes, duplicates, refused, failures;
    int64_t skew, config_version, last_success;
} StatsCopy;

/* Lets the sender finish what is there; its statistics. */
static StatsCopy finish(void)
{
    const SenderStats *s = sender_stats(w.sender);
    /* The thread ends when nothing is left; what it did until then is read before the sender is freed. */
    StatsCopy copy;
    for (;;) {
        copy = (StatsCopy){.sent = s->sent_batches,
                           .sent_bytes = s->sent_bytes,
                           .duplicates = s->duplicate_batches,
                           .refused = s->refused_batches,
                           .failures = s->failures,
                           .skew = s->clock_skew_usec,
                           .config_version = s->config_version,
                           .last_success = s->last_success};
        SpoolStats left[SPOOLS];
        uint64_t waiting = 0;
        for (size_t i = 0; i < SPOOLS; i++) {
            spool_stats(w.spools[i], &left[i]);
            waiting += left[i].batches;
        }
        if (waiting == 0 && copy.last_success != 0)
            break;
        (void)sched_yield(); /* bounded by the test's own time limit */
    }
    w.sender = sender_stop(w.sender, 10 * USEC_PER_SEC);
    return copy;
}

static uint64_t waiting(size_t spool)
{
    SpoolStats stats;
    spool_stats(w.spools[spool], &stats);
    return stats.batches;
}

/* Member @name of log entry @index; of its batch when the name begins with '.'. */
static yyjson_val *entry(yyjson_doc *log, size_t index, const char *name)
{
    yyjson_val *e = yyjson_arr_get(yyjson_doc_get_root(log), index);
    if (name[0] == '.')
        return yyjson_obj_get(yyjson_obj_get(e, "batch"), name + 1);
    return yyjson_obj_get(e, name);
}

static void assert_entry(yyjson_doc *log, size_t index, const char *name, const char *expected)
{
    assert_string_equal(yyjson_get_str(entry(log, index, name)), expected);
}

static void assert_sequences(yyjson_doc *log, const char *expected)
{
    Buf found = BUF_INIT;
    for (size_t i = 0; i < yyjson_arr_size(yyjson_doc_get_root(log)); i++) {
        yyjson_val *sequence = entry(log, i, ".sequence");
        if (sequence)
            buf_append_int64(&found, yyjson_get_sint(sequence));
        else
            buf_append_char(&found, '-');
    }
    assert_string_equal(buf_cstr(&found), expected);
    buf_done(&found);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void sends_in_order_over_one_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++)
        append(0, WIRE_GZIP, 10);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 4);
    const StatsCopy stats = finish();
    assert_sequences(log, "1234");
    for (size_t i = 0; i < 4; i++) {
        assert_entry(log, i, "path", "/api/v1/metrics/push");
        assert_entry(log, i, "encoding", "gzip");
        assert_entry(log, i, "type", "application/json");
        assert_true(
            slice_starts_with(slice_cstr(yyjson_get_str(entry(log, i, "authorization"))), SLICE_LIT("Bearer e30.")));
        assert_int_equal(yyjson_get_sint(entry(log, i, "connection")), yyjson_get_sint(entry(log, 0, "connection")));
    }
    assert_int_equal(stats.sent, 4);
    assert_true(stats.sent_bytes > 4 * 50);
    assert_int_equal(stats.failures + stats.refused + stats.duplicates, 0);
    assert_int_equal(stats.config_version, 7);
    yyjson_doc_free(log);
}

static void wakes_for_a_batch_that_comes_later(void **state)
{
    (void)state;
    append(0, WIRE_IDENTITY, 0);
    start(1);
    yyjson_doc_free(push_server_wait(&server, 1));
    append(0, WIRE_IDENTITY, 0);
    sender_wake(w.sender);
    yyjson_doc *log = push_server_wait(&server, 2);
    (void)finish();
    assert_sequences(log, "12");
    assert_entry(log, 0, "encoding", "");
    yyjson_doc_free(log);
}

static void takes_spools_in_turn(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        append(0, WIRE_GZIP, 0);
    for (size_t i = 0; i < 3; i++)
        append(1, WIRE_GZIP, 0);
    start(2);
    yyjson_doc *log = push_server_wait(&server, 6);
    (void)finish();
    assert_sequences(log, "112233");
    yyjson_doc_free(log);
}

static void shows_its_certificate(void **state)
{
    (void)state;
    w.with_certificate = true;
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 1);
    (void)finish();
    assert_true(yyjson_get_bool(entry(log, 0, "certificate")));
    yyjson_doc_free(log);
}

/* Each of these is answered once in that way, and must neither lose nor reorder anything. */
static const struct {
    const char *name;
    const char *step;
    bool everybody; /* the other spool waits too */
} passing[] = {
    {"internal error", "{\"status\":500,\"body\":{\"error\":{\"code\":\"internal\",\"message\":\"x\"}}}", false},
    {"request timeout", "{\"status\":408,\"body\":{\"error\":{\"code\":\"timeout\",\"message\":\"x\"}}}", false},
    {"queue full", "{\"status\":429,\"body\":{\"error\":{\"code\":\"too_many_requests\",\"message\":\"x\"}}}", true},
    {"part missing", "{\"status\":503,\"body\":{\"error\":{\"code\":\"unavailable\",\"message\":\"x\"}}}", true},
    {"bad gateway", "{\"status\":502,\"body\":\"<html>\"}", true},
    {"route unknown", "{\"status\":404,\"body\":\"<html>\"}", true},
    {"certificate revoked",
     "{\"status\":403,\"body\":{\"error\":{\"code\":\"certificate_invalid\",\"message\":\"x\"}}}", true},
    {"no certificate", "{\"status\":401,\"body\":{\"error\":{\"code\":\"certificate_required\",\"message\":\"x\"}}}",
     true},
    {"refused by a proxy", "{\"status\":413,\"body\":\"<html>413 Request Entity Too Large</html>\"}", false},
    {"malformed, says a proxy", "{\"status\":400,\"body\":{\"error\":\"bad request\"}}", false},
    {"framing spoilt on the way",
     "{\"status\":400,\"body\":{\"error\":{\"code\":\"framing_invalid\",\"message\":\"x\"}}}", false},
    {"login page of a network", "{\"status\":200,\"body\":\"<html>please log in</html>\"}", true},
    {"JSON of somebody else", "{\"status\":200,\"body\":{\"status\":\"ok\"}}", true},
    {"empty success", "{\"status\":204,\"body\":\"\"}", true},
    {"redirect", "{\"status\":302,\"body\":\"\",\"headers\":{\"Location\":\"/elsewhere\"}}", false},
    {"cut off", "{\"action\":\"cut\"}", true},
};

static void failures_that_pass_lose_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(passing); i++) {
        if (i > 0) {
            (void)teardown(NULL);
            (void)setup(NULL);
        }
        char steps[400];
        (void)snprintf(steps, sizeof(steps), "[%s,%s]", passing[i].step, passing[i].step);
        push_server_script(&server, passing[i].everybody ? steps : "[]");
        if (!passing[i].everybody) {
            (void)snprintf(steps, sizeof(steps), "[%s]", passing[i].step);
            push_server_script(&server, steps);
        }
        for (size_t j = 0; j < 2; j++)
            append(0, WIRE_GZIP, 0);
        start(1);
        yyjson_doc *log = push_server_wait(&server, passing[i].everybody ? 4 : 3);
        const StatsCopy stats = finish();
        if (stats.failures != (passing[i].everybody ? 2 : 1) || stats.sent != 2 || stats.refused != 0)
            fail_msg("%s: %d failures, %d sent, %d refused", passing[i].name, (int)stats.failures, (int)stats.sent,
                     (int)stats.refused);
        assert_sequences(log, passing[i].everybody ? "1112" : "112");
        assert_true(logged("sending works again"));
        yyjson_doc_free(log);
    }
}

static void one_poisoned_batch_does_not_hold_up_other_servers(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":500,\"body\":{\"error\":{\"code\":\"internal\",\"message\":\"x\"}}}]");
    append(0, WIRE_GZIP, 0);
    append(1, WIRE_GZIP, 0);
    start(2);
    yyjson_doc *log = push_server_wait(&server, 3);
    (void)finish();
    assert_string_equal(yyjson_get_str(entry(log, 0, ".spool")), spool_id(w.spools[0]));
    assert_string_equal(yyjson_get_str(entry(log, 1, ".spool")), spool_id(w.spools[1])); /* at once */
    assert_string_equal(yyjson_get_str(entry(log, 2, ".spool")), spool_id(w.spools[0]));
    yyjson_doc_free(log);
}

static void obeys_retry_after(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":429,\"headers\":{\"Retry-After\":\"1\"},"
                                "\"body\":{\"error\":{\"code\":\"too_many_requests\",\"message\":\"x\"}}}]");
    append(0, WIRE_GZIP, 0);
    append(1, WIRE_GZIP, 0);
    start(2);
    yyjson_doc *log = push_server_wait(&server, 3);
    (void)finish();
    const int64_t first = yyjson_get_sint(entry(log, 0, "at_ms"));
    const int64_t second = yyjson_get_sint(entry(log, 1, "at_ms"));
    assert_true(second - first >= 950); /* two clocks' rounding */
    assert_true(second - first < 40000);
    yyjson_doc_free(log);
}

static void refused_for_good_is_given_up_and_counted(void **state)
{
    (void)state;
    push_server_script(&server,
                       "[{\"status\":400,\"body\":{\"error\":{\"code\":\"body_invalid\","
                       "\"message\":\"frames[2]: wrong type\",\"hint\":\"mend it\"}}},"
                       "{\"status\":413,\"body\":{\"error\":{\"code\":\"too_large\",\"message\":\"too large\"}}},"
                       "{\"status\":422,\"body\":{\"error\":{\"code\":\"unprocessable\",\"message\":\"no\"}}}]");
    for (size_t i = 0; i < 4; i++)
        append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 4);
    const StatsCopy stats = finish();
    assert_sequences(log, "1234");
    assert_int_equal(stats.refused, 3);
    assert_int_equal(stats.sent, 1);
    assert_true(logged("frames[2]: wrong type"));
    assert_true(logged("mend it"));
    yyjson_doc_free(log);
}

static void other_encodings_are_tried(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":415,\"body\":\"\"},{\"status\":415,\"body\":\"\"}]");
    append(0, WIRE_ZSTD, 5000);
    append(0, WIRE_ZSTD, 5000);
    append(0, WIRE_GZIP, 5000);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 5);
    const StatsCopy stats = finish();
    assert_entry(log, 0, "encoding", "zstd");
    assert_entry(log, 1, "encoding", "gzip");
    assert_entry(log, 2, "encoding", "");
    assert_entry(log, 4, "encoding", ""); /* remembered */
    assert_sequences(log, "-1123");
    assert_int_equal(yyjson_get_len(entry(log, 1, ".filler")), 5000);
    assert_int_equal(yyjson_get_len(entry(log, 2, ".filler")), 5000);
    assert_int_equal(stats.failures, 0);
    yyjson_doc_free(log);
}

static void batch_that_cannot_be_reencoded_is_given_up(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":415,\"body\":\"\"}]");
    Err err = ERR_INIT;
    assert_ok(spool_append(w.spools[0], WIRE_ZSTD, SLICE_LIT("not zstd at all"), 0, &err), &err);
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 2);
    const StatsCopy stats = finish();
    assert_sequences(log, "-2");
    assert_int_equal(stats.refused, 1);
    yyjson_doc_free(log);
}

#define EXPIRED                                                                                                        \
    "{\"status\":401,\"body\":{\"error\":{\"code\":\"token_expired\",\"message\":\"the token has expired\"}}}"

static void expired_token_is_renewed_once(void **state)
{
    (void)state;
    push_server_script(&server, "[" EXPIRED "]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 3);
    const StatsCopy stats = finish();
    assert_entry(log, 1, "path", "/api/v1/collectors/refresh-token");
    assert_entry(log, 1, ".collector_id", "c");
    assert_string_equal(yyjson_get_str(entry(log, 1, "authorization")), yyjson_get_str(entry(log, 0, "authorization")));
    assert_string_not_equal(yyjson_get_str(entry(log, 2, "authorization")),
                            yyjson_get_str(entry(log, 0, "authorization")));
    assert_int_equal(stats.failures, 0);

    Buf path = scratch_path(&w.scratch, "token");
    Buf written = scratch_read(buf_cstr(&path));
    assert_string_equal(yyjson_get_str(entry(log, 2, "authorization")) + strlen("Bearer "), buf_cstr(&written));
    struct stat status;
    assert_int_equal(stat(buf_cstr(&path), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(logged(buf_cstr(&written)));
    buf_done(&written);
    buf_done(&path);
    yyjson_doc_free(log);
}

static void token_that_cannot_be_renewed_keeps_the_batches(void **state)
{
    (void)state;
    push_server_script(&server, "[" EXPIRED "," EXPIRED "," EXPIRED "," EXPIRED "]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 5);
    const StatsCopy stats = finish();
    assert_sequences(log, "1-111"); /* one renewal for the whole failure */
    assert_int_equal(stats.failures, 3);
    assert_true(logged("register this collector again"));
    yyjson_doc_free(log);
}

static void renewed_token_that_is_refused_too_does_not_spin(void **state)
{
    (void)state;
    push_server_script(&server,
                       "[" EXPIRED ",{\"status\":200,\"body\":{\"token\":\"a.b.c\",\"expires_at\":\"x\"}}," EXPIRED
                       "," EXPIRED "]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 5);
    (void)finish();
    assert_sequences(log, "1-111");
    assert_entry(log, 2, "authorization", "Bearer a.b.c");
    yyjson_doc_free(log);
}

static void token_near_its_end_is_renewed_before(void **state)
{
    (void)state;
    free(w.token);
    w.token = make_token(86400 * 29);
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 2);
    (void)finish();
    assert_entry(log, 0, "path", "/api/v1/collectors/refresh-token");
    assert_entry(log, 1, "path", "/api/v1/metrics/push");
    assert_true(logged("token renewed"));
    yyjson_doc_free(log);
}

static void token_near_its_end_goes_on_when_renewal_fails(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":503,\"body\":\"\"}]");
    free(w.token);
    w.token = make_token(86400);
    append(0, WIRE_GZIP, 0);
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 3);
    const StatsCopy stats = finish();
    assert_sequences(log, "-12"); /* not asked for again with each batch */
    assert_int_equal(stats.failures, 0);
    yyjson_doc_free(log);
}

static void renewed_token_that_cannot_be_written_is_used_all_the_same(void **state)
{
    (void)state;
    Buf path = scratch_path(&w.scratch, "token");
    assert_int_equal(mkdir(buf_cstr(&path), 0700), 0); /* in the way of the file */
    buf_done(&path);
    push_server_script(&server, "[" EXPIRED "]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc *log = push_server_wait(&server, 3);
    (void)finish();
    assert_string_not_equal(yyjson_get_str(entry(log, 2, "authorization")),
                            yyjson_get_str(entry(log, 0, "authorization")));
    assert_true(logged("could not be written"));
    yyjson_doc_free(log);
}

static void answers_without_a_token_keep_the_old_one(void **state)
{
    (void)state;
    static const char *const answers[] = {"\"<html>\"", "{}", "{\"token\":\"\"}", "{\"token\":7}", "[1]"};
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        if (i > 0) {
            (void)teardown(NULL);
            (void)setup(NULL);
        }
        char steps[400];
        (void)snprintf(steps, sizeof(steps), "[" EXPIRED ",{\"status\":200,\"body\":%s}]", answers[i]);
        push_server_script(&server, steps);
        append(0, WIRE_GZIP, 0);
        start(1);
        yyjson_doc *log = push_server_wait(&server, 3);
        const StatsCopy stats = finish();
        assert_int_equal(stats.failures, 1);
        assert_string_equal(yyjson_get_str(entry(log, 2, "authorization")),
                            yyjson_get_str(entry(log, 0, "authorization")));
        assert_true(logged("the answer has no token"));
        yyjson_doc_free(log);
    }
}

static void duplicates_are_counted(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"action\":\"cut\"}]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc_free(push_server_wait(&server, 2));
    (void)finish();

    /* The same spool from an older copy: its numbers were given before. */
    push_server_script(&server, "[{\"status\":200,\"body\":{\"accepted\":{\"rows\":0,\"values\":0},\"duplicate\":true,"
                                "\"rejected\":[],\"config_version\":1}},"
                                "{\"status\":200,\"body\":{\"accepted\":{\"rows\":0,\"values\":0},\"duplicate\":true,"
                                "\"rejected\":[],\"config_version\":1}},"
                                "{\"status\":200,\"body\":{\"accepted\":{\"rows\":0,\"values\":0},\"duplicate\":true,"
                                "\"rejected\":[],\"config_version\":1}}]");
    start(1);
    for (size_t i = 0; i < 3; i++)
        append(0, WIRE_GZIP, 0);
    sender_wake(w.sender);
    yyjson_doc_free(push_server_wait(&server, 3));
    const StatsCopy stats = finish();
    assert_int_equal(stats.duplicates, 3);
    assert_true(logged("put back from an older copy"));
}

static void parts_left_out_are_logged(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"status\":200,\"body\":{\"accepted\":{\"rows\":0,\"values\":0},\"duplicate\":false,"
                                "\"rejected\":[{\"family\":\"pg_x\",\"reason\":\"unknown family\",\"rows\":3}],"
                                "\"config_version\":1}}]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc_free(push_server_wait(&server, 1));
    (void)finish();
    assert_true(logged("pg_x"));
    assert_true(logged("unknown family"));
}

static void stops_in_the_middle_of_a_request(void **state)
{
    (void)state;
    push_server_script(&server, "[{\"action\":\"hang\"}]");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc_free(push_server_wait(&server, 1));
    const Usec before = clock_monotonic();
    w.sender = sender_stop(w.sender, 20 * USEC_PER_MSEC);
    assert_true(clock_monotonic() - before < 40 * USEC_PER_SEC); /* the request's own deadline is a minute */
    assert_int_equal(waiting(0), 1);
}

static void stop_sends_what_is_there(void **state)
{
    (void)state;
    start(1);
    for (size_t i = 0; i < 20; i++)
        append(0, WIRE_GZIP, 0);
    w.sender = sender_stop(w.sender, 20 * USEC_PER_SEC);
    assert_int_equal(waiting(0), 0);
}

static void untrusted_backend_gets_nothing(void **state)
{
    (void)state;
    w.ca = "other.crt";
    append(0, WIRE_GZIP, 0);
    start(1);
    while (!logged("batches cannot be sent")) /* bounded by the test's own time limit */
        (void)sched_yield();
    w.sender = sender_stop(w.sender, 0);
    assert_true(logged("tls_failed"));
    assert_int_equal(waiting(0), 1);
}

static void backend_that_is_away_is_told_but_not_each_time(void **state)
{
    (void)state;
    char url[] = "https://127.0.0.1:1"; /* nobody listens on tcpmux */
    w.url = url;
    append(0, WIRE_GZIP, 0);
    start(1);
    while (sender_stats(w.sender)->failures < 5)
        (void)sched_yield();
    w.sender = sender_stop(w.sender, 0);
    assert_int_equal(waiting(0), 1);
    /* Once; on a machine so slow that the first pause of ten seconds ends meanwhile, twice. */
    assert_in_range(times_logged("batches cannot be sent"), 1, 2);
}

static void measures_the_clocks_difference(void **state)
{
    (void)state;
    PushServer usual = server;
    server = push_server_start("DATE_OFFSET=3600");
    append(0, WIRE_GZIP, 0);
    start(1);
    yyjson_doc_free(push_server_wait(&server, 1));
    const StatsCopy stats = finish();
    assert_in_range(stats.skew, 3540 * USEC_PER_SEC, 3660 * USEC_PER_SEC);
    push_server_stop(&server);
    server = usual;
}

static void unusable_files_fail_the_start(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    const SenderOptions options = {
        .api_url = server.url, .ca_file = "/nonexistent/ca.crt", .verify = true, .token = "t", .collector_id = "c"};
    assert_fails(sender_start(&w.sender, &options, w.spools, 1, &err), &err, ERR_TLS, "/nonexistent/ca.crt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(sends_in_order_over_one_connection),
        LINK_TEST(wakes_for_a_batch_that_comes_later),
        LINK_TEST(takes_spools_in_turn),
        LINK_TEST(shows_its_certificate),
        LINK_TEST(failures_that_pass_lose_nothing),
        LINK_TEST(one_poisoned_batch_does_not_hold_up_other_servers),
        LINK_TEST(obeys_retry_after),
        LINK_TEST(refused_for_good_is_given_up_and_counted),
        LINK_TEST(other_encodings_are_tried),
        LINK_TEST(batch_that_cannot_be_reencoded_is_given_up),
        LINK_TEST(expired_token_is_renewed_once),
        LINK_TEST(token_that_cannot_be_renewed_keeps_the_batches),
        LINK_TEST(renewed_token_that_is_refused_too_does_not_spin),
        LINK_TEST(token_near_its_end_is_renewed_before),
        LINK_TEST(token_near_its_end_goes_on_when_renewal_fails),
        LINK_TEST(renewed_token_that_cannot_be_written_is_used_all_the_same),
        LINK_TEST(answers_without_a_token_keep_the_old_one),
        LINK_TEST(duplicates_are_counted),
        LINK_TEST(parts_left_out_are_logged),
        LINK_TEST(stops_in_the_middle_of_a_request),
        LINK_TEST(stop_sends_what_is_there),
        LINK_TEST(untrusted_backend_gets_nothing),
        LINK_TEST(backend_that_is_away_is_told_but_not_each_time),
        LINK_TEST(measures_the_clocks_difference),
        LINK_TEST(unusable_files_fail_the_start),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
