/* SPDX-License-Identifier: PostgreSQL */
/* Users from the command line. */
#include "backend/user_admin.h"

#include "backend/auth/password.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/json/json.h"

enum { LOGIN_MAX = 200, LIST_MAX = 16 << 20 };

static int check_login(const char *login, Err *reterr)
{
    size_t len = strlen(login);
    if (len == 0 || len > LOGIN_MAX)
        return err_set(reterr, ERR_UNPROCESSABLE, "a login has 1 to %d bytes", LOGIN_MAX);
    for (const unsigned char *at = (const unsigned char *)login; *at; at++) {
        if (*at <= ' ' || *at == 0x7f)
            return err_set(reterr, ERR_UNPROCESSABLE, "a login has no blanks and no control characters");
    }
    return slice_is_utf8(slice_cstr(login)) ? 0 : err_set(reterr, ERR_UNPROCESSABLE, "the login is not UTF-8");
}

int user_admin_add(Store *s, const char *login, Slice password, Role role, const char *actor, Usec deadline,
                   Err *reterr)
{
    char hash[PASSWORD_HASH_SIZE];
    char id[RANDOM_UUID_SIZE];
    int r = check_login(login, reterr);
    if (r == 0)
        r = password_hash(password, deadline, hash, reterr);
    if (r < 0)
        return r;
    random_uuid(id);
    _cleanup_buf_ Buf made = BUF_INIT;
    r = store_query(s, "user_insert", STORE_PARAMS(id, login, hash, role_to_string(role), actor), deadline, &made,
                    reterr);
    return r == STORE_EMPTY ? err_set(reterr, ERR_CONFLICT, "user \"%s\" is there already", login) : r;
}

int user_admin_set_password(Store *s, const char *login, Slice password, Usec deadline, Err *reterr)
{
    char hash[PASSWORD_HASH_SIZE];
    int r = password_hash(password, deadline, hash, reterr);
    if (r < 0)
        return r;
    _cleanup_buf_ Buf changed = BUF_INIT;
    r = store_query(s, "user_set_password", STORE_PARAMS(login, hash, "command line"), deadline, &changed, reterr);
    return r == STORE_EMPTY ? err_set(reterr, ERR_NOT_FOUND, "there is no user \"%s\"", login) : r;
}

static const char *text_of(yyjson_val *user, const char *name)
{
    const char *text = yyjson_get_str(yyjson_obj_get(user, name));
    return text ? text : "";
}

static int read_users(Store *s, Usec deadline, yyjson_doc **ret, Err *reterr)
{
    _cleanup_buf_ Buf json = BUF_INIT;
    int r = store_query(s, "user_list", STORE_NO_PARAMS, deadline, &json, reterr);
    if (r < 0)
        return r;
    return json_parse(buf_slice(&json), (JsonLimits){.bytes = LIST_MAX, .depth = 4}, ret, reterr);
}

int user_admin_list(Store *s, Usec deadline, Buf *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    int r = read_users(s, deadline, &doc, reterr);
    if (r < 0)
        return r;
    size_t at;
    size_t count;
    yyjson_val *user;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), at, count, user)
    {
        bool disabled = yyjson_get_bool(yyjson_obj_get(user, "disabled"));
        buf_printf(ret, "%-30s %-8s %.19s%s\n", text_of(user, "login"), text_of(user, "role"),
                   text_of(user, "created_at"), disabled ? "  disabled" : "");
    }
    return 0;
}

int user_admin_ensure_first(Store *s, const char *login, const char *password, Usec deadline, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    int r = read_users(s, deadline, &doc, reterr);
    if (r < 0 || yyjson_arr_size(yyjson_doc_get_root(doc)) > 0)
        return r;
    if (password[0] == '\0') {
        log_warn("there are no users yet: nobody can log in",
                 log_str("hint", "pganalytics-api user add NAME --role admin"));
        return 0;
    }
    Err err = ERR_INIT;
    r = user_admin_add(s, login, slice_cstr(password), ROLE_ADMIN, "system", deadline, &err);
    if (r < 0 && err.code != ERR_CONFLICT) { /* else another backend of this store was first */
        if (reterr)
            *reterr = err;
        return r;
    }
    log_info("first administrator made", log_str("login", login));
    return 0;
}
