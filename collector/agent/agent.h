#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Agent: the running collector. Owns the targets, their spools and the sender; starts, reloads (SIGHUP) and stops
 * (SIGTERM, SIGINT) them. The main thread, which otherwise sleeps.
 */
int agent_run(const char *config); /* the exit status */
