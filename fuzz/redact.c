/* SPDX-License-Identifier: PostgreSQL */
/*
 * The remover of literals. Whatever the text: no quote of a literal is left over and the output stays in proportion.
 */
#include <stdint.h>
#include <stdlib.h>

#include "collector/reading/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_once(Slice sql, bool backslash_escapes)
{
    _cleanup_buf_ Buf once = BUF_INIT, twice = BUF_INIT;
    redact_sql(sql, backslash_escapes, &once);
    if (once.len > 2 * sql.len + 2)
        abort();
    bool in_identifier = false;
    for (size_t i = 0; i < once.len; i++) {
        if (once.ptr[i] == '"')
            in_identifier = !in_identifier;
        if (once.ptr[i] == '\'' && !in_identifier)
            abort();
    }
    redact_sql(buf_slice(&once), backslash_escapes, &twice);
    if (twice.len > 2 * once.len + 2)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Slice text = slice_from(data, size);
    check_once(text, false);
    check_once(text, true);
    _cleanup_buf_ Buf out = BUF_INIT;
    redact_credentials(text, &out);
    if (out.len > 4 * size + 4)
        abort();
    return 0;
}
