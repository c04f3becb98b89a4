#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A locale that writes 1,5 for the number 1.5, built by localedef for this process, because a machine that builds or
 * tests seldom has one. False (and nothing changed) where localedef or its sources are missing: skip then.
 */
#include <stdbool.h>

bool comma_locale_enter(void);
void comma_locale_leave(void);
