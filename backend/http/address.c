/* SPDX-License-Identifier: PostgreSQL */
/* Network addresses. IPv4 is kept as IPv4-mapped IPv6, so that one comparison serves both. */
#include "backend/http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const HttpAddress *a)
{
    return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

static HttpAddress from_ipv4(const struct in_addr *v4)
{
    HttpAddress a;
    memcpy(a.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(a.bytes + sizeof mapped_prefix, v4, sizeof *v4);
    return a;
}

bool http_address_from_sockaddr(const struct sockaddr *address, HttpAddress *ret)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        *ret = from_ipv4(&in.sin_addr);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        memcpy(ret->bytes, &in6.sin6_addr, sizeof ret->bytes);
        return true;
    }
    return false;
}

/* Without brackets and port. */
static Slice strip_port(Slice text)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        return end ? slice_from(text.ptr + 1, (size_t)(end - text.ptr) - 1) : text;
    }
    const char *first = text.len ? memchr(text.ptr, ':', text.len) : NULL;
    const char *last = text.len ? memrchr(text.ptr, ':', text.len) : NULL;
    return first && first == last ? slice_from(text.ptr, (size_t)(first - text.ptr)) : text;
}

bool http_address_from_text(Slice text, HttpAddress *ret)
{
    Slice bare = strip_port(slice_trim(text));
    char copy[INET6_ADDRSTRLEN];
    if (bare.len == 0 || bare.len >= sizeof copy)
        return false;
    memcpy(copy, bare.ptr, bare.len);
    copy[bare.len] = '\0';

    struct in_addr v4;
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        *ret = from_ipv4(&v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}

void http_address_to_text(const HttpAddress *a, char ret[HTTP_ADDRESS_TEXT_SIZE])
{
    const char *text = is_mapped(a) ? inet_ntop(AF_INET, a->bytes + sizeof mapped_prefix, ret, HTTP_ADDRESS_TEXT_SIZE)
                                    : inet_ntop(AF_INET6, a->bytes, ret, HTTP_ADDRESS_TEXT_SIZE);
    if (!text)
        ret[0] = '\0';
}

bool http_address_is_loopback(const HttpAddress *a)
{
    static const HttpAddress loopback6 = {.bytes = {[15] = 1}};
    return is_mapped(a) ? a->bytes[12] == 127 : memcmp(a, &loopback6, sizeof *a) == 0;
}

static bool parse_network(Slice text, HttpNetwork *ret)
{
    Slice bits = text;
    Slice base = slice_split(&bits, '/');
    if (!http_address_from_text(base, &ret->base))
        return false;
    unsigned offset = is_mapped(&ret->base) ? 96 : 0;
    uint64_t number = 128 - offset;
    if (bits.ptr && (!slice_to_uint64(bits, &number) || number > 128 - offset))
        return false;
    ret->bits = (unsigned)number + offset;
    return true;
}

int http_networks_parse(const char *text, HttpNetworkVec *ret, Err *reterr)
{
    Slice rest = slice_cstr(text);
    while (rest.ptr) {
        Slice part = slice_trim(slice_split(&rest, ','));
        if (part.len == 0)
            continue;
        HttpNetwork network;
        if (!parse_network(part, &network))
            return err_set(reterr, ERR_CONFIG, "\"%.*s\" is not an address or network such as 10.0.0.0/8",
                           SLICE_ARG(part));
        (void)http_network_vec_push(ret, network);
    }
    return 0;
}

static bool network_contains(const HttpNetwork *n, const HttpAddress *a)
{
    size_t whole = n->bits / 8;
    if (memcmp(n->base.bytes, a->bytes, whole) != 0)
        return false;
    unsigned left = n->bits % 8;
    if (left == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - left));
    return ((n->base.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

bool http_networks_contain(const HttpNetworkVec *list, const HttpAddress *a)
{
    for (size_t i = 0; i < list->len; i++) {
        if (network_contains(&list->items[i], a))
            return true;
    }
    return false;
}

HttpAddress http_address_of_client(const HttpNetworkVec *trusted, const HttpAddress *peer, const char *forwarded)
{
    HttpAddress client = *peer;
    Slice rest = slice_cstr(forwarded);
    /* From right to left: each hop vouches only for what stands left of it, and only while it is trusted. */
    while (rest.ptr && http_networks_contain(trusted, &client)) {
        const char *comma = rest.len ? memrchr(rest.ptr, ',', rest.len) : NULL;
        Slice last = comma ? slice_from(comma + 1, (size_t)(rest.ptr + rest.len - comma) - 1) : rest;
        HttpAddress next;
        if (!http_address_from_text(last, &next))
            break;
        client = next;
        rest = comma ? slice_from(rest.ptr, (size_t)(comma - rest.ptr)) : SLICE_NULL;
    }
    return client;
}
