/* SPDX-License-Identifier: PostgreSQL */
/* What changes remember: damaged bytes are refused, whole ones save to what loads again. */
#include <stdint.h>
#include <stdlib.h>

#include "collector/increase/changes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const FamilyColumn COLUMN = {.name = "kind", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
    static const Family EVENT = {.name = "change_event", .columns = &COLUMN, .column_count = 1, .label_count = 1};
    _cleanup_(changes_freep) Changes *c = changes_new(&EVENT, 0);
    Err err = ERR_INIT;
    if (changes_load(c, slice_from(data, size), &err) < 0) {
        if (err.code != ERR_CORRUPT)
            abort();
        return 0;
    }
    _cleanup_buf_ Buf bytes = BUF_INIT;
    changes_save(c, &bytes);
    if (changes_load(c, buf_slice(&bytes), &err) < 0)
        abort();
    return 0;
}
