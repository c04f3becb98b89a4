/* SPDX-License-Identifier: PostgreSQL */
/* The request line's target and the header fields, as libmicrohttpd would give them: first line target, then
 * "name: value" lines. */
#include <assert.h>

#include "backend/http/address.h"
#include "backend/http/answer.h"
#include "backend/http/framing.h"
#include "backend/http/target.h"
#include "backend/http/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_field(HttpRequest *r, Slice line)
{
    Slice value = line;
    Slice name = slice_split(&value, ':');
    if (!value.ptr)
        value = SLICE_LIT("");
    HttpField field = {.name = arena_dup(r->arena, name).ptr, .value = arena_dup(r->arena, slice_trim(value)).ptr};
    (void)http_field_vec_push(&r->headers, field);
}

static void use_headers(HttpRequest *r)
{
    HttpFraming framing;
    if (http_framing_check(&r->headers, "HTTP/1.1", &framing, NULL) == 0)
        assert(!(framing.chunked && framing.has_length));
    const char *cookie = http_request_cookie(r, "pga_access");
    assert(!cookie || !strchr(cookie, ';'));
    (void)http_answer_accepts_gzip(http_request_header(r, "Accept-Encoding"));
    (void)http_answer_allowed_origin("https://a.example,https://b.example", http_request_header(r, "Origin"), r->arena);

    HttpNetworkVec trusted = {0};
    HttpAddress peer = {.bytes = {[15] = 1}};
    if (http_networks_parse("::1, 10.0.0.0/8", &trusted, NULL) == 0)
        (void)http_address_of_client(&trusted, &peer, http_request_header(r, "X-Forwarded-For"));
    http_network_vec_done(&trusted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;
    http_request_init(&r, arena);
    Slice rest = slice_from(data ? (const void *)data : "", size);
    Slice target = slice_split(&rest, '\n');
    while (rest.ptr && r.headers.len < 100)
        take_field(&r, slice_split(&rest, '\n'));

    if (http_target_parse(target, arena, &r.path, &r.query, NULL) == 0) {
        for (size_t i = 0; i < r.query.len; i++)
            assert(slice_is_utf8(slice_cstr(r.query.items[i].value)));
    }
    use_headers(&r);

    HttpTrust *trust = http_trust_new();
    HttpCertificate certificate;
    http_trust_verify_text(trust, slice_from(data ? (const void *)data : "", size), &certificate);
    assert(certificate.serial[0] == '\0'); /* nobody is trusted */
    (void)http_trust_free(trust);
    http_request_done(&r);
    return 0;
}
