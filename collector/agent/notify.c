/* SPDX-License-Identifier: PostgreSQL */
/* One datagram to $NOTIFY_SOCKET; see sd_notify(3). Failing is no fault: nobody waits for it. */
#include "collector/agent/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notify_is_wanted(void)
{
    return getenv("NOTIFY_SOCKET") != NULL;
}

void notify_service_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    size_t len = strlen(path);
    memcpy(address.sun_path, path, len);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    const struct timeval most = {.tv_sec = 1}; /* a manager that does not read must not stop us */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most)); /* fails never with these */
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)); /* nobody to tell if it fails */
    close(fd);
}

static int64_t read_number(const char *name)
{
    const char *text = getenv(name);
    int64_t value;
    return text && slice_to_int64(slice_cstr(text), &value) && value > 0 ? value : 0;
}

Usec notify_watchdog_interval(void)
{
    const int64_t pid = read_number("WATCHDOG_PID");
    const bool is_meant = pid == 0 || pid == getpid(); /* not a program that started us */
    return is_meant && notify_is_wanted() ? read_number("WATCHDOG_USEC") / 2 : 0;
}
