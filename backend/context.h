#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What handlers reach through r->backend: the parts of the running program, made by main.c in the order below and
 * ended in the opposite one. The pointers are constant while the listener runs; each part says which threads may use
 * it. Only pointers to opaque types stand here, so including it pulls in nothing.
 */
struct Auth;
struct BackendSettings;
struct Ca;
struct Catalog;
struct Ingest;
struct Store;

typedef struct Backend {
    const struct BackendSettings *settings;
    const struct Catalog *catalog;
    struct Store *store;
    struct Ca *ca;
    struct Auth *auth; /* token keys, login throttle */
    struct Ingest *ingest;
} Backend;
