#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Backup tools: how each is asked, as a table of steps, and what its answers mean. A tool is one file with a const
 * BackupTool. The parsers are pure: bounded JSON to a model, ERR_SYNTAX, ERR_TOO_LARGE or ERR_UNPROCESSABLE with the
 * reason.
 */
#include "collector/sources/backup_model.h"
#include "lib/json/json.h"

/* Takes what the step printed into the model. @name: stanza or server of the settings. */
typedef int (*BackupParse)(BackupModel *m, Slice output, Slice name, Err *reterr);

enum { BACKUP_STEPS_MAX = 4, BACKUP_STEP_ARGUMENTS_MAX = 8 };

typedef struct BackupStep {
    const char *arguments[BACKUP_STEP_ARGUMENTS_MAX]; /* NULL-terminated, behind the command */
    const char *name_argument; /* put behind them with the name in place of %s, unless the name is ""; NULL: none */
    const char *last_argument; /* behind that; NULL: none */
    bool status_is_news;       /* an exit other than 0 has an answer nevertheless */
    bool may_fail;             /* what it tells is left out then */
    bool needs_backups;        /* pointless while there are none */
    BackupParse parse;
} BackupStep;

typedef struct BackupTool {
    const char *program;
    const BackupStep *steps; /* the first one lists the backups */
    size_t step_count;
    const char *rights; /* hint: what it needs when it cannot be run */
} BackupTool;

extern const BackupTool backup_pgbackrest, backup_barman, backup_walg;

/* Parses one answer within the bounds. */
int backup_json_parse(Slice output, yyjson_doc **ret, Err *reterr) MUST_CHECK;
/* The same for an answer that is a list (@what in the error when it is none): @read for each of its items, until one
 * fails. */
typedef int (*BackupReadItem)(BackupModel *m, yyjson_val *item, Err *reterr);
int backup_json_each(BackupModel *m, Slice output, const char *what, BackupReadItem read, Err *reterr) MUST_CHECK;
/* For an answer that is JSON, but not what was asked for. */
int backup_fail_form(Err *reterr, const char *what);

/* The first line of a tool's messages without time stamps and credentials, for an error. */
void backup_message(Slice messages, Buf *out);
