/* SPDX-License-Identifier: PostgreSQL */
/* A document that comes from afar, of any bytes. Held to: no crash, and every fault has a message. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/catalog/collection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ConfDiags *diags = conf_diags_new();
    collection_check(slice_from((const char *)data, size), "doc", diags);
    for (size_t i = 0; i < conf_diags_count(diags); i++) {
        if (conf_diags_at(diags, i)->message[0] == '\0')
            abort();
    }
    (void)conf_diags_free(diags);
    return 0;
}
