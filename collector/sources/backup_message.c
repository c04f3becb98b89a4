/* SPDX-License-Identifier: PostgreSQL */
/* What a backup tool wrote to standard error, as one line for an error's detail. See backup_tools.h. */
#include "collector/reading/redact.h"
#include "collector/sources/backup_tools.h"

enum { LINE_MAX_BYTES = 300 };

int backup_json_parse(Slice output, yyjson_doc **ret, Err *reterr)
{
    JsonLimits limits = {.bytes = BACKUP_OUTPUT_MAX, .depth = BACKUP_DEPTH_MAX};
    return err_trace(json_parse(output, limits, ret, reterr));
}

int backup_fail_form(Err *reterr, const char *what)
{
    return err_set(reterr, ERR_UNPROCESSABLE, "%s", what);
}

int backup_json_each(BackupModel *m, Slice output, const char *what, BackupReadItem read, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    int r = backup_json_parse(output, &doc, reterr);
    if (r < 0)
        return err_trace(r);
    yyjson_val *list = yyjson_doc_get_root(doc), *item;
    if (!yyjson_is_arr(list))
        return err_set(reterr, ERR_UNPROCESSABLE, "the list of %s is no list", what);
    size_t index, count;
    yyjson_arr_foreach(list, index, count, item)
    {
        r = read(m, item, reterr);
        if (r < 0)
            return err_trace(r);
    }
    return 0;
}

/* Lines that only say that something is going on. */
static bool is_chatter(Slice line)
{
    static const char *const WORDS[] = {"INFO:", "INFO ", "DEBUG", "DETAIL:"};
    for (size_t i = 0; i < ARRAY_LENGTH(WORDS); i++) {
        ptrdiff_t at = slice_find(line, slice_cstr(WORDS[i]));
        if (at >= 0 && at < 40)
            return true;
    }
    return false;
}

void backup_message(Slice messages, Buf *out)
{
    Slice first = SLICE_NULL;
    while (messages.ptr) {
        Slice line = slice_trim(slice_split(&messages, '\n'));
        if (line.len == 0)
            continue;
        if (!first.ptr || !is_chatter(line))
            first = line;
        if (!is_chatter(line))
            break;
    }
    if (first.len > LINE_MAX_BYTES)
        first.len = LINE_MAX_BYTES;
    if (first.len > 0)
        redact_credentials(first, out);
}
