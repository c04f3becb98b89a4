/* SPDX-License-Identifier: PostgreSQL */
/*
 * barman: `list-backup`, `show-backup latest` for what the list does not tell, `check` for the faults, all with
 * `--format json`: an object with a member for the server. See backup_tools.h.
 */
#include "collector/sources/backup_tools.h"
#include "collector/sources/json_values.h"

#define REPOSITORY SLICE_LIT("1")

/* The member of the server: the one of its name, or the only one where "name" is a shortcut. */
static int open_answer(Slice output, Slice name, yyjson_doc **ret, yyjson_val **ret_value, Err *reterr)
{
    int r = backup_json_parse(output, ret, reterr);
    if (r < 0)
        return err_trace(r);
    yyjson_val *root = yyjson_doc_get_root(*ret);
    *ret_value = yyjson_obj_getn(root, name.ptr, name.len);
    if (*ret_value)
        return 0;
    Slice error = SLICE_NULL;
    yyjson_val *first = yyjson_arr_get_first(yyjson_obj_get(root, "_ERROR"));
    if (yyjson_is_str(first))
        error = slice_from(yyjson_get_str(first), yyjson_get_len(first));
    if (error.ptr)
        return err_set(reterr, ERR_UNPROCESSABLE, "barman says: %.*s", SLICE_ARG(error));
    return err_set(reterr, ERR_UNPROCESSABLE, "the answer has nothing about \"%.*s\"", SLICE_ARG(name));
}

static bool is_one_of(Slice text, const char *const *words)
{
    for (; *words; words++) {
        if (slice_eq_cstr(text, *words))
            return true;
    }
    return false;
}

static void read_listed(BackupModel *m, BackupRepository *r, yyjson_val *backup)
{
    static const char *const USABLE[] = {"DONE", "WAITING_FOR_WALS", NULL};
    static const char *const OBSOLETE[] = {"OBSOLETE", NULL};
    Slice status = json_value_text(backup, "status");
    if (slice_eq_cstr(status, "EMPTY") || slice_eq_cstr(status, "STARTED") || slice_eq_cstr(status, "SYNCING"))
        return; /* under way */
    BackupEntry entry = BACKUP_ENTRY_INIT;
    entry.label = json_value_text(backup, "backup_id");
    entry.type =
        slice_eq_cstr(json_value_text(backup, "backup_type"), "incremental") ? BACKUP_INCREMENTAL : BACKUP_FULL;
    entry.failed = !is_one_of(status, USABLE);
    entry.obsolete = is_one_of(json_value_text(backup, "retention_status"), OBSOLETE);
    int64_t size;
    if (json_value_int(backup, "size_bytes", &size) && size >= 0)
        entry.size = entry.repository_size = size;
    double seconds;
    if (json_value_time(backup, "end_time_timestamp", &seconds))
        entry.stop = seconds;
    backup_model_add(m, r, &entry);
}

static int parse_list(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    yyjson_val *list, *backup;
    int r = open_answer(output, name, &doc, &list, reterr);
    if (r < 0)
        return err_trace(r);
    if (!yyjson_is_arr(list))
        return backup_fail_form(reterr, "the list of backups is no list");
    BackupRepository *repository = backup_model_repository(m, name, REPOSITORY);
    if (!repository)
        return backup_fail_form(reterr, "too many servers");
    repository->obsolete = 0;
    size_t index, count;
    yyjson_arr_foreach(list, index, count, backup)
    {
        read_listed(m, repository, backup);
    }
    return 0;
}

/* Of the last usable backup: when it began, what it added; and the end of the archive. */
static int parse_latest(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    yyjson_val *backup;
    int r = open_answer(output, name, &doc, &backup, reterr);
    if (r < 0)
        return err_trace(r);
    BackupRepository *repository = backup_model_repository(m, name, REPOSITORY);
    BackupArchive *archive = backup_model_archive(m, name, REPOSITORY, SLICE_LIT(""));
    if (!repository || !archive)
        return backup_fail_form(reterr, "too many servers");
    archive->max_wal =
        arena_dup(m->arena, json_value_text(yyjson_obj_get(backup, "wal_information"), "last_available"));
    if (!slice_eq(json_value_text(backup, "backup_id"), repository->last.label))
        return 0;
    yyjson_val *base = yyjson_obj_get(backup, "base_backup_information");
    BackupEntry *entries[] = {&repository->last, &repository->last_of[repository->last.type]};
    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        int64_t size;
        double seconds;
        if (json_value_time(base, "begin_time_timestamp", &seconds))
            entries[i]->start = seconds;
        if (json_value_int(base, "disk_usage_bytes", &size) && size >= 0)
            entries[i]->size = size;
        if (json_value_int(base, "incremental_size_bytes", &size) && size >= 0)
            entries[i]->delta_size = entries[i]->repository_delta = size;
    }
    return 0;
}

static void note_failure(Buf *failures, Slice check, Slice hint)
{
    buf_printf(failures, "%s%.*s", failures->len ? ", " : "", SLICE_ARG(check));
    if (hint.len > 0)
        buf_printf(failures, " (%.*s)", SLICE_ARG(hint));
}

/* Checks of archiving: archiver_errors, wal_archive, ... */
static bool is_about_archiving(Slice check)
{
    static const char *const WORDS[] = {"archiv", "wal", "replication_slot"};
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        if (slice_find(check, slice_cstr(WORDS[i])) >= 0)
            return true;
    }
    return false;
}

static int parse_check(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    yyjson_val *checks, *key, *check;
    int r = open_answer(output, name, &doc, &checks, reterr);
    if (r < 0)
        return err_trace(r);
    BackupRepository *repository = backup_model_repository(m, name, REPOSITORY);
    BackupArchive *archive = backup_model_archive(m, name, REPOSITORY, SLICE_LIT(""));
    if (!repository || !archive || !yyjson_is_obj(checks))
        return backup_fail_form(reterr, "the list of checks is no object");
    _cleanup_buf_ Buf failures = BUF_INIT;
    archive->failing = 0;
    size_t index, count;
    yyjson_obj_foreach(checks, index, count, key, check)
    {
        if (!slice_eq_cstr(json_value_text(check, "status"), "FAILED"))
            continue;
        Slice what = slice_from(yyjson_get_str(key), yyjson_get_len(key));
        repository->errors++;
        note_failure(&failures, what, json_value_text(check, "hint"));
        if (is_about_archiving(what))
            archive->failing = 1;
    }
    repository->status = repository->errors ? arena_dup(m->arena, buf_slice(&failures)) : SLICE_LIT("ok");
    return 0;
}

static const BackupStep STEPS[] = {
    {.arguments = {"--format", "json", "list-backup"}, .name_argument = "%s", .parse = parse_list},
    {.arguments = {"--format", "json", "show-backup"},
     .name_argument = "%s",
     .last_argument = "latest",
     .may_fail = true,
     .needs_backups = true,
     .parse = parse_latest},
    {.arguments = {"--format", "json", "check"}, .name_argument = "%s", .status_is_news = true, .parse = parse_check},
};

const BackupTool backup_barman = {
    .program = "barman",
    .steps = STEPS,
    .step_count = ARRAY_LENGTH(STEPS),
    .rights =
        "barman runs as its own user: allow the collector's user command = [\"sudo\", \"-n\", \"-u\", \"barman\", "
        "\"barman\"]",
};
