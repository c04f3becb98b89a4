/* SPDX-License-Identifier: PostgreSQL */
/* What the command line can be told to do. */
#include "backend/commands.h"

#include <sodium.h>
#include <string.h>
#include <termios.h>

#include "backend/auth/password.h"
#include "backend/program.h"
#include "backend/serve.h"
#include "backend/user_admin.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/pg/conn.h"

static const Usec command_timeout = 60 * USEC_PER_SEC;
static const Usec migrate_timeout = 600 * USEC_PER_SEC;
static const Usec connect_timeout = 10 * USEC_PER_SEC;

int command_serve(const Cli *cli)
{
    Program p;
    if (!program_init(&p, cli->env_file))
        return EXIT_USAGE;
    int status = serve_run(&p);
    program_done(&p);
    return status;
}

/* For people at a terminal: what failed, and what helps. */
static int say_failure(const Err *err)
{
    (void)fprintf(stderr, "pganalytics-api: %s\n", err->detail[0] ? err->detail : err_code_text(err->code));
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "  %s\n", err->hint);
    return EXIT_FAILED;
}

typedef int (*StoreWork)(const Cli *cli, Program *p, Err *reterr);

/* Settings, store, migrations, then @work. */
static int with_store(const Cli *cli, StoreWork work)
{
    Program p;
    if (!program_init(&p, cli->env_file))
        return EXIT_USAGE;
    if (p.settings.log_level < LOG_LEVEL_WARN)
        log_set_level(LOG_LEVEL_WARN); /* what a command does, it says itself */
    Err err = ERR_INIT;
    int r = program_open_store(&p, PROGRAM_COMMAND, &err);
    if (r == 0)
        r = store_migrate(p.store, clock_monotonic() + migrate_timeout, &err);
    if (r == 0)
        r = work(cli, &p, &err);
    program_done(&p);
    return r < 0 ? say_failure(&err) : EXIT_WELL;
}

static int say_migrated(const Cli *cli UNUSED, Program *p UNUSED, Err *reterr UNUSED)
{
    (void)puts("the store is up to date");
    return 0;
}

int command_migrate(const Cli *cli)
{
    return with_store(cli, say_migrated);
}

/* --- check -------------------------------------------------------------------------------------------------------- */

static int check_store(const BackendSettings *s, Err *reterr)
{
    _cleanup_buf_ Buf conninfo = BUF_INIT;
    bool private = s->database_url[0] == '\0';
    int r = 0;
    if (private)
        r = cluster_find_conninfo(s->data_dir, &conninfo, reterr);
    else
        buf_append_cstr(&conninfo, s->database_url);
    if (r < 0)
        return r;

    _cleanup_(pg_conn_closep) PgConn *conn = NULL;
    const PgConnOptions options = {.conninfo = buf_cstr(&conninfo), .connect_timeout = connect_timeout};
    r = pg_conn_open(&conn, &options, reterr);
    if (r < 0 && private)
        err_hint(reterr, "the private cluster runs only while the backend serves");
    if (r < 0)
        return r;
    int version = pg_conn_version(conn);
    (void)printf("store: PostgreSQL %d.%d answers\n", version / 10000, version % 10000);
    return 0;
}

int command_check(const Cli *cli)
{
    Program p;
    if (!program_init(&p, cli->env_file))
        return EXIT_USAGE;
    _cleanup_buf_ Buf values = BUF_INIT;
    settings_write_values(&p.settings, &values);
    (void)fputs(buf_cstr(&values), stdout);
    (void)puts("settings: valid");
    Err err = ERR_INIT;
    int r = check_store(&p.settings, &err);
    program_done(&p);
    return r < 0 ? say_failure(&err) : EXIT_WELL;
}

/* --- users -------------------------------------------------------------------------------------------------------- */

static int read_line(Buf *ret, Err *reterr)
{
    char c;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
        if (ret->len > PASSWORD_MAX)
            return err_set(reterr, ERR_UNPROCESSABLE, "the password is longer than %d bytes", PASSWORD_MAX);
        buf_append_char(ret, c);
    }
    if (ret->len > 0 && ret->ptr[ret->len - 1] == '\r')
        ret->ptr[--ret->len] = '\0';
    return n < 0 ? err_set(reterr, ERR_IO, "the password could not be read") : 0;
}

static int ask_unseen(const char *prompt, Buf *ret, Err *reterr)
{
    struct termios seen;
    if (tcgetattr(STDIN_FILENO, &seen) < 0)
        return err_set(reterr, ERR_IO, "the terminal does not answer");
    struct termios unseen = seen;
    unseen.c_lflag &= ~(tcflag_t)ECHO;
    (void)fputs(prompt, stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    int r = read_line(ret, reterr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &seen);
    (void)fputc('\n', stderr);
    return r;
}

static void wipe(Buf *b)
{
    if (b->ptr)
        sodium_memzero(b->ptr, b->len);
    buf_done(b);
}

/* Never from an argument: those can be read by everybody on the host. */
static int read_password(Buf *ret, Err *reterr)
{
    buf_reserve(ret, PASSWORD_MAX + 2); /* no copies left behind by growing */
    if (!isatty(STDIN_FILENO))
        return read_line(ret, reterr);
    Buf again = BUF_INIT;
    buf_reserve(&again, PASSWORD_MAX + 2);
    int r = ask_unseen("Password: ", ret, reterr);
    if (r == 0)
        r = ask_unseen("Again: ", &again, reterr);
    if (r == 0 && !slice_eq(buf_slice(ret), buf_slice(&again)))
        r = err_set(reterr, ERR_UNPROCESSABLE, "the two passwords differ");
    wipe(&again);
    return r;
}

static int add_user(const Cli *cli, Program *p, Err *reterr)
{
    Buf password = BUF_INIT;
    int r = read_password(&password, reterr);
    if (r == 0)
        r = user_admin_add(p->store, cli->login, buf_slice(&password), cli->role, "command line",
                           clock_monotonic() + command_timeout, reterr);
    wipe(&password);
    if (r == 0)
        (void)printf("user %s made: %s\n", cli->login, role_to_string(cli->role));
    return r;
}

static int set_password(const Cli *cli, Program *p, Err *reterr)
{
    Buf password = BUF_INIT;
    int r = read_password(&password, reterr);
    if (r == 0)
        r = user_admin_set_password(p->store, cli->login, buf_slice(&password), clock_monotonic() + command_timeout,
                                    reterr);
    wipe(&password);
    if (r == 0)
        (void)printf("password of %s set; its sessions have ended\n", cli->login);
    return r;
}

static int list_users(const Cli *cli UNUSED, Program *p, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = user_admin_list(p->store, clock_monotonic() + command_timeout, &text, reterr);
    if (r == 0)
        (void)fputs(buf_cstr(&text), stdout);
    return r;
}

int command_user_add(const Cli *cli)
{
    return with_store(cli, add_user);
}

int command_user_passwd(const Cli *cli)
{
    return with_store(cli, set_password);
}

int command_user_list(const Cli *cli)
{
    return with_store(cli, list_users);
}

int command_secret_create(const Cli *cli UNUSED)
{
    uint8_t bytes[48]; /* 64 characters: enough for every key that wants text */
    char text[sodium_base64_ENCODED_LEN(sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    random_bytes(bytes, sizeof bytes);
    (void)puts(sodium_bin2base64(text, sizeof text, bytes, sizeof bytes, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(text, sizeof text);
    return EXIT_WELL;
}
