/* SPDX-License-Identifier: PostgreSQL */
/*
 * Answers of Patroni, made of any bytes; the first one says to which question: n /patroni, c /cluster, h /history. Held
 * to: no crash; a refusal has a code and a message; what is accepted gives rows of well-formed texts.
 */
#include <stdint.h>
#include <stdlib.h>

#include "collector/sources/patroni_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const char *const NAMES[] = {"patroni_state", "patroni_member", "patroni_cluster", NULL};

static void check_readings(Inbox *inbox)
{
    for (const Reading *r; (r = inbox_peek(inbox)); inbox_take(inbox)) {
        for (size_t i = 0; i < r->row_count * r->column_count; i++)
            CHECK(r->cells[i].type != CELL_TEXT || slice_is_utf8(r->cells[i].text));
    }
    inbox_commit(inbox);
}

static void fill(const PatroniAnswers *answers)
{
    static Settings settings = {.interval = USEC_PER_SEC};
    static ServerSettings server = {.name = "main"};
    if (!settings.catalog)
        CHECK(catalog_new_builtin(&settings.catalog, NULL) == 0);
    Inbox *inbox = inbox_new(0);
    ProducerOptions options = {.settings = &settings, .server = &server, .inbox = inbox};
    SourceFamilies *families = source_families_new(&options, NAMES);
    source_families_begin(families, 1, true);
    patroni_fill_node(source_families_add(families, PATRONI_STATE, "p", ""), answers);
    patroni_fill_members(families, "p", answers);
    patroni_fill_cluster(families, "p", answers);
    source_families_end(families, 1, true);
    source_families_free(families);
    check_readings(inbox);
    inbox_free(inbox);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    PatroniAnswers answers = {.node = NULL};
    yyjson_doc **doc = data[0] == 'c' ? &answers.cluster : data[0] == 'h' ? &answers.history : &answers.node;
    Err err = ERR_INIT;
    int r = patroni_parse(slice_from(data + 1, size - 1), doc, &err);
    if (r >= 0)
        r = patroni_check(&answers, &err);
    if (r >= 0)
        fill(&answers);
    else
        CHECK(err.code != ERR_NONE && err.detail[0]);
    patroni_answers_done(&answers);
    return 0;
}
