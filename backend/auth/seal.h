#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Encryption of secrets at rest: AES-256-GCM under ENCRYPTION_KEY, a fresh nonce each time, the secret's name as
 * additional data so that one stored secret cannot be put in another's place. The key id is the first eight bytes of
 * the key's SHA-256 in hex. Pure; any thread.
 */
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum { SEAL_KEY_BYTES = 32, SEAL_NONCE_BYTES = 12, SEAL_TAG_BYTES = 16, SEAL_KEY_ID_SIZE = 17 };

typedef struct Seal {
    uint8_t key[SEAL_KEY_BYTES];
    char key_id[SEAL_KEY_ID_SIZE];
} Seal;

void seal_init(Seal *ret, const uint8_t key[SEAL_KEY_BYTES]);
void seal_done(Seal *s); /* wipes */

/* Appends the ciphertext with its tag to @ret. */
int seal_encrypt(const Seal *s, const char *name, Slice plain, uint8_t ret_nonce[SEAL_NONCE_BYTES], Buf *ret,
                 Err *reterr) MUST_CHECK;
/* ERR_CORRUPT when key, name, nonce or text do not belong together. */
int seal_decrypt(const Seal *s, const char *name, const uint8_t nonce[SEAL_NONCE_BYTES], Slice sealed, Buf *ret,
                 Err *reterr) MUST_CHECK;
