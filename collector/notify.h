#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Tells the service manager how we are (sd_notify protocol). Without NOTIFY_SOCKET it does nothing. Main thread. */
void notify_service_manager(const char *state); /* "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1" */
