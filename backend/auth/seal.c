/* SPDX-License-Identifier: PostgreSQL */
/* Encryption of secrets at rest: see seal.h. AES-256-GCM by OpenSSL's EVP. */
#include "backend/auth/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sodium.h>
#include <stdio.h>

static void cipher_freep(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

void seal_init(Seal *ret, const uint8_t key[SEAL_KEY_BYTES])
{
    uint8_t digest[crypto_hash_sha256_BYTES];

    memcpy(ret->key, key, SEAL_KEY_BYTES);
    (void)crypto_hash_sha256(digest, key, SEAL_KEY_BYTES); /* cannot fail */
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(ret->key_id + 2 * i, 3, "%02x", digest[i]);
}

void seal_done(Seal *s)
{
    sodium_memzero(s, sizeof *s);
}

int seal_encrypt(const Seal *s, const char *name, Slice plain, uint8_t ret_nonce[SEAL_NONCE_BYTES], Buf *ret,
                 Err *reterr)
{
    _cleanup_(cipher_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0, end = 0;

    buf_reserve(ret, plain.len + SEAL_TAG_BYTES);
    uint8_t *out = (uint8_t *)ret->ptr + ret->len;
    if (!c || RAND_bytes(ret_nonce, SEAL_NONCE_BYTES) != 1 ||
        EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, ret_nonce) != 1 ||
        EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)name, (int)strlen(name)) != 1 ||
        EVP_EncryptUpdate(c, out, &n, (const uint8_t *)plain.ptr, (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(c, out + n, &end) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_BYTES, out + plain.len) != 1)
        return err_set(reterr, ERR_INTERNAL, "secret %s could not be encrypted", name);
    ret->len += plain.len + SEAL_TAG_BYTES;
    ret->ptr[ret->len] = '\0';
    return 0;
}

int seal_decrypt(const Seal *s, const char *name, const uint8_t nonce[SEAL_NONCE_BYTES], Slice sealed, Buf *ret,
                 Err *reterr)
{
    _cleanup_(cipher_freep) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t tag[SEAL_TAG_BYTES];
    int n = 0, end = 0;

    if (sealed.len < SEAL_TAG_BYTES)
        return err_set(reterr, ERR_CORRUPT, "secret %s is too short to be one", name);
    size_t length = sealed.len - SEAL_TAG_BYTES;
    memcpy(tag, sealed.ptr + length, sizeof tag);
    buf_reserve(ret, length + 1);
    uint8_t *out = (uint8_t *)ret->ptr + ret->len;
    if (!c || EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->key, nonce) != 1 ||
        EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)name, (int)strlen(name)) != 1 ||
        EVP_DecryptUpdate(c, out, &n, (const uint8_t *)sealed.ptr, (int)length) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_BYTES, tag) != 1 ||
        EVP_DecryptFinal_ex(c, out + n, &end) != 1) {
        sodium_memzero(out, length);
        int r = err_set(reterr, ERR_CORRUPT, "secret %s cannot be decrypted with this ENCRYPTION_KEY", name);
        err_hint(reterr, "set ENCRYPTION_KEY to the key that it was stored with");
        return r;
    }
    ret->len += length;
    ret->ptr[ret->len] = '\0';
    return 0;
}
