/* SPDX-License-Identifier: PostgreSQL */
/* See spools.h. */
#include "collector/agent/spools.h"

#include <dirent.h>

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/vec.h"

typedef struct NamedSpool {
    char *name;
    Spool *spool;
} NamedSpool;

DEFINE_VEC(NamedSpoolVec, named_spool_vec, NamedSpool)

struct Spools {
    NamedSpoolVec list;
};

Spools *spools_new(void)
{
    return mem_alloc(sizeof(Spools));
}

Spools *spools_free(Spools *s)
{
    if (!s)
        return NULL;
    spools_clear(s);
    named_spool_vec_done(&s->list);
    free(s);
    return NULL;
}

void spools_clear(Spools *s)
{
    for (size_t i = 0; i < s->list.len; i++) {
        spool_close(s->list.items[i].spool);
        free(s->list.items[i].name);
    }
    named_spool_vec_clear(&s->list);
}

int spools_open(Spools *s, const Settings *settings, const char *name, Err *reterr)
{
    if (spools_find(s, name))
        return 0;
    _cleanup_buf_ Buf directory = BUF_INIT;
    buf_printf(&directory, "%s/servers/%s/spool", settings->state_dir, name);
    SpoolOptions options = {
        .directory = buf_cstr(&directory),
        .max_bytes = (uint64_t)settings->buffer_max_bytes,
        .max_batches = (uint32_t)settings->buffer_max_size,
    };
    Spool *spool = NULL;
    int r = spool_open(&spool, &options, reterr);
    if (r < 0) {
        err_prefix(reterr, "buffer of server %s", name);
        return err_trace(r);
    }
    char *copy = mem_strdup(name);
    named_spool_vec_push(&s->list, (NamedSpool){.name = copy, .spool = spool});
    return 0;
}

void spools_open_left_behind(Spools *s, const Settings *settings)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/servers", settings->state_dir);
    DIR *directory = opendir(buf_cstr(&path));
    if (!directory)
        return;
    for (const struct dirent *e; (e = readdir(directory));) {
        Err err = ERR_INIT;
        if (e->d_name[0] == '.' || spools_find(s, e->d_name))
            continue;
        if (spools_open(s, settings, e->d_name, &err) < 0)
            log_warn("buffer of a former server could not be opened", log_str("server", e->d_name),
                     log_error_field(&err));
    }
    closedir(directory);
}

Spool *spools_find(const Spools *s, const char *name)
{
    for (size_t i = 0; i < s->list.len; i++) {
        if (strcmp(s->list.items[i].name, name) == 0)
            return s->list.items[i].spool;
    }
    return NULL;
}

size_t spools_count(const Spools *s)
{
    return s->list.len;
}

Spool *spools_at(const Spools *s, size_t i)
{
    return s->list.items[i].spool;
}

const char *spools_name(const Spools *s, size_t i)
{
    return s->list.items[i].name;
}
