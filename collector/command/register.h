#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* `pganalytics register`: the command around enrol_register(). Main thread. */
#include "collector/command/cli.h"

int register_run(const Cli *cli); /* the exit status */
