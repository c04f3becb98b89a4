/* SPDX-License-Identifier: PostgreSQL */
/* Framing rules of RFC 9112 sections 5.1, 6.1 and 6.3, in the strict reading. */
#include "backend/http/framing.h"

#include <strings.h>

static bool is_token(const char *name)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return name[0] != '\0' && name[strspn(name, allowed)] == '\0';
}

static bool is_digits(const char *value)
{
    return value[0] != '\0' && value[strspn(value, "0123456789")] == '\0';
}

typedef struct Seen {
    unsigned lengths;
    unsigned encodings;
    unsigned hosts;
} Seen;

static int check_field(const HttpField *f, Seen *seen, HttpFraming *ret, Err *reterr)
{
    if (!is_token(f->name))
        return err_set(reterr, ERR_FRAMING, "a header name is empty or has characters that are not allowed");

    if (strcasecmp(f->name, "content-length") == 0) {
        if (++seen->lengths > 1)
            return err_set(reterr, ERR_FRAMING, "more than one Content-Length");
        if (!is_digits(f->value) || !slice_to_uint64(slice_cstr(f->value), &ret->length))
            return err_set(reterr, ERR_FRAMING, "Content-Length is not a number of bytes");
        ret->has_length = true;
    } else if (strcasecmp(f->name, "transfer-encoding") == 0) {
        if (++seen->encodings > 1 || strcasecmp(f->value, "chunked") != 0)
            return err_set(reterr, ERR_FRAMING, "Transfer-Encoding is not exactly chunked");
        ret->chunked = true;
    } else if (strcasecmp(f->name, "host") == 0 && ++seen->hosts > 1) {
        return err_set(reterr, ERR_FRAMING, "more than one Host");
    }
    return 0;
}

int http_framing_check(const HttpFieldVec *headers, const char *version, HttpFraming *ret, Err *reterr)
{
    *ret = (HttpFraming){0};
    Seen seen = {0};
    for (size_t i = 0; i < headers->len; i++) {
        int r = check_field(&headers->items[i], &seen, ret, reterr);
        if (r < 0)
            return r;
    }

    if (ret->chunked && ret->has_length)
        return err_set(reterr, ERR_FRAMING, "both Content-Length and Transfer-Encoding");
    if (ret->chunked && strcmp(version, "HTTP/1.1") != 0)
        return err_set(reterr, ERR_FRAMING, "Transfer-Encoding needs HTTP/1.1");
    return 0;
}
