/* SPDX-License-Identifier: PostgreSQL */
/* pgBackRest: `info --output=json`, a list of stanzas. See backup_tools.h. */
#include "collector/sources/backup_tools.h"
#include "collector/sources/json_values.h"

static BackupType read_type(yyjson_val *backup)
{
    Slice type = json_value_text(backup, "type");
    return slice_eq_cstr(type, "diff")   ? BACKUP_DIFFERENTIAL
           : slice_eq_cstr(type, "incr") ? BACKUP_INCREMENTAL
                                         : BACKUP_FULL;
}

static void read_known(yyjson_val *object, const char *name, int64_t *member)
{
    int64_t value;
    if (json_value_int(object, name, &value) && value >= 0)
        *member = value;
}

/* The number of the repository that a backup or an archive is in, as a text; old versions have but one. */
static Slice repository_of(Arena *arena, yyjson_val *object)
{
    int64_t key = 1;
    (void)json_value_int(yyjson_obj_get(object, "database"), "repo-key", &key);
    return slice_cstr(arena_printf(arena, "%lld", (long long)key));
}

static int fail_count(Err *reterr)
{
    return err_set(reterr, ERR_TOO_LARGE, "more repositories or archives than %d", BACKUP_REPOSITORIES_MAX);
}

static int read_backup(BackupModel *m, Slice stanza, yyjson_val *backup, Err *reterr)
{
    BackupRepository *r = backup_model_repository(m, stanza, repository_of(m->arena, backup));
    if (!r)
        return fail_count(reterr);
    BackupEntry entry = BACKUP_ENTRY_INIT;
    yyjson_val *info = yyjson_obj_get(backup, "info"), *time = yyjson_obj_get(backup, "timestamp");
    yyjson_val *repository = yyjson_obj_get(info, "repository");
    entry.label = json_value_text(backup, "label");
    entry.type = read_type(backup);
    entry.failed = json_value_bool(backup, "error");
    double seconds;
    if (json_value_time(time, "start", &seconds))
        entry.start = seconds;
    if (json_value_time(time, "stop", &seconds))
        entry.stop = seconds;
    read_known(info, "size", &entry.size);
    read_known(info, "delta", &entry.delta_size);
    read_known(repository, "size", &entry.repository_size);
    read_known(repository, "delta", &entry.repository_delta);
    backup_model_add(m, r, &entry);
    return 0;
}

static int read_archive(BackupModel *m, Slice stanza, yyjson_val *archive, Err *reterr)
{
    BackupArchive *a =
        backup_model_archive(m, stanza, repository_of(m->arena, archive), json_value_text(archive, "id"));
    if (!a)
        return fail_count(reterr);
    a->min_wal = arena_dup(m->arena, json_value_text(archive, "min"));
    a->max_wal = arena_dup(m->arena, json_value_text(archive, "max"));
    return 0;
}

/* Code 0: in order; 2: no backups yet, which the rows say already. */
static void read_status(BackupModel *m, BackupRepository *r, yyjson_val *status)
{
    int64_t code = 0;
    (void)json_value_int(status, "code", &code);
    r->errors = code != 0 && code != 2;
    r->status = arena_dup(m->arena, json_value_text(status, "message"));
}

static int read_repositories(BackupModel *m, Slice stanza, yyjson_val *object, Err *reterr)
{
    size_t index, count;
    yyjson_val *repository;
    yyjson_val *list = yyjson_obj_get(object, "repo");
    yyjson_arr_foreach(list, index, count, repository)
    {
        int64_t key = 1;
        (void)json_value_int(repository, "key", &key);
        Slice name = slice_cstr(arena_printf(m->arena, "%lld", (long long)key));
        BackupRepository *r = backup_model_repository(m, stanza, name);
        if (!r)
            return fail_count(reterr);
        read_status(m, r, yyjson_obj_get(repository, "status"));
    }
    if (yyjson_arr_size(list) == 0) { /* before 2.32, and a stanza that no repository has */
        BackupRepository *r = backup_model_repository(m, stanza, SLICE_LIT("1"));
        if (!r)
            return fail_count(reterr);
        read_status(m, r, yyjson_obj_get(object, "status"));
    }
    return 0;
}

static int read_stanza(BackupModel *m, yyjson_val *object, Err *reterr)
{
    Slice stanza = json_value_text(object, "name");
    if (!stanza.ptr)
        return backup_fail_form(reterr, "a stanza has no name");
    int r = read_repositories(m, stanza, object, reterr);
    size_t index, count;
    yyjson_val *item;
    yyjson_arr_foreach(yyjson_obj_get(object, "backup"), index, count, item)
    {
        if (r >= 0)
            r = read_backup(m, stanza, item, reterr);
    }
    yyjson_arr_foreach(yyjson_obj_get(object, "archive"), index, count, item)
    {
        if (r >= 0)
            r = read_archive(m, stanza, item, reterr);
    }
    return r;
}

static int parse_info(BackupModel *m, Slice output, Slice name, Err *reterr)
{
    (void)name; /* the answer names its stanzas */
    return err_trace(backup_json_each(m, output, "stanzas", read_stanza, reterr));
}

static const BackupStep STEPS[] = {
    {.arguments = {"info", "--output=json"}, .name_argument = "--stanza=%s", .parse = parse_info},
};

const BackupTool backup_pgbackrest = {
    .program = "pgbackrest",
    .steps = STEPS,
    .step_count = ARRAY_LENGTH(STEPS),
    .rights = "the collector's user must be able to read pgbackrest.conf and the repository, or run it as their owner "
              "through command = [\"sudo\", \"-n\", \"-u\", \"postgres\", \"pgbackrest\"]",
};
