/* SPDX-License-Identifier: PostgreSQL */
/*
 * What backup tools print, made of any bytes; the first one says which tool and step: p pgBackRest, b l c barman's
 * list, latest backup and checks, w s WAL-G's list and archive; anything else: messages. Held to: no crash; a refusal
 * has a code and a message; what is accepted is within the model's bounds and gives rows.
 */
#include <stdint.h>
#include <stdlib.h>

#include "collector/sources/backup_tools.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static const char *const NAMES[] = {"backup_state", "backup", "backup_archive", NULL};

static const struct {
    char letter;
    const BackupTool *tool;
    size_t step;
} STEPS[] = {
    {'p', &backup_pgbackrest, 0}, {'b', &backup_barman, 0}, {'l', &backup_barman, 1},
    {'c', &backup_barman, 2},     {'w', &backup_walg, 0},   {'s', &backup_walg, 1},
};

static void fill(const BackupModel *model)
{
    static Settings settings = {.interval = USEC_PER_SEC};
    static ServerSettings server = {.name = "main"};
    if (!settings.catalog)
        CHECK(catalog_new_builtin(&settings.catalog, NULL) == 0);
    Inbox *inbox = inbox_new(0);
    ProducerOptions options = {.settings = &settings, .server = &server, .inbox = inbox};
    SourceFamilies *families = source_families_new(&options, NAMES);
    source_families_begin(families, 1, true);
    BackupFill to = {.families = families,
                     .source = "x",
                     .tool = "y",
                     .now = (Usec)1800000000 * USEC_PER_SEC,
                     .wal = {.position = 1 << 30, .segment_size = 16 << 20}};
    backup_model_fill(model, &to);
    source_families_end(families, 1, true);
    source_families_free(families);
    for (const Reading *r; (r = inbox_peek(inbox)); inbox_take(inbox)) {
        for (size_t i = 0; i < r->row_count * r->column_count; i++)
            CHECK(r->cells[i].type != CELL_TEXT || slice_is_utf8(r->cells[i].text));
    }
    inbox_free(inbox);
}

static void parse(const BackupTool *tool, size_t step, Slice text)
{
    BackupModel model;
    Err err = ERR_INIT;
    backup_model_init(&model);
    int r = tool->steps[step].parse(&model, text, SLICE_LIT("main"), &err);
    CHECK((r < 0) == (err.code != ERR_NONE));
    CHECK(r >= 0 || err.detail[0]);
    CHECK(model.repositories.len <= BACKUP_REPOSITORIES_MAX && model.archives.len <= BACKUP_ARCHIVES_MAX);
    fill(&model);
    backup_model_done(&model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Slice text = slice_from(data + 1, size - 1);
    for (size_t i = 0; i < ARRAY_LENGTH(STEPS); i++) {
        if (STEPS[i].letter != (char)data[0])
            continue;
        parse(STEPS[i].tool, STEPS[i].step, text);
        return 0;
    }
    _cleanup_buf_ Buf message = BUF_INIT;
    backup_message(text, &message);
    return 0;
}
