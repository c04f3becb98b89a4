#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A directory of its own for a test, in $TMPDIR or /tmp; and the small file operations that tests do to it. */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/buf.h"

typedef struct Scratch {
    char path[256];
} Scratch;

static inline UNUSED void scratch_check(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

/* @parent NULL: $TMPDIR or /tmp. */
static inline UNUSED Scratch scratch_make(const char *parent)
{
    const char *base = parent ? parent : getenv("TMPDIR");
    Scratch s;
    (void)snprintf(s.path, sizeof(s.path), "%s/pga-test-XXXXXX", base ? base : "/tmp");
    scratch_check(mkdtemp(s.path) != NULL, s.path);
    return s;
}

/* In memory where the machine has such a place: for tests that write much and do not ask what a disk does. */
static inline UNUSED Scratch scratch_make_fast(void)
{
    return scratch_make(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NULL);
}

static inline UNUSED int scratch_remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static inline UNUSED void scratch_remove(Scratch *s)
{
    (void)nftw(s->path, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS); /* leftovers in /tmp harm no test */
}

static inline UNUSED Buf scratch_path(const Scratch *s, const char *name)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", s->path, name);
    return path;
}

static inline UNUSED Buf scratch_read(const char *path)
{
    Buf content = BUF_INIT;
    FILE *file = fopen(path, "re");
    scratch_check(file != NULL, path);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buf_append(&content, slice_from(chunk, n));
    (void)fclose(file); /* only read */
    return content;
}

static inline UNUSED void scratch_write(const char *path, Slice content)
{
    FILE *file = fopen(path, "we");
    scratch_check(file != NULL, path);
    scratch_check(fwrite(content.ptr, 1, content.len, file) == content.len, path);
    scratch_check(fclose(file) == 0, path);
}

static inline UNUSED void scratch_truncate(const char *path, size_t size)
{
    scratch_check(truncate(path, (off_t)size) == 0, path);
}

/* Turns the bits of @mask over in the byte at @offset. */
static inline UNUSED void scratch_flip(const char *path, size_t offset, uint8_t mask)
{
    FILE *file = fopen(path, "r+e");
    scratch_check(file != NULL, path);
    scratch_check(fseek(file, (long)offset, SEEK_SET) == 0, path);
    const int c = fgetc(file);
    scratch_check(c != EOF && fseek(file, (long)offset, SEEK_SET) == 0, path);
    scratch_check(fputc(c ^ mask, file) != EOF && fclose(file) == 0, path);
}

static inline UNUSED size_t scratch_size(const char *path)
{
    struct stat status;
    scratch_check(stat(path, &status) == 0, path);
    return (size_t)status.st_size;
}

/* Copies the files of @from into @to, which is made when missing. Not recursive. */
static inline UNUSED void scratch_copy(const char *from, const char *to)
{
    (void)mkdir(to, 0700); /* may be there */
    DIR *dir = opendir(from);
    scratch_check(dir != NULL, from);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_type != DT_REG)
            continue;
        Buf source = BUF_INIT;
        Buf target = BUF_INIT;
        buf_printf(&source, "%s/%s", from, entry->d_name);
        buf_printf(&target, "%s/%s", to, entry->d_name);
        Buf content = scratch_read(buf_cstr(&source));
        scratch_write(buf_cstr(&target), buf_slice(&content));
        buf_done(&content);
        buf_done(&source);
        buf_done(&target);
    }
    (void)closedir(dir);
}
