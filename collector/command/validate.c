/* SPDX-License-Identifier: PostgreSQL */
/* See validate.h. Faults go to standard error, what was found in order to standard output. */
#include "collector/command/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collector/command/cli.h"
#include "collector/link/credentials.h"
#include "lib/io/http_client.h"

enum { EXPIRY_WARNING_DAYS = 30 };

static void check_key_mode(const Credentials *c)
{
    struct stat info;
    if (c->key_file && stat(c->key_file, &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH | S_IWGRP | S_IWOTH)))
        cli_print(stdout, "warning: %s is open to others: chmod 600 %s\n", c->key_file, c->key_file);
}

/* 0 in order, 1 a fault. Not being registered yet is no fault of the file. */
static int check_credentials(const Settings *settings)
{
    Credentials c = {0};
    Err err = ERR_INIT;
    int loaded = credentials_load(&c, settings, &err);
    if (loaded == CREDENTIALS_NONE) {
        cli_print(stdout, "no backend: exporter only, at %s\n", settings->prometheus_listen);
        return 0;
    }
    if (loaded < 0) {
        bool not_registered = err.code == ERR_CONFIG;
        if (not_registered)
            cli_print(stdout, "warning: %s (%s)\n", err.detail, err.hint);
        else
            cli_print_error(&err);
        return not_registered ? 0 : 1;
    }
    int64_t days_left;
    int r = credentials_check(&c, clock_wall(), &days_left, &err);
    check_key_mode(&c);
    if (r < 0)
        cli_print_error(&err);
    else if (days_left != INT64_MAX)
        cli_print(stdout, "%s: %s is valid for %" PRId64 " more days\n",
                  days_left < EXPIRY_WARNING_DAYS ? "warning" : "certificate", c.cert_file, days_left);
    credentials_done(&c);
    return r < 0;
}

/* Certificates that the settings of a source name; as the collector would find them. 0 in order. */
static int check_source(SourceKind kind, const SourceHead *head)
{
    Err err = ERR_INIT;
    if (kind == SOURCE_PATRONI) {
        const PatroniSettings *p = (const PatroniSettings *)(const void *)head;
        HttpClientOptions options = {.ca_file = p->ca_cert[0] ? p->ca_cert : NULL,
                                     .cert_file = p->cert[0] ? p->cert : NULL,
                                     .key_file = p->key[0] ? p->key : NULL};
        _cleanup_(http_client_freep) HttpClient *client = NULL;
        if (http_client_new(&client, &options, &err) < 0) {
            err_prefix(&err, "[[patroni]] %s", head->name);
            cli_print_error(&err);
            return 1;
        }
    }
    return 0;
}

static int check_sources(const Settings *settings)
{
    int faults = 0;
    for (SourceKind kind = 0; kind < _SOURCE_KIND_MAX; kind++) {
        const SourceHead *head;
        for (size_t i = 0; (head = settings_source_at(settings, kind, i)); i++)
            faults += check_source(kind, head);
    }
    return faults;
}

static void print_summary(const char *config, const Settings *settings)
{
    size_t families = 0;
    for (size_t i = 0; i < catalog_count(settings->catalog); i++) {
        Usec interval;
        families += settings_family(settings, catalog_at(settings->catalog, i), &interval);
    }
    for (size_t i = 0; i < settings->server_count; i++)
        cli_print(stdout, "server: %s (%s)\n", settings->servers[i].name,
                  settings->servers[i].local ? "on this host, with its system metrics" : "remote");
    for (SourceKind kind = 0; kind < _SOURCE_KIND_MAX; kind++) {
        const SourceHead *head;
        for (size_t i = 0; (head = settings_source_at(settings, kind, i)); i++)
            cli_print(stdout, "%s: %s (of server %s)\n", source_kind_to_string(kind), head->name, head->server);
    }
    if (!settings_verify(settings))
        cli_print(
            stdout,
            "warning: verify_ssl is false: the backend's certificate is not checked, anyone on the way can read and "
            "change what is sent\n");
    cli_print(stdout, "%s: in order: %zu server%s, %zu metric families\n", config, settings->server_count,
              settings->server_count == 1 ? "" : "s", families);
}

int validate_run(const char *config)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *settings = settings_load(config, diags);
    if (!settings) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    if (check_credentials(settings_get(settings)) + check_sources(settings_get(settings)) > 0)
        return 2;
    print_summary(config, settings_get(settings));
    return 0;
}
