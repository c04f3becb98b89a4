/* SPDX-License-Identifier: PostgreSQL */
/*
 * collector.toml of any bytes, and behind the first NUL a document of the backend. Held to: no crash, faults are named
 * with a message that is one line of UTF-8, and settings without faults are within their bounds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "collector/settings/settings.h"
#include "lib/io/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition)
{
    if (!condition)
        abort();
}

static void check_faults(const ConfDiags *diags)
{
    expect(conf_diags_count(diags) > 0);
    for (size_t i = 0; i < conf_diags_count(diags); i++) {
        const Slice message = slice_cstr(conf_diags_at(diags, i)->message);
        expect(message.len > 0 && slice_is_utf8(message) && slice_find(message, SLICE_LIT("\n")) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Slice document = slice_from(data, size);
    const Slice file = slice_split(&document, '\0');
    char path[40];
    _cleanup_close_ int fd = memfd_create("collector.toml", MFD_CLOEXEC);
    expect(fd >= 0 && io_write_all(fd, file) == 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* fits */
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *ref = settings_load_with(path, document, "configuration 1", diags);
    if (!ref) {
        check_faults(diags);
        return 0;
    }
    const Settings *s = settings_get(ref);
    expect(s->interval >= USEC_PER_SEC && s->state_dir[0]);
    for (size_t i = 0; i < s->server_count; i++) {
        _cleanup_buf_ Buf conninfo = BUF_INIT;
        expect(settings_name_is_valid(s->servers[i].name) && s->servers[i].database[0]);
        server_settings_conninfo(&s->servers[i], &conninfo);
        (void)server_settings_want(&s->servers[i], "app");
    }
    return 0;
}
