#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Files of KEY=value lines, as for docker --env-file and systemd EnvironmentFile: '#' comments, blank lines, an
 * optional "export ", values bare, in 'single' or in "double" quotes (with \" \\ \$ \n). Nothing is expanded.
 * Owns its text, wiped when freed, as it may hold secrets. Constant after parsing.
 */
#include "lib/conf/keys.h"

typedef struct EnvFile EnvFile;

enum { ENV_FILE_BYTES_MAX = 1 << 20 };

/* Faults go to @diags, what could be read is kept; a name given twice is a fault. */
EnvFile *env_file_parse(Slice text, const char *file, ConfDiags *diags);
/* The same, from disk. NULL when it cannot be read (a fault, too). */
EnvFile *env_file_read(const char *file, ConfDiags *diags);
EnvFile *env_file_free(EnvFile *f); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(EnvFile *, env_file_free)

/* Borrows @f. */
ConfSource env_file_source(const EnvFile *f);
/* Names that no row of @keys knows (NAME_FILE of secrets included) are faults; the nearest known one is named. */
void env_file_check_names(const EnvFile *f, const ConfKeys *keys, ConfDiags *diags);
