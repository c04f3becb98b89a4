/* SPDX-License-Identifier: PostgreSQL */
/* Network interfaces from /proc/net/dev, without the loopback and the host's ends of containers' links. */
#include "collector/system/procfs.h"

enum { NETWORK_ROWS_MAX = 128, NETWORK_FIELDS = 16 };

typedef struct NetworkField {
    size_t index; /* behind "name:" */
    const char *column;
} NetworkField;

static const NetworkField FIELDS[] = {
    {0, "rx_bytes"}, {1, "rx_packets"}, {2, "rx_errors"},  {3, "rx_drops"},
    {8, "tx_bytes"}, {9, "tx_packets"}, {10, "tx_errors"}, {11, "tx_drops"},
};

static int read_network(SystemHost *host, Rows *rows, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/net/dev", &text, reterr);
    if (r < 0)
        return r;

    Slice rest = buf_slice(&text), line;
    while (rows->row_count < NETWORK_ROWS_MAX && procfs_next_line(&rest, &line)) {
        int64_t values[NETWORK_FIELDS];
        Slice numbers = line;
        Slice name = slice_trim(slice_split(&numbers, ':'));
        if (!numbers.ptr || procfs_numbers(numbers, values, NETWORK_FIELDS) != NETWORK_FIELDS)
            continue; /* the two lines of headings */
        if (slice_eq_cstr(name, "lo") || slice_starts_with(name, SLICE_LIT("veth")) || !rows_add(rows))
            continue;
        rows_set_text(rows, "interface", name);
        for (size_t i = 0; i < ARRAY_LENGTH(FIELDS); i++)
            rows_set_int(rows, FIELDS[i].column, values[FIELDS[i].index]);
    }
    return 0;
}

const SystemSource system_network = {.family = "system_network", .read = read_network};
