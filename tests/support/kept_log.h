#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What is logged while a test runs, kept instead of written. One test at a time; any of its threads logs. */
#include <pthread.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/log.h"

static pthread_mutex_t kept_log_lock = PTHREAD_MUTEX_INITIALIZER;
static Buf kept_log_text;

static inline UNUSED void kept_log_line(void *arg, LogLevel level, Slice line)
{
    (void)arg, (void)level;
    (void)pthread_mutex_lock(&kept_log_lock);
    buf_append(&kept_log_text, line);
    buf_append_char(&kept_log_text, '\n');
    (void)pthread_mutex_unlock(&kept_log_lock);
}

static inline UNUSED void kept_log_begin(void)
{
    log_capture(kept_log_line, NULL);
}

static inline UNUSED void kept_log_end(void)
{
    log_capture(NULL, NULL);
    buf_done(&kept_log_text);
}

/* Forgets what was logged so far. */
static inline UNUSED void kept_log_clear(void)
{
    (void)pthread_mutex_lock(&kept_log_lock);
    buf_clear(&kept_log_text);
    (void)pthread_mutex_unlock(&kept_log_lock);
}

static inline UNUSED size_t times_logged(const char *part)
{
    size_t times = 0;
    (void)pthread_mutex_lock(&kept_log_lock);
    for (const char *at = buf_cstr(&kept_log_text); (at = strstr(at, part)); at++)
        times++;
    (void)pthread_mutex_unlock(&kept_log_lock);
    return times;
}

static inline UNUSED bool logged(const char *part)
{
    return times_logged(part) > 0;
}

static inline UNUSED bool logged_nothing(void)
{
    (void)pthread_mutex_lock(&kept_log_lock);
    const bool nothing = kept_log_text.len == 0;
    (void)pthread_mutex_unlock(&kept_log_lock);
    return nothing;
}
