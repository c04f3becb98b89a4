#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * --dry-run: connects to every server, reads every family once, prints each server's batch as a line of JSON on
 * standard output, and for people on standard error what each family costs and what is missing. Sends and keeps
 * nothing. Main thread.
 */
int dry_run(const char *config); /* the exit status: 1 when a server could not be read */
