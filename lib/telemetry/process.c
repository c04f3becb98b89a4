/* SPDX-License-Identifier: PostgreSQL */
/*
 * The process's own figures from /proc/self, under the names that Prometheus' client libraries made common. What cannot
 * be read is left out: an absent figure is honest, a zero is not. Any thread.
 */
#include "lib/telemetry/telemetry.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct Figures {
    Buf *out;
    ExpositionFormat format;
} Figures;

static void append_figure(const Figures *f, const char *name, const char *type, const char *help, double value)
{
    exposition_append_head(f->out, f->format, name, type, help);
    buf_printf(f->out, "%s ", name);
    exposition_append_value(f->out, value);
}

/* Reads up to @size - 1 bytes of a file of /proc; what it is, NUL-terminated, or absent. */
static Slice read_proc(const char *path, char *text, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && len + 1 < size) {
        n = read(fd, text + len, size - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
    return len > 0 ? slice_from(text, len) : SLICE_NULL;
}

/* The number behind "name" at the start of a line of @text. */
static bool find_number(Slice text, const char *name, int64_t *ret)
{
    while (text.ptr) {
        Slice line = slice_split(&text, '\n');
        if (!slice_starts_with(line, slice_cstr(name)))
            continue;
        Slice rest = slice_trim(slice_skip(line, strlen(name)));
        return slice_to_int64(slice_split(&rest, ' '), ret);
    }
    return false; /* GCOV_EXCL_LINE: only without /proc */
}

/* Ticks after boot at which we started: field 22 of /proc/self/stat; the name in field 2 may hold anything. */
static bool read_start_ticks(int64_t *ret)
{
    char text[1024];
    Slice rest = read_proc("/proc/self/stat", text, sizeof(text));
    const char *name_end = rest.ptr ? strrchr(rest.ptr, ')') : NULL;
    if (!name_end)
        return false; /* GCOV_EXCL_LINE: only without /proc */
    rest = slice_cstr(name_end);
    for (int field = 2; field < 22; field++)
        (void)slice_split(&rest, ' ');
    return slice_to_int64(slice_split(&rest, ' '), ret);
}

static void append_start_time(const Figures *f)
{
    char text[64 * 1024]; /* "btime" stands behind a line per processor and one with all interrupts */
    int64_t boot, ticks;
    if (!find_number(read_proc("/proc/stat", text, sizeof(text)), "btime ", &boot) || !read_start_ticks(&ticks))
        return; /* GCOV_EXCL_LINE: only without /proc */
    append_figure(f, "process_start_time_seconds", "gauge", "Start of the process, in seconds since 1970.",
                  (double)boot + (double)ticks / (double)sysconf(_SC_CLK_TCK));
}

static void append_status(const Figures *f)
{
    char text[8192];
    Slice status = read_proc("/proc/self/status", text, sizeof(text));
    int64_t value;
    if (find_number(status, "VmRSS:", &value))
        append_figure(f, "process_resident_memory_bytes", "gauge", "Resident memory.", (double)value * 1024);
    if (find_number(status, "VmSize:", &value))
        append_figure(f, "process_virtual_memory_bytes", "gauge", "Virtual memory.", (double)value * 1024);
    if (find_number(status, "Threads:", &value))
        append_figure(f, "process_threads", "gauge", "Threads.", (double)value);
}

static void append_descriptors(const Figures *f)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return;         /* GCOV_EXCL_LINE: only without /proc or at the limit of descriptors */
    int64_t count = -1; /* the directory's own descriptor is one of the entries */
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        count += e->d_name[0] != '.';
    (void)closedir(directory);
    append_figure(f, "process_open_fds", "gauge", "Open file descriptors.", (double)count);

    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        append_figure(f, "process_max_fds", "gauge", "Most file descriptors allowed.", (double)limit.rlim_cur);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void telemetry_write_process(Buf *out, ExpositionFormat format)
{
    Figures f = {.out = out, .format = format};
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        append_figure(&f, "process_cpu_seconds_total", "counter", "User and system processor time.",
                      seconds(usage.ru_utime) + seconds(usage.ru_stime));
    append_status(&f);
    append_descriptors(&f);
    append_start_time(&f);
}
