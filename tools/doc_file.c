/* SPDX-License-Identifier: PostgreSQL */
/* Generated documents: see doc_file.h. */
#include "tools/doc_file.h"

#include <stdio.h>

#include "lib/io/file.h"

enum { DOC_MAX = 4 << 20 };

static bool is_check(int argc, char **argv)
{
    return argc == 3 && strcmp(argv[1], "--check") == 0;
}

bool doc_arguments_are_good(int argc, char **argv)
{
    if (argc == 2 || is_check(argc, argv))
        return true;
    (void)fprintf(stderr, "usage: %s [--check] FILE\n", argv[0]);
    return false;
}

static int say(const Err *err)
{
    (void)fprintf(stderr, "%s\n", err->detail);
    return 1;
}

int doc_finish(int argc, char **argv, Slice text)
{
    _cleanup_buf_ Buf have = BUF_INIT;
    Err err = ERR_INIT;

    if (!is_check(argc, argv))
        return file_write_atomic(argv[1], 0644, text, &err) < 0 ? say(&err) : 0;
    if (file_read_all(argv[2], DOC_MAX, &have, &err) < 0)
        return say(&err);
    if (slice_eq(buf_slice(&have), text))
        return 0;
    (void)fprintf(stderr, "%s is not what the code says: run `make docs`\n", argv[2]);
    return 1;
}
