/* SPDX-License-Identifier: PostgreSQL */
/* See backup_model.h. */
#include "collector/sources/backup_model.h"

#include <stdio.h>

static const char *const TYPES[_BACKUP_TYPE_MAX] = {"full", "differential", "incremental"};

void backup_model_init(BackupModel *m)
{
    *m = (BackupModel){.arena = arena_new(0)};
}

void backup_model_done(BackupModel *m)
{
    backup_repository_vec_done(&m->repositories);
    backup_archive_vec_done(&m->archives);
    m->arena = arena_free(m->arena);
}

void backup_model_clear(BackupModel *m)
{
    backup_repository_vec_clear(&m->repositories);
    backup_archive_vec_clear(&m->archives);
    arena_clear(m->arena);
}

BackupRepository *backup_model_repository(BackupModel *m, Slice stanza, Slice repository)
{
    for (size_t i = 0; i < m->repositories.len; i++) {
        BackupRepository *r = &m->repositories.items[i];
        if (slice_eq(r->stanza, stanza) && slice_eq(r->repository, repository))
            return r;
    }
    if (m->repositories.len >= BACKUP_REPOSITORIES_MAX)
        return NULL;
    BackupRepository r = {.stanza = arena_dup(m->arena, stanza),
                          .repository = arena_dup(m->arena, repository),
                          .obsolete = -1,
                          .oldest = -1};
    return backup_repository_vec_push(&m->repositories, r);
}

BackupArchive *backup_model_archive(BackupModel *m, Slice stanza, Slice repository, Slice database)
{
    for (size_t i = 0; i < m->archives.len; i++) {
        BackupArchive *a = &m->archives.items[i];
        if (slice_eq(a->stanza, stanza) && slice_eq(a->repository, repository) && slice_eq(a->database, database))
            return a;
    }
    if (m->archives.len >= BACKUP_ARCHIVES_MAX)
        return NULL;
    BackupArchive a = {.stanza = arena_dup(m->arena, stanza),
                       .repository = arena_dup(m->arena, repository),
                       .database = arena_dup(m->arena, database),
                       .missing = -1,
                       .failing = -1};
    return backup_archive_vec_push(&m->archives, a);
}

static void keep_if_last(BackupEntry *last, bool is_first, const BackupEntry *entry)
{
    if (is_first || entry->stop >= last->stop)
        *last = *entry;
}

void backup_model_add(BackupModel *m, BackupRepository *repository, const BackupEntry *entry)
{
    if (entry->failed) {
        repository->failed++;
        return;
    }
    BackupEntry kept = *entry;
    kept.label = arena_dup(m->arena, entry->label);
    bool is_first = true;
    for (BackupType type = 0; type < _BACKUP_TYPE_MAX; type++)
        is_first &= repository->counts[type] == 0;
    keep_if_last(&repository->last, is_first, &kept);
    keep_if_last(&repository->last_of[entry->type], repository->counts[entry->type] == 0, &kept);
    repository->counts[entry->type]++;
    if (entry->stop >= 0 && (repository->oldest < 0 || entry->stop < repository->oldest))
        repository->oldest = entry->stop;
    if (entry->obsolete)
        repository->obsolete = (repository->obsolete < 0 ? 0 : repository->obsolete) + 1;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void set_known(Rows *rows, const char *column, int64_t value)
{
    if (value >= 0)
        rows_set_int(rows, column, value);
}

/* "last", "last_full": time, age, duration, sizes. Columns that the family lacks are passed over. */
static void fill_entry(Rows *rows, const char *prefix, const BackupEntry *entry, Usec now)
{
    const struct {
        const char *suffix;
        int64_t value;
    } sizes[] = {
        {"size", entry->size},
        {"delta_size", entry->delta_size},
        {"repository_size", entry->repository_size},
        {"repository_delta_size", entry->repository_delta},
    };
    char column[COLUMN_NAME_MAX + 1];
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        (void)snprintf(column, sizeof(column), "%s_%s", prefix, sizes[i].suffix);
        set_known(rows, column, sizes[i].value);
    }
    if (entry->stop < 0)
        return;
    (void)snprintf(column, sizeof(column), "%s_time", prefix);
    rows_set_float(rows, column, entry->stop);
    double age = (double)now / (double)USEC_PER_SEC - entry->stop;
    (void)snprintf(column, sizeof(column), "%s_age", prefix);
    rows_set_float(rows, column, age > 0 ? age : 0);
    (void)snprintf(column, sizeof(column), "%s_duration", prefix);
    if (entry->start >= 0 && entry->stop >= entry->start)
        rows_set_float(rows, column, entry->stop - entry->start);
}

