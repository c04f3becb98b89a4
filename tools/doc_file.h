#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What programs that generate documents share: their command line and the writing or checking of one file.
 *
 *   gen_x FILE           writes FILE
 *   gen_x --check FILE   exit 1 when FILE is not what would be written
 */
#include <stdbool.h>

#include "lib/base/slice.h"

/* False, with a usage line, when the arguments are not one of the two forms above. */
bool doc_arguments_are_good(int argc, char **argv);
/* Writes or checks, as asked; the exit status. */
int doc_finish(int argc, char **argv, Slice text);
