#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Which families give small results: those are taken from the server in one piece. Row by row costs twice as much
 * (libpq copies the names of all columns for each), but memory is then one row however many there are. What a family
 * gave when it was last read tells what it will give now; one that was never read from a database is taken row by row.
 * Belongs to an open session; its thread.
 */
#include <stdbool.h>
#include <stddef.h>

enum { SMALL_RESULT_CELLS = 32 << 10 }; /* values; 1 MB for as long as the rows are taken */

typedef struct SmallResults SmallResults;

SmallResults *small_results_new(void);
SmallResults *small_results_free(SmallResults *s);
/* @family was read from @database (NULL: the server's; of it only what changed when @changes), and gave so many values.
 */
void small_results_note(SmallResults *s, const char *family, const char *database, bool changes, size_t cells);
bool small_results_expect(const SmallResults *s, const char *family, const char *database, bool changes);
