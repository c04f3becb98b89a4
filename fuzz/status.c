/* SPDX-License-Identifier: PostgreSQL */
/* What comes from the status socket, of any bytes, as text for people. Held to: no crash; what is none of ours is not
 * well. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/command/status_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    if (!nowhere || (status_print(nowhere, slice_from(data, size)) && size == 0))
        abort();
    return 0;
}