static void fill_types(Rows *rows, const BackupRepository *r, Usec now)
{
    char name[COLUMN_NAME_MAX + 1];
    int64_t usable = 0;
    for (BackupType type = 0; type < _BACKUP_TYPE_MAX; type++) {
        usable += r->counts[type];
        (void)snprintf(name, sizeof(name), "%s_backups", TYPES[type]);
        rows_set_int(rows, name, r->counts[type]);
        (void)snprintf(name, sizeof(name), "last_%s", TYPES[type]);
        if (r->counts[type] > 0)
            fill_entry(rows, name, &r->last_of[type], now);
    }
    rows_set_int(rows, "backups", usable);
    if (usable == 0)
        return;
    rows_set_text(rows, "last_label", r->last.label);
    rows_set_text(rows, "last_type", slice_cstr(TYPES[r->last.type]));
    fill_entry(rows, "last", &r->last, now);
    if (r->oldest >= 0)
        rows_set_float(rows, "oldest_time", r->oldest);
}

static Rows *add_row(const BackupFill *fill, size_t family, Slice stanza, Slice repository)
{
    Rows *rows = source_families_add(fill->families, family, fill->source, "");
    if (!rows)
        return NULL;
    rows_set_text(rows, "tool", slice_cstr(fill->tool));
    rows_set_text(rows, "stanza", stanza);
    rows_set_text(rows, "repository", repository);
    return rows;
}

static void fill_repository(const BackupFill *fill, const BackupRepository *r)
{
    Rows *rows = add_row(fill, BACKUP_LIST, r->stanza, r->repository);
    if (!rows)
        return;
    if (r->status.len > 0)
        rows_set_text(rows, "status", r->status);
    rows_set_int(rows, "errors", r->errors);
    rows_set_int(rows, "failed_backups", r->failed);
    set_known(rows, "obsolete_backups", r->obsolete);
    fill_types(rows, r, fill->now);
}

static bool read_hex(Slice text, uint64_t *ret)
{
    *ret = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return false;
        *ret = *ret * 16 + (uint64_t)digit;
    }
    return true;
}

/* TTTTTTTTLLLLLLLLSSSSSSSS: timeline, 4 GB piece, segment in it. */
int64_t backup_segment_end(Slice segment, int64_t segment_size)
{
    uint64_t piece, number;
    if (segment.len != 24 || segment_size <= 0 || !read_hex(slice_from(segment.ptr, 8), &piece) ||
        !read_hex(slice_from(segment.ptr + 8, 8), &piece) || !read_hex(slice_from(segment.ptr + 16, 8), &number) ||
        number >= ((uint64_t)1 << 32) / (uint64_t)segment_size || piece > INT32_MAX)
        return -1;
    return (int64_t)(piece << 32) + (int64_t)(number + 1) * segment_size;
}

static void fill_archive(const BackupFill *fill, const BackupArchive *a)
{
    Rows *rows = add_row(fill, BACKUP_ARCHIVE, a->stanza, a->repository);
    if (!rows)
        return;
    rows_set_text(rows, "database", a->database);
    if (a->min_wal.len > 0)
        rows_set_text(rows, "min_wal", a->min_wal);
    if (a->max_wal.len > 0)
        rows_set_text(rows, "max_wal", a->max_wal);
    set_known(rows, "missing_segments", a->missing);
    set_known(rows, "failing", a->failing);
    int64_t end = backup_segment_end(a->max_wal, fill->wal.segment_size);
    set_known(rows, "archived_position", end);
    if (end >= 0 && fill->wal.position >= 0)
        rows_set_int(rows, "lag", fill->wal.position > end ? fill->wal.position - end : 0);
}

void backup_model_fill(const BackupModel *m, const BackupFill *fill)
{
    for (size_t i = 0; i < m->repositories.len; i++)
        fill_repository(fill, &m->repositories.items[i]);
    for (size_t i = 0; i < m->archives.len; i++)
        fill_archive(fill, &m->archives.items[i]);
}
