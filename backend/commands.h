#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What the command line can be told to do. Each returns the exit status. Main thread. */
#include "backend/cli.h"

int command_serve(const Cli *cli);
int command_migrate(const Cli *cli);
int command_check(const Cli *cli);
int command_user_add(const Cli *cli);
int command_user_passwd(const Cli *cli);
int command_user_list(const Cli *cli);
int command_secret_create(const Cli *cli);
