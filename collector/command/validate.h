#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* --validate: settings and certificates, one line a fault. Connects nowhere. Main thread. */
int validate_run(const char *config); /* the exit status */
