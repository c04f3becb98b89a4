#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The server: all parts in order, signals, and the way out. Main thread. */
#include "backend/program.h"

/* Serves until SIGTERM or SIGINT. SIGHUP reads certificates and log level again. Returns the exit status. */
int serve_run(Program *p);
