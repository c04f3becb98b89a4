/* SPDX-License-Identifier: PostgreSQL */
/*
 * Prints the batches that wait in a collector's spool, a line of JSON each, oldest first. Empties the spool: give it a
 * copy. For tests.
 *   spool_dump DIRECTORY
 */
#include <stdio.h>

#include "collector/spool/spool.h"
#include "lib/wire/push.h"

static int print_batch(Spool *spool, uint64_t *ret_sequence, Err *reterr)
{
    _cleanup_buf_ Buf payload = BUF_INIT, text = BUF_INIT;
    WireEncoding encoding;
    int r = spool_peek(spool, &payload, &encoding, ret_sequence, reterr);
    if (r != SPOOL_OK)
        return r;
    r = wire_decompress(encoding, buf_slice(&payload), WIRE_TEXT_MAX, &text, reterr);
    if (r >= 0)
        printf("%s\n", buf_cstr(&text));
    return r;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: spool_dump DIRECTORY\n");
        return 2;
    }
    _cleanup_(spool_closep) Spool *spool = NULL;
    SpoolOptions options = {.directory = argv[1]};
    Err err = ERR_INIT;
    int r = spool_open(&spool, &options, &err);
    while (r == SPOOL_OK) {
        uint64_t sequence;
        r = print_batch(spool, &sequence, &err);
        if (r == SPOOL_OK)
            r = spool_ack(spool, sequence, &err);
    }
    if (r < 0)
        fprintf(stderr, "spool_dump: %s\n", err.detail);
    return r < 0;
}
