/* SPDX-License-Identifier: PostgreSQL */
/* See listen.h. IPv6 for all addresses takes IPv4 too; hosts without IPv6 get plain IPv4. */
#include "lib/io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(const struct addrinfo *address, int backlog, int *ret_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    int off = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    if (address->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, backlog) < 0) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t len = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.any, &len) < 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

int listen_tcp(const char *host, uint16_t port, int backlog, int *ret_fd, uint16_t *ret_port, Err *reterr)
{
    const char *all[] = {"::", "0.0.0.0"};
    const char *one[] = {host};
    bool any = host[0] == '\0';
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);

    int r = -EADDRNOTAVAIL;
    for (size_t i = 0; r < 0 && i < (any ? ARRAY_LENGTH(all) : ARRAY_LENGTH(one)); i++) {
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_PASSIVE};
        struct addrinfo *found = NULL;
        int failed = getaddrinfo(any ? all[i] : one[i], service, &hints, &found);
        if (failed && any)
            continue;
        if (failed)
            return err_set(reterr, ERR_CONFIG, "listen address \"%s\": %s", host, gai_strerror(failed));
        r = open_socket(found, backlog, ret_fd);
        freeaddrinfo(found);
        if (r == -EADDRINUSE)
            break;
    }
    if (r == -EADDRINUSE)
        return err_set(reterr, ERR_CONFLICT, "port %s is already taken", service);
    if (r < 0)
        return err_set_errno(reterr, ERR_IO, -r, "cannot listen on %s port %s", any ? "any address" : host, service);
    if (ret_port)
        *ret_port = bound_port(*ret_fd);
    return 0;
}

bool listen_parse(Slice text, char ret_host[LISTEN_HOST_SIZE], uint16_t *ret_port)
{
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ':')
            colon = (ptrdiff_t)i;
    }
    int64_t port;
    if (colon < 0 || !slice_to_int64(slice_skip(text, (size_t)colon + 1), &port) || port < 1 || port > 65535)
        return false;
    Slice host = slice_from(text.ptr, (size_t)colon);
    bool brackets = slice_starts_with(host, SLICE_LIT("[")) && slice_ends_with(host, SLICE_LIT("]"));
    if (brackets)
        host = slice_from(host.ptr + 1, host.len - 2);
    if (brackets != (slice_find(host, SLICE_LIT(":")) >= 0) || host.len >= LISTEN_HOST_SIZE ||
        memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(ret_host, host.ptr, host.len);
    ret_host[host.len] = '\0';
    *ret_port = (uint16_t)port;
    return true;
}

bool listen_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}
