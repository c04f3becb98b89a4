#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Compiler attributes and scope-bound cleanup.
 *
 * A type T * with a free function declares DEFINE_CLEANUP(T *, thing_free) beside its prototypes; a local
 *     _cleanup_(thing_freep) Thing *t = NULL;
 * is then freed on every way out of the scope. TAKE_PTR(t) hands the value over and leaves NULL behind.
 */
#include <stdlib.h>
#include <unistd.h>

#define MUST_CHECK                            __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, args_index) __attribute__((format(printf, format_index, args_index)))
#define UNUSED                                __attribute__((unused))
#define _cleanup_(function)                   __attribute__((cleanup(function)))

/* Defines `function`p(T *), which calls function(*p) unless *p is the type's zero. */
#define DEFINE_CLEANUP(type, function)                                                                                 \
    static inline UNUSED void function##p(type *p)                                                                     \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            (void)function(*p);                                                                                        \
    }

#define TAKE_PTR(pointer)                                                                                              \
    ({                                                                                                                 \
        __auto_type taken_pointer_ = (pointer);                                                                        \
        (pointer) = NULL;                                                                                              \
        taken_pointer_;                                                                                                \
    })

#define TAKE_FD(fd)                                                                                                    \
    ({                                                                                                                 \
        int taken_fd_ = (fd);                                                                                          \
        (fd) = -1;                                                                                                     \
        taken_fd_;                                                                                                     \
    })

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static inline void freep(void *p)
{
    free(*(void **)p);
}

static inline void closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing a cleanup could do about it; writers check fsync before */
}

#define _cleanup_free_  _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
