/* SPDX-License-Identifier: PostgreSQL */
/*
 * The producer of [[patroni]]: GET /patroni, /cluster and /history of each, over one connection that stays. An answer
 * with an error status is read no further. The history is a part that old versions and new clusters lack: it may fail.
 */
#include "collector/sources/patroni_read.h"
#include "lib/base/memory.h"
#include "lib/io/http_client.h"

#define CONNECT_TIMEOUT (3 * USEC_PER_SEC)
#define ANSWER_TIMEOUT  (5 * USEC_PER_SEC)

static const char *const FAMILIES[] = {
    [PATRONI_STATE] = "patroni_state",
    [PATRONI_MEMBER] = "patroni_member",
    [PATRONI_CLUSTER] = "patroni_cluster",
    [_PATRONI_FAMILY_COUNT] = NULL,
};

typedef struct Node {
    const PatroniSettings *settings;
    SourceStatus status;
    HttpClient *http;
    PatroniAnswers answers; /* of this turn */
} Node;

typedef struct PatroniProducer {
    ProducerOptions options;
    SourceFamilies *families;
    Node nodes[SOURCES_MAX];
    size_t count;
} PatroniProducer;

static bool is_wanted(const ProducerOptions *options)
{
    return source_kind_is_wanted(options, SOURCE_PATRONI);
}

static void *new_producer(const ProducerOptions *options)
{
    PatroniProducer *p = mem_alloc(sizeof(*p));
    p->options = *options;
    p->families = source_families_new(options, FAMILIES);
    const SourceHead *head;
    for (size_t i = 0; (head = settings_source_at(options->settings, SOURCE_PATRONI, i)); i++) {
        if (!source_is_of(options, head))
            continue;
        Node *node = &p->nodes[p->count++];
        node->settings = (const PatroniSettings *)(const void *)head;
        source_status_init(&node->status, SOURCE_PATRONI, head);
    }
    return p;
}

static void *free_producer(void *self)
{
    PatroniProducer *p = self;
    for (size_t i = 0; i < p->count; i++) {
        patroni_answers_done(&p->nodes[i].answers);
        http_client_free(p->nodes[i].http);
    }
    source_families_free(p->families);
    free(p);
    return NULL;
}

static const char *or_null(const char *path)
{
    return path[0] ? path : NULL;
}

/* Made at each failure anew: certificates may have been replaced. */
static int open_client(Node *node, Err *reterr)
{
    if (node->http)
        return 0;
    const PatroniSettings *s = node->settings;
    HttpClientOptions options = {.ca_file = or_null(s->ca_cert),
                                 .cert_file = or_null(s->cert),
                                 .key_file = or_null(s->key),
                                 .verify = true,
                                 .connect_timeout = CONNECT_TIMEOUT,
                                 .total_timeout = ANSWER_TIMEOUT,
                                 .answer_limit = PATRONI_ANSWER_MAX};
    return err_trace(http_client_new(&node->http, &options, reterr));
}

static int get(Node *node, const char *path, yyjson_doc **ret, Err *reterr)
{
    Slice base = slice_cstr(node->settings->url);
    while (slice_ends_with(base, SLICE_LIT("/")))
        base.len--;
    _cleanup_buf_ Buf url = BUF_INIT;
    buf_printf(&url, "%.*s%s", SLICE_ARG(base), path);
    _cleanup_(http_answer_donep) HttpAnswer answer = HTTP_ANSWER_INIT;
    HttpClientRequest request = {.method = "GET", .url = buf_cstr(&url)};
    int r = http_client_send(node->http, &request, &answer, reterr);
    if (r < 0)
        return err_trace(r);
    if (answer.status != 200)
        return err_set(reterr, ERR_UNAVAILABLE, "GET %s was answered %d", path, answer.status);
    r = patroni_parse(buf_slice(&answer.body), ret, reterr);
    if (r < 0)
        err_prefix(reterr, "GET %s", path);
    return err_trace(r);
}

static int read_node(PatroniProducer *p, Node *node, Err *reterr)
{
    bool wants_cluster = source_families_rows(p->families, PATRONI_CLUSTER);
    int r = open_client(node, reterr);
    if (r >= 0)
        r = get(node, "/patroni", &node->answers.node, reterr);
    if (r >= 0 && (wants_cluster || source_families_rows(p->families, PATRONI_MEMBER)))
        r = get(node, "/cluster", &node->answers.cluster, reterr);
    if (r >= 0 && wants_cluster)
        (void)get(node, "/history", &node->answers.history, NULL); /* its columns stay null */
    return r < 0 ? err_trace(r) : err_trace(patroni_check(&node->answers, reterr));
}

static void try_node(PatroniProducer *p, Node *node, Usec now)
{
    Err err = ERR_INIT;
    int r = read_node(p, node, &err);
    node->status.took = clock_monotonic() - now;
    source_status_note(&node->status, r < 0 ? &err : NULL, clock_monotonic());
    if (r < 0)
        node->http = http_client_free(node->http);
}

static void fill(PatroniProducer *p, Node *node)
{
    const char *name = node->settings->head.name;
    Rows *rows = source_families_add(p->families, PATRONI_STATE, name, "");
    bool up = node->status.error.code == ERR_NONE;
    if (rows)
        source_status_fill(&node->status, rows);
    if (rows && up) {
        rows_set_float(rows, "answer_ms", (double)node->status.took / (double)USEC_PER_MSEC);
        patroni_fill_node(rows, &node->answers);
    }
    if (up) {
        patroni_fill_members(p->families, name, &node->answers);
        patroni_fill_cluster(p->families, name, &node->answers);
    }
    patroni_answers_done(&node->answers);
}

static Usec turn(void *self, Usec now)
{
    PatroniProducer *p = self;
    source_families_begin(p->families, now, false);
    bool complete = true;
    for (size_t i = 0; i < p->count && !*p->options.stop; i++) {
        Node *node = &p->nodes[i];
        if (source_status_is_due(&node->status, now))
            try_node(p, node, clock_monotonic());
        fill(p, node);
        complete &= node->status.error.code == ERR_NONE;
    }
    if (!*p->options.stop)
        source_families_end(p->families, clock_monotonic(), complete);
    return source_families_next(p->families);
}

const ProducerKind patroni_producer = {"patroni", is_wanted, new_producer, turn, free_producer};
