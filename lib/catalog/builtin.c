/* SPDX-License-Identifier: PostgreSQL */
/* The families of catalog/, built into both programs. The table is made at build time by tools/gen_catalog.c. */
#include "lib/catalog/family.h"

extern const Family catalog_families[];
extern const size_t catalog_families_count;

int catalog_new_builtin(Catalog **ret, Err *reterr)
{
    return err_trace(catalog_new(ret, catalog_families, catalog_families_count, reterr));
}
