#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The backend's end for tests of collector/link: one HTTPS server for all tests of a program. */
#include "tests/support/push_server.h"
#include "tests/support/unit.h"

static PushServer server;

static int begin_all(void **state)
{
    (void)state;
    server = push_server_start(NULL);
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    push_server_stop(&server);
    return 0;
}

#define LINK_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
