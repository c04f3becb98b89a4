/* SPDX-License-Identifier: PostgreSQL */
/* See validate.h. Faults go to standard error, what was found in order to standard output. */
#include "collector/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collector/cli.h"
#include "collector/credentials.h"

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
    if (credentials_load(&c, settings, &err) < 0) {
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
    if (check_credentials(settings_get(settings)))
        return 2;
    print_summary(config, settings_get(settings));
    return 0;
}
