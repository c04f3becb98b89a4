#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The collector's version: PGA_VERSION and PGA_COMMIT come from the build. */
#ifndef PGA_VERSION
#define PGA_VERSION "3.0.0"
#endif
#ifndef PGA_COMMIT
#define PGA_COMMIT "unknown"
#endif
#define COLLECTOR_VERSION PGA_VERSION
