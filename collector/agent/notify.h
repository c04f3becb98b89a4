#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Tells the service manager how we are (sd_notify protocol). Without NOTIFY_SOCKET it does nothing. Main thread. */
#include "lib/base/clock.h"

bool notify_is_wanted(void);                    /* a service manager started us and listens */
void notify_service_manager(const char *state); /* "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1" */
/* How often the watchdog wants to hear "WATCHDOG=1": half of what the service manager waits for; 0: it does not ask. */
Usec notify_watchdog_interval(void);
