#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * `pganalytics bloat`: measures with the extension pgstattuple how much of tables and btree indexes is free or dead. It
 * reads whole relations, so it runs only when somebody asks: the largest first, one at a time, each followed by a pause
 * as long as it took, within a bound of size and number. Main thread.
 */
#include "collector/command/cli.h"

int bloat_run(const char *config, const Cli *cli); /* the exit status */
