/* SPDX-License-Identifier: PostgreSQL */
/* See series.h. */
#include "collector/reading/series.h"

void series_append_key(Buf *out, const char *family, const char *database)
{
    buf_append_cstr(out, family);
    buf_append_char(out, '\0');
    buf_append_cstr(out, database ? database : "");
}
