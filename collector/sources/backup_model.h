#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Backups, whatever tool made them: what a list of backups comes to, by repository. The parsers of the tools fill it,
 * the producer makes rows of it. Texts are copied into its arena. One thread at a time.
 */
#include "collector/sources/source.h"
#include "lib/base/vec.h"

enum {
    BACKUP_OUTPUT_MAX = 8 << 20, /* bytes that a tool may give */
    BACKUP_DEPTH_MAX = 24,
    BACKUP_REPOSITORIES_MAX = 256,
    BACKUP_ARCHIVES_MAX = 1024,
};

/* Indexes of the families that a producer of backups has. */
enum { BACKUP_STATE, BACKUP_LIST, BACKUP_ARCHIVE, _BACKUP_FAMILY_COUNT };

typedef enum BackupType { BACKUP_FULL, BACKUP_DIFFERENTIAL, BACKUP_INCREMENTAL, _BACKUP_TYPE_MAX } BackupType;

/* One backup. Numbers that are not known are negative; times are seconds since 1970. */
typedef struct BackupEntry {
    Slice label;
    BackupType type;
    double start, stop;
    int64_t size;             /* of the database */
    int64_t delta_size;       /* copied */
    int64_t repository_size;  /* in the repository, with all that it builds on */
    int64_t repository_delta; /* that it added */
    bool failed;
    bool obsolete;
} BackupEntry;

#define BACKUP_ENTRY_INIT                                                                                              \
    ((BackupEntry){                                                                                                    \
        .start = -1, .stop = -1, .size = -1, .delta_size = -1, .repository_size = -1, .repository_delta = -1})

typedef struct BackupRepository {
    Slice stanza, repository; /* its key */
    Slice status;             /* as the tool says it */
    int64_t errors;
    int64_t failed;
    int64_t obsolete; /* negative: the tool does not say */
    int64_t counts[_BACKUP_TYPE_MAX];
    BackupEntry last_of[_BACKUP_TYPE_MAX]; /* where the count is not 0 */
    BackupEntry last;                      /* of all */
    double oldest;                         /* negative: none */
} BackupRepository;

typedef struct BackupArchive {
    Slice stanza, repository, database; /* its key */
    Slice min_wal, max_wal;             /* absent: empty */
    int64_t missing;                    /* negative: not known */
    int64_t failing;                    /* the same; else 0 or 1 */
} BackupArchive;

DEFINE_VEC(BackupRepositoryVec, backup_repository_vec, BackupRepository)
DEFINE_VEC(BackupArchiveVec, backup_archive_vec, BackupArchive)

typedef struct BackupModel {
    Arena *arena;
    BackupRepositoryVec repositories;
    BackupArchiveVec archives;
} BackupModel;

void backup_model_init(BackupModel *m);
void backup_model_done(BackupModel *m);
void backup_model_clear(BackupModel *m);

/* The one of this key, made when there is none; NULL at the limit. Valid until the next one is made. */
BackupRepository *backup_model_repository(BackupModel *m, Slice stanza, Slice repository);
BackupArchive *backup_model_archive(BackupModel *m, Slice stanza, Slice repository, Slice database);
/* Counts the backup; usable ones become the last of their type when they ended last. */
void backup_model_add(BackupModel *m, BackupRepository *repository, const BackupEntry *entry);

/* Where the monitored server writes, for the lag of its archive. */
typedef struct BackupServerWal {
    int64_t position; /* bytes; negative: not known */
    int64_t segment_size;
} BackupServerWal;

/* End of the segment in bytes; negative when @segment is no name of one. */
int64_t backup_segment_end(Slice segment, int64_t segment_size);

typedef struct BackupFill {
    SourceFamilies *families;
    const char *source;
    const char *tool;
    Usec now; /* wall */
    BackupServerWal wal;
} BackupFill;

void backup_model_fill(const BackupModel *m, const BackupFill *fill);
