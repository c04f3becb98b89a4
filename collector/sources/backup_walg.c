/* SPDX-License-Identifier: PostgreSQL */
/* WAL-G: `backup-list --json --detail`, and `wal-show --detailed-json` for the archive. See backup_tools.h. */
#include "collector/sources/backup_tools.h"
#include "collector/sources/json_values.h"

#define REPOSITORY SLICE_LIT("1")

/* A delta backup has the name of what it builds on in its own: base_X_D_Y. */
static bool is_delta(Slice label)
{
    return slice_find(label, SLICE_LIT("_D_")) >= 0;
}

static void read_backup(BackupModel *m, BackupRepository *r, yyjson_val *backup)
{
    BackupEntry entry = BACKUP_ENTRY_INIT;
    entry.label = json_value_text(backup, "backup_name");
    entry.type = is_delta(entry.label) ? BACKUP_INCREMENTAL : BACKUP_FULL;
    double seconds;
    if (json_value_time(backup, "start_time", &seconds))
        entry.start = seconds;
    if (json_value_time(backup, "finish_time", &seconds) || json_value_time(backup, "time", &seconds) ||
        json_value_time(backup, "modified", &seconds))
        entry.stop = seconds;
    int64_t size;
    if (json_value_int(backup, "uncompressed_size", &size) && size >= 0)
        *(is_delta(entry.label) ? &entry.delta_size : &entry.size) = size;
    if (json_value_int(backup, "compressed_size", &size) && size >= 0)
        entry.repository_delta = size;
    if (!is_delta(entry.label))
        entry.repository_size = entry.repository_delta;
    backup_model_add(m, r, &entry);
}

/* Nothing at all is what it prints when there are none. */
static int parse_list(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    (void)name;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    BackupRepository *repository = backup_model_repository(m, SLICE_LIT(""), REPOSITORY);
    if (slice_trim(output).len == 0)
        return 0;
    int r = backup_json_parse(output, &doc, reterr);
    if (r < 0)
        return err_trace(r);
    yyjson_val *list = yyjson_doc_get_root(doc), *backup;
    if (yyjson_is_null(list))
        return 0;
    if (!yyjson_is_arr(list) || !repository)
        return backup_fail_form(reterr, "the list of backups is no list");
    size_t index, count;
    yyjson_arr_foreach(list, index, count, backup)
    {
        read_backup(m, repository, backup);
    }
    return 0;
}

static int read_timeline(BackupModel *m, yyjson_val *timeline, Err *reterr)
{
    int64_t id = 0;
    (void)json_value_int(timeline, "id", &id);
    Slice database = slice_cstr(arena_printf(m->arena, "%lld", (long long)id));
    BackupArchive *a = backup_model_archive(m, SLICE_LIT(""), REPOSITORY, database);
    if (!a)
        return err_set(reterr, ERR_TOO_LARGE, "more timelines than %d", BACKUP_ARCHIVES_MAX);
    a->min_wal = arena_dup(m->arena, json_value_text(timeline, "start_segment"));
    a->max_wal = arena_dup(m->arena, json_value_text(timeline, "end_segment"));
    a->missing = (int64_t)yyjson_arr_size(yyjson_obj_get(timeline, "missing_segments"));
    return 0;
}

static int parse_wal(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    (void)name;
    return err_trace(backup_json_each(m, output, "timelines", read_timeline, reterr));
}

static const BackupStep STEPS[] = {
    {.arguments = {"backup-list", "--json", "--detail"}, .parse = parse_list},
    {.arguments = {"wal-show", "--detailed-json"}, .may_fail = true, .parse = parse_wal},
};

const BackupTool backup_walg = {
    .program = "wal-g",
    .steps = STEPS,
    .step_count = ARRAY_LENGTH(STEPS),
    .rights =
        "WAL-G needs its WALG_ variables and the storage's credentials: give it command = [\"wal-g\", \"--config\", "
        "FILE] with a file that the collector's user may read",
};
