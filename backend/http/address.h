#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Network addresses: lists of networks, and who a proxy says it speaks for. Pure; any thread. */
#include <sys/socket.h>

#include "backend/http/http.h"

typedef struct HttpAddress {
    uint8_t bytes[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d */
} HttpAddress;

enum { HTTP_ADDRESS_TEXT_SIZE = 46 };

bool http_address_from_sockaddr(const struct sockaddr *address, HttpAddress *ret);
bool http_address_from_text(Slice text, HttpAddress *ret); /* "10.0.0.1", "::1", "[::1]:443", "10.0.0.1:80" */
void http_address_to_text(const HttpAddress *a, char ret[HTTP_ADDRESS_TEXT_SIZE]);
bool http_address_is_loopback(const HttpAddress *a);

typedef struct HttpNetwork {
    HttpAddress base;
    unsigned bits; /* of 128 */
} HttpNetwork;
DEFINE_VEC(HttpNetworkVec, http_network_vec, HttpNetwork)

/* "10.0.0.0/8, 192.168.1.5, fd00::/8". ERR_CONFIG names the part that is wrong. NULL or "": an empty list. */
int http_networks_parse(const char *text, HttpNetworkVec *ret, Err *reterr) MUST_CHECK;
bool http_networks_contain(const HttpNetworkVec *list, const HttpAddress *a);

/* The client behind trusted proxies: the rightmost address of X-Forwarded-For that is not a trusted proxy itself; the
 * peer when there is none. @forwarded: the header's value or NULL. */
HttpAddress http_address_of_client(const HttpNetworkVec *trusted, const HttpAddress *peer, const char *forwarded);
