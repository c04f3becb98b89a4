/* SPDX-License-Identifier: PostgreSQL */
/*
 * main() for fuzz targets without libFuzzer: gives every file named on the command line, and every file of the
 * directories named there, to LLVMFuzzerTestOneInput(), so that a corpus is an ordinary test. A directory that is
 * missing or empty fails: a corpus that got lost must not look like one that passes.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 16 * 1024 * 1024 };

static size_t inputs;

static bool fail(const char *path, const char *reason)
{
    fprintf(stderr, "%s: %s\n", path, reason);
    return false;
}

/* The input lies in an allocation of exactly its size, so that the address sanitizer sees a read past its end. */
static bool replay_file(const char *path, size_t size)
{
    if (size > INPUT_MAX_BYTES)
        return fail(path, "too large for a seed");
    FILE *f = fopen(path, "rb");
    if (!f)
        return fail(path, strerror(errno));
    uint8_t *data = malloc(size);
    bool ok = (data || size == 0) && fread(data, 1, size, f) == size;
    fclose(f);
    if (ok) {
        (void)LLVMFuzzerTestOneInput(data, size);
        inputs++;
    }
    free(data);
    return ok || fail(path, "cannot be read");
}

static bool replay_path(const char *path);

static bool replay_directory(const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort); /* a fixed order makes failures repeat */
    if (n < 0)
        return fail(path, strerror(errno));
    size_t before = inputs;
    bool ok = true;
    for (int i = 0; i < n; i++) {
        char child[PATH_MAX];
        bool hidden = names[i]->d_name[0] == '.';
        int len = snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
        if (!hidden && ok)
            ok = len < (int)sizeof(child) ? replay_path(child) : fail(path, "name too long");
        free(names[i]);
    }
    free(names);
    if (ok && inputs == before)
        return fail(path, "holds no input");
    return ok;
}

static bool replay_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail(path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return replay_directory(path);
    return replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|DIRECTORY...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (!replay_path(argv[i]))
            return 1;
    printf("%zu inputs\n", inputs);
    return 0;
}
