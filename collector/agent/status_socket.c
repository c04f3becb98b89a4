/* SPDX-License-Identifier: PostgreSQL */
/*
 * See status_socket.h. A socket's address has room for some hundred bytes, a state_dir may be longer: so it is named
 * through /proc/self/fd.
 */
#include "collector/agent/status_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ANSWER_TIMEOUT (2 * USEC_PER_SEC)
enum { WAITING_MAX = 8, CHUNK = 64 << 10 };

static const char socket_name[] = "status.sock";

/* @directory_fd must stay open while the address is used. */
static int make_address(const char *state_dir, struct sockaddr_un *ret, int *ret_directory_fd, Err *reterr)
{
    *ret_directory_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_directory_fd < 0)
        return err_set_errno(reterr, ERR_CONNECT, errno, "opening %s", state_dir);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_directory_fd,
                   socket_name); /* fits */
    return 0;
}

int status_socket_listen(const char *state_dir, int *ret_fd, Err *reterr)
{
    struct sockaddr_un address;
    _cleanup_close_ int directory = -1;
    int r = make_address(state_dir, &address, &directory, reterr);
    if (r < 0)
        return err_trace(r);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlinkat(directory, socket_name, 0); /* mostly it is not there; else bind() says so */
    /* The mode of the descriptor becomes that of the socket's name: nobody can connect in between. */
    if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        fchmodat(directory, socket_name, S_IRUSR | S_IWUSR, 0) != 0 || listen(fd, WAITING_MAX) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "listening at %s/%s", state_dir, socket_name);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

void status_socket_remove(const char *state_dir)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", state_dir, socket_name);
    (void)unlink(buf_cstr(&path)); /* the next start replaces it anyway */
}

/* Until @fd is ready for @events or @deadline (monotonic). */
static bool wait_ready(int fd, short events, Usec deadline)
{
    for (;;) {
        const Usec left = deadline - clock_monotonic();
        struct pollfd p = {.fd = fd, .events = events};
        const int n = poll(&p, 1, left > 0 ? (int)(left / USEC_PER_MSEC) + 1 : 0);
        if (n > 0)
            return true;
        if (n == 0 || errno != EINTR)
            return false;
    }
}

void status_socket_answer(int fd, Slice text)
{
    _cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const Usec deadline = clock_monotonic() + ANSWER_TIMEOUT;
    while (peer >= 0 && text.len > 0) {
        const ssize_t n = send(peer, text.ptr, text.len, MSG_NOSIGNAL);
        if (n > 0)
            text = slice_skip(text, (size_t)n);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR) || !wait_ready(peer, POLLOUT, deadline))
            return; /* gone, or too slow: it sees a text that is cut */
    }
}

static int receive(int fd, Usec deadline, Buf *ret, Err *reterr)
{
    while (ret->len <= STATUS_TEXT_MAX) {
        if (!wait_ready(fd, POLLIN, deadline))
            return err_set(reterr, ERR_TIMEOUT, "the running collector does not answer");
        buf_reserve(ret, CHUNK);
        const ssize_t n = recv(fd, ret->ptr + ret->len, CHUNK, 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_set_errno(reterr, ERR_CONNECT, errno, "reading the collector's answer");
        ret->len += n > 0 ? (size_t)n : 0;
        ret->ptr[ret->len] = '\0';
    }
    return err_set(reterr, ERR_TOO_LARGE, "the collector's answer has more than %d bytes", STATUS_TEXT_MAX);
}

int status_socket_ask(const char *state_dir, Usec timeout, Buf *ret, Err *reterr)
{
    struct sockaddr_un address;
    _cleanup_close_ int directory = -1;
    int r = make_address(state_dir, &address, &directory, reterr);
    if (r < 0)
        return err_trace(r);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(reterr, ERR_IO, errno, "making a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        const int number = errno;
        if (number == ENOENT || number == ECONNREFUSED)
            return err_set(reterr, ERR_CONNECT, "no collector runs with state_dir %s", state_dir);
        r = err_set_errno(reterr, ERR_CONNECT, number, "asking the collector at %s/%s", state_dir, socket_name);
        if (number == EACCES)
            err_hint(reterr, "ask as the user that the collector runs as, or as root");
        return r;
    }
    return err_trace(receive(fd, clock_monotonic() + timeout, ret, reterr));
}
