#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A tool's answers, read into `model` by the parsers of its steps. */
#include "collector/sources/backup_tools.h"
#include "tests/unit/collector/sources/sources_fixture.h"

static BackupModel model;
static Err failure;

/* Reads a file of fuzz/corpus/backup as the answer to a step. */
static inline UNUSED int parse(const BackupTool *tool, size_t step, const char *file)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "backup/%s", file);
    failure = ERR_INIT;
    return tool->steps[step].parse(&model, corpus(buf_cstr(&path)), SLICE_LIT("main"), &failure);
}

static inline UNUSED int parse_text(const BackupTool *tool, size_t step, const char *text)
{
    failure = ERR_INIT;
    return tool->steps[step].parse(&model, slice_cstr(text), SLICE_LIT("main"), &failure);
}

/* Rows of the model: the reading of `backup` for cell(); the next one is `backup_archive`. */
static inline UNUSED void fill_model(void)
{
    static const char *const names[] = {"backup_state", "backup", "backup_archive", NULL};
    begin(names);
    BackupFill fill = {.families = fixture.families,
                       .source = "x",
                       .tool = "tool",
                       .now = (Usec)1800000000 * USEC_PER_SEC,
                       .wal = {.position = -1}};
    backup_model_fill(&model, &fill);
    end(true);
    (void)next_reading();
    (void)next_reading();
}

static inline UNUSED int setup_model(void **state)
{
    backup_model_init(&model);
    return setup(state);
}

static inline UNUSED int teardown_model(void **state)
{
    backup_model_done(&model);
    return teardown(state);
}

#define BACKUP_TEST(function) cmocka_unit_test_setup_teardown(function, setup_model, teardown_model)
