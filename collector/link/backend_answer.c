/* SPDX-License-Identifier: PostgreSQL */
/* What an HTTP answer of the backend means. Pure, any thread. */
#include "collector/link/backend_answer.h"

#include <stdio.h>

#include "lib/json/json.h"

enum { ERROR_BODY_MAX = 64 << 10, ERROR_BODY_DEPTH = 8 };

/* Cut to fit, in the middle of a character at worst: err_set() and the log repair that. */
static void copy_member(yyjson_val *object, const char *name, char *to, size_t size)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, name));
    (void)snprintf(to, size, "%s", text ? text : ""); /* a cut text is as good */
}

void backend_error_read(const HttpAnswer *answer, BackendError *ret)
{
    *ret = (BackendError){.ours = false};
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    const JsonLimits limits = {.bytes = ERROR_BODY_MAX, .depth = ERROR_BODY_DEPTH};
    if (json_parse(buf_slice(&answer->body), limits, &doc, NULL) < 0)
        return;
    yyjson_val *error = yyjson_obj_get(yyjson_doc_get_root(doc), "error");
    if (!yyjson_is_str(yyjson_obj_get(error, "code")) || !yyjson_is_str(yyjson_obj_get(error, "message")))
        return;
    ret->ours = true;
    copy_member(error, "code", ret->code, sizeof(ret->code));
    copy_member(error, "message", ret->message, sizeof(ret->message));
    copy_member(error, "hint", ret->hint, sizeof(ret->hint));
}

static ErrCode code_of_slug(const char *slug)
{
    for (ErrCode code = ERR_NONE + 1; code < _ERR_CODE_MAX; code++) /* "ok" is no error's */
        if (strcmp(err_code_slug(code), slug) == 0)
            return code;
    return ERR_UNAVAILABLE;
}

int backend_error_set(Err *reterr, const char *doing, const HttpAnswer *answer)
{
    BackendError error;
    backend_error_read(answer, &error);
    if (!error.ours) {
        const int r =
            err_set(reterr, ERR_UNAVAILABLE, "%s: answer %d, not in the backend's form", doing, answer->status);
        err_hint(reterr, "is it the backend that answers at this address, or a proxy in front of it?");
        return r;
    }
    const int r = err_set(reterr, code_of_slug(error.code), "%s: the backend answered %d: %s: %s", doing,
                          answer->status, error.code, error.message);
    if (error.hint[0])
        err_hint(reterr, "%s", error.hint);
    return r;
}

const char *push_verdict_to_string(PushVerdict verdict)
{
    static const char *const names[_PUSH_VERDICT_MAX] = {
        [PUSH_ACCEPTED] = "accepted",       [PUSH_REFUSED] = "refused",   [PUSH_REENCODE] = "reencode",
        [PUSH_RENEW_TOKEN] = "renew token", [PUSH_WAIT_ALL] = "wait all", [PUSH_WAIT_THIS] = "wait this",
    };
    return names[verdict];
}

/* Whether the backend judged the batch itself, and not the way it came. A proxy's own 400 or 413 says nothing about the
 * batch: its settings can be mended, so the batch is kept. */
static bool is_judgement(const BackendError *error)
{
    static const ErrCode judgements[] = {ERR_BODY_INVALID, ERR_SYNTAX, ERR_PARAMETER_INVALID, ERR_TOO_LARGE,
                                         ERR_UNPROCESSABLE};
    for (size_t i = 0; i < ARRAY_LENGTH(judgements); i++)
        if (error->ours && strcmp(error->code, err_code_slug(judgements[i])) == 0)
            return true;
    return false;
}

PushVerdict push_verdict_of(int status, const BackendError *error)
{
    if (status >= 200 && status <= 299)
        return PUSH_ACCEPTED;
    switch (status) {
    case 400:
    case 413:
    case 422:
        return is_judgement(error) ? PUSH_REFUSED : PUSH_WAIT_THIS;
    case 415:
        return PUSH_REENCODE;
    case 401:
        return strcmp(error->code, "token_expired") == 0 || strcmp(error->code, "token_invalid") == 0 ? PUSH_RENEW_TOKEN
                                                                                                      : PUSH_WAIT_ALL;
    case 403: /* certificate revoked, or of another collector */
    case 404: /* wrong address */
    case 405:
    case 429:
    case 502:
    case 503:
    case 504:
        return PUSH_WAIT_ALL;
    default:
        return PUSH_WAIT_THIS;
    }
}
