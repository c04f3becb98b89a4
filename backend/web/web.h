#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The web UI, built into the program: files of frontend/dist with their types, tags and compressed forms, made at build
 * time by tools/embed_web.sh. Constant data; any thread.
 */
#include "backend/http/http.h"

typedef struct WebFile {
    const char *path; /* "/assets/index-3f2a.js" */
    const char *content_type;
    const char *tag; /* of the content, without quotes */
    const unsigned char *bytes;
    size_t length;
    const unsigned char *gzip; /* NULL: does not get smaller */
    size_t gzip_length;
    bool immutable; /* its name changes with its content */
} WebFile;

extern const WebFile web_files[]; /* sorted by path */
extern const size_t web_file_count;

/* Route "/{path...}". Paths of the UI that are no files (it has its own router) get index.html. */
int web_get(HttpRequest *r, Err *reterr);
