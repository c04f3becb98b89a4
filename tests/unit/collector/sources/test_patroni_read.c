/* SPDX-License-Identifier: PostgreSQL */
/* Answers of a real Patroni 3.0.2, and of the documented form of 4.x. */
#include "collector/sources/patroni_read.h"

#include "tests/unit/collector/sources/sources_fixture.h"

static const char *const NAMES[] = {"patroni_state", "patroni_member", "patroni_cluster", NULL};

static yyjson_doc *parse(const char *file)
{
    yyjson_doc *doc = NULL;
    Err err = ERR_INIT;
    if (file)
        assert_ok(patroni_parse(corpus(file), &doc, &err), &err);
    return doc;
}

/* Leaves the first of the three readings for cell(). */
static void fill(const char *node, const char *cluster, const char *history)
{
    PatroniAnswers a = {.node = parse(node), .cluster = parse(cluster), .history = parse(history)};
    Err err = ERR_INIT;
    assert_ok(patroni_check(&a, &err), &err);
    begin(NAMES);
    patroni_fill_node(source_families_add(fixture.families, PATRONI_STATE, "p", ""), &a);
    patroni_fill_members(fixture.families, "p", &a);
    patroni_fill_cluster(fixture.families, "p", &a);
    end(true);
    patroni_answers_done(&a);
    (void)next_reading();
}

static void a_real_node_of_version_3(void **state)
{
    (void)state;
    fill("patroni/node_3", "patroni/cluster_3", "patroni/history_none");
    assert_cell(0, "version", "3.0.2");
    assert_cell(0, "scope", "testing");
    assert_cell(0, "role", "master");
    assert_cell(0, "server_state", "running");
    assert_cell(0, "server_version", "150018");
    assert_cell(0, "timeline", "1");
    assert_cell(0, "wal_position", "22024864");
    assert_cell(0, "received_position", "null");
    assert_cell(0, "replay_paused", "null");
    assert_cell(0, "pending_restart", "0");
    assert_cell(0, "dcs_last_seen", "1795257853.0");
    assert_cell(0, "postmaster_start_time", "1795257853.0");
    (void)next_reading();
    assert_int_equal(fixture.reading->row_count, 1);
    assert_cell(0, "member", "node1");
    assert_cell(0, "role", "leader");
    assert_cell(0, "leader", "1");
    assert_cell(0, "running", "1");
    assert_cell(0, "lag", "null");
    assert_cell(0, "tags", "{\"where\":\"here\"}");
    (void)next_reading();
    assert_cell(0, "leader", "node1");
    assert_cell(0, "has_leader", "1");
    assert_cell(0, "members", "1");
    assert_cell(0, "paused", "0");
    assert_cell(0, "max_lag", "null");
    assert_cell(0, "failovers", "0");
    assert_cell(0, "last_failover_time", "null");
}

static void a_cluster_of_version_4(void **state)
{
    (void)state;
    fill("patroni/node_4_replica", "patroni/cluster_4", "patroni/history");
    assert_cell(0, "role", "replica");
    assert_cell(0, "wal_position", "67419500");
    assert_cell(0, "received_position", "67419584");
    assert_cell(0, "replay_paused", "1");
    assert_cell(0, "pending_restart", "1");
    assert_cell(0, "cluster_unlocked", "1");
    assert_cell(0, "paused", "1");
    (void)next_reading();
    assert_int_equal(fixture.reading->row_count, 4);
    assert_cell(1, "role", "sync_standby");
    assert_cell(1, "pending_restart", "1");
    assert_cell(1, "replay_lag", "16");
    assert_cell(1, "running", "1");
    assert_cell(2, "running", "0");
    assert_cell(2, "lag", "null"); /* "unknown" */
    assert_cell(3, "lag", "5000");
    assert_cell(3, "timeline", "6");
    assert_cell(3, "host", "null");
    (void)next_reading();
    assert_cell(0, "leader", "a");
    assert_cell(0, "members", "4");
    assert_cell(0, "running_members", "3");
    assert_cell(0, "sync_standbys", "1");
    assert_cell(0, "max_lag", "5000");
    assert_cell(0, "paused", "1");
    assert_cell(0, "scheduled_switchover", "1");
    assert_cell(0, "timeline", "7");
    assert_cell(0, "failovers", "2");
    assert_cell(0, "last_failover_time", "1793577600.0");
    assert_cell(0, "last_failover_reason", "no recovery target specified");
}

static void a_cluster_without_leader_and_history(void **state)
{
    (void)state;
    PatroniAnswers a = {.node = NULL};
    Err err = ERR_INIT;
    assert_ok(
        patroni_parse(SLICE_LIT("{\"members\": [{\"name\": \"a\", \"role\": \"replica\"}, {\"role\": \"x\"}, 5]}"),
                      &a.cluster, &err),
        &err);
    begin(NAMES);
    patroni_fill_members(fixture.families, "p", &a);
    patroni_fill_cluster(fixture.families, "p", &a);
    end(true);
    patroni_answers_done(&a);
    (void)next_reading();
    assert_int_equal(next_reading()->row_count, 1); /* who has no name is nobody */
    (void)next_reading();
    assert_cell(0, "has_leader", "0");
    assert_cell(0, "leader", "null");
    assert_cell(0, "failovers", "null");
}

static void answers_of_another_form_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *node, *cluster, *history, *reason;
    } cases[] = {
        {"[]", NULL, NULL, "GET /patroni is no object"},
        {NULL, "{}", NULL, "GET /cluster has no list of members"},
        {NULL, "{\"members\": {}}", NULL, "GET /cluster has no list of members"},
        {NULL, NULL, "{}", "GET /history is no list"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        PatroniAnswers a = {.node = NULL};
        const char *texts[] = {cases[i].node, cases[i].cluster, cases[i].history};
        yyjson_doc **docs[] = {&a.node, &a.cluster, &a.history};
        Err err = ERR_INIT;
        for (size_t j = 0; j < ARRAY_LENGTH(texts); j++) {
            if (texts[j])
                assert_ok(patroni_parse(slice_cstr(texts[j]), docs[j], &err), &err);
        }
        assert_fails(patroni_check(&a, &err), &err, ERR_UNPROCESSABLE, cases[i].reason);
        patroni_answers_done(&a);
    }
    yyjson_doc *doc = NULL;
    Err err = ERR_INIT;
    assert_fails(patroni_parse(SLICE_LIT("<html>"), &doc, &err), &err, ERR_SYNTAX, "");
    assert_fails(patroni_parse(SLICE_LIT("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"), &doc, &err), &err, ERR_TOO_LARGE,
                 "");
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_append_cstr(&text, "{\"members\": [0");
    for (size_t i = 0; i < PATRONI_MEMBERS_MAX; i++)
        buf_append_cstr(&text, ",0");
    buf_append_cstr(&text, "]}");
    PatroniAnswers a = {.node = NULL};
    Err err = ERR_INIT;
    assert_ok(patroni_parse(buf_slice(&text), &a.cluster, &err), &err);
    assert_fails(patroni_check(&a, &err), &err, ERR_TOO_LARGE, "1001 members");
    patroni_answers_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(a_real_node_of_version_3),
        SOURCES_TEST(a_cluster_of_version_4),
        SOURCES_TEST(a_cluster_without_leader_and_history),
        SOURCES_TEST(answers_of_another_form_are_refused),
        SOURCES_TEST(too_many_members_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
