/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the backend, or whoever answers in its place, says to the collector: the answer to a push, an error, a token.
 * The first byte is the HTTP status's last two digits. Held to: no crash, every text ends within its place, a
 * refusal has a code and a message of UTF-8, an answer that was taken is written and read back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/link/backend_answer.h"
#include "collector/link/token.h"
#include "lib/wire/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void read_error(int status, Slice text)
{
    _cleanup_(http_answer_donep) HttpAnswer answer = HTTP_ANSWER_INIT;
    BackendError error;
    Err err = ERR_INIT;
    answer.status = status;
    buf_append(&answer.body, text);
    backend_error_read(&answer, &error);
    expect(memchr(error.code, '\0', sizeof(error.code)) && memchr(error.message, '\0', sizeof(error.message)) &&
           memchr(error.hint, '\0', sizeof(error.hint)));
    expect(error.ours || error.code[0] == '\0');
    expect(push_verdict_of(status, &error) < _PUSH_VERDICT_MAX);
    expect(backend_error_set(&err, "asking", &answer) < 0 && err.code != ERR_NONE && err.detail[0]);
    expect(slice_is_utf8(slice_cstr(err.detail)) && slice_is_utf8(slice_cstr(err.hint)));
}

static void read_answer(Slice text)
{
    _cleanup_(arena_freep) Arena *arena = arena_new((size_t)64 << 20);
    _cleanup_buf_ Buf once = BUF_INIT, twice = BUF_INIT;
    PushAnswer answer, again;
    Err err = ERR_INIT;
    if (push_answer_decode(text, arena, &answer, &err) < 0) {
        expect(err.code != ERR_NONE && err.detail[0]);
        return;
    }
    push_answer_encode(&answer, &once);
    expect(push_answer_decode(buf_slice(&once), arena, &again, &err) == 0);
    push_answer_encode(&again, &twice);
    expect(slice_eq(buf_slice(&once), buf_slice(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const Slice text = slice_from(data + 1, size - 1);
    read_error(400 + data[0] % 200, text);
    read_answer(text);
    expect(token_expiry(text) >= 0);
    return 0;
}
