#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* "pganalytics status": asks the running collector and prints its answer, for people or as the JSON that it is. */
#include "collector/command/cli.h"
#include "lib/base/clock.h"
#include "lib/base/slice.h"

/* 0: it runs and is well; 1: it does not run, or says what is wrong; 2: wrong settings. */
int status_run(const Cli *cli);
/* The text for people. True when there are no problems. False too when @json is none of ours. */
bool status_print(FILE *out, Slice json);
