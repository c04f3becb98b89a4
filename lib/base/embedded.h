#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Files built into the program by tools/embed.sh (SQL, families, the web UI). Constant data, any thread. */
#include <stddef.h>

#include "lib/base/slice.h"

typedef struct EmbeddedFile {
    const char *name; /* base name */
    const char *text; /* NUL-terminated behind length */
    size_t length;
} EmbeddedFile;

static inline Slice embedded_slice(const EmbeddedFile *f)
{
    return (Slice){.ptr = f->text, .len = f->length};
}
