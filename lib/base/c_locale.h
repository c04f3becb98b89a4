#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The "C" locale as an object, for reading and printing numbers: programs that call setlocale() (or libraries that do)
 * must not turn our "1.5" into "1,5". Any thread.
 */
#include <locale.h>

locale_t c_locale(void);
