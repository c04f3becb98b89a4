/* SPDX-License-Identifier: PostgreSQL */
/* See register.h. Settings come from the file when there is one; the command line stands above them. */
#include "collector/command/register.h"

#include <string.h>
#include <strings.h>

#include "collector/link/identity.h"
#include "collector/settings/settings.h"
#include "lib/io/file.h"

enum { SECRET_FILE_MAX = 4096 };

static int complain_about(const Err *err, int status)
{
    cli_print_error(err);
    return status;
}

/* The settings; *@ret is NULL when no file was named and the default one is not there. */
static int load_settings(const Cli *cli, SettingsRef **ret)
{
    const char *path = cli->config ? cli->config : SETTINGS_DEFAULT_PATH;
    *ret = NULL;
    if (!cli->config && !file_exists(path))
        return 0;
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    *ret = settings_load(path, diags);
    if (!*ret)
        conf_diags_print_file(diags, stderr);
    return *ret ? 0 : 2;
}

static int read_secret(const Cli *cli, const Settings *settings, Buf *ret, Err *reterr)
{
    if (cli->secret_file) {
        int r = file_read_all(cli->secret_file, SECRET_FILE_MAX, ret, reterr);
        while (r >= 0 && ret->len && (ret->ptr[ret->len - 1] == '\n' || ret->ptr[ret->len - 1] == '\r'))
            ret->ptr[--ret->len] = '\0';
        return r;
    }
    const char *given = settings ? settings->registration_secret : getenv("REGISTRATION_SECRET");
    if (given && given[0]) {
        buf_append_cstr(ret, given);
        return 0;
    }
    int r = err_set(reterr, ERR_USAGE, "register needs the registration secret");
    err_hint(reterr, "--secret-file FILE, or REGISTRATION_SECRET in the environment");
    return r;
}

/* The secret and the token that it buys are not sent in the clear, unless the settings say that everything is. */
static int check_url(const char *url, const Settings *settings, Err *reterr)
{
    if (strncasecmp(url, "https://", strlen("https://")) == 0 || !strstr(url, "://"))
        return 0; /* https is what no scheme means */
    if (strncasecmp(url, "http://", strlen("http://")) == 0 && settings && !settings->tls_enabled)
        return 0;
    int r = err_set(reterr, ERR_USAGE, "%s is not encrypted", url);
    err_hint(reterr, "use https://, or set tls_enabled = false in [security] to send everything unprotected");
    return r;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    return a && a[0] ? a : b && b[0] ? b : c;
}

int register_run(const Cli *cli)
{
    _cleanup_(settings_unrefp) SettingsRef *ref = NULL;
    int status = load_settings(cli, &ref);
    if (status)
        return status;
    const Settings *s = ref ? settings_get(ref) : NULL;

    _cleanup_buf_ Buf secret = BUF_INIT;
    Err err = ERR_INIT;
    if (check_url(cli->api, s, &err) < 0 || read_secret(cli, s, &secret, &err) < 0)
        return complain_about(&err, 2);
    char host[256] = "localhost";
    (void)gethostname(host, sizeof(host) - 1); /* cut or failed: the default stays */

    EnrolOptions options = {
        .api_url = cli->api,
        .ca_file = first_of(cli->ca, s ? s->ca_cert : NULL, NULL),
        .verify = !s || settings_verify(s),
        .state_dir = first_of(cli->state_dir, s ? s->state_dir : NULL, "/var/lib/pganalytics"),
        .secret = buf_cstr(&secret),
        .hostname = first_of(cli->hostname, s ? s->hostname : NULL, host),
        .region = cli->region,
    };
    options.name = first_of(cli->name, s ? s->id : NULL, options.hostname);
    Identity identity = {0};
    int r = enrol_register(&options, &identity, &err);
    if (secret.len)
        explicit_bzero(secret.ptr, secret.len);
    if (r < 0)
        return complain_about(&err, 1);
    cli_print(stdout, "registered as %s; the identity is in %s\n", identity.collector_id, options.state_dir);
    identity_done(&identity);
    return 0;
}
