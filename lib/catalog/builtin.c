/* SPDX-License-Identifier: PostgreSQL */
/* The families of catalog/, built into both programs. The table is made at build time by pga_embed(). */
#include "lib/catalog/family.h"

extern const EmbeddedFile catalog_files[];
extern const size_t catalog_files_count;

int catalog_new_builtin(Catalog **ret, Err *reterr)
{
    return err_trace(catalog_new(ret, catalog_files, catalog_files_count, reterr));
}
