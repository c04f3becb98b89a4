# SPDX-License-Identifier: PostgreSQL
"""What two other exporters read of the statistics views, for docs/coverage.md.

postgres_exporter: Debian's package is run with the queries that it ships as an example, against a server that logs every
statement; the server then says which columns those statements read. What fails on that version counts for nothing.

pgexporter: its built-in list (src/include/internal.h at commit 07bfd3913e7a) as facts: from which version on which columns
of which view one statement reads. A statement that names a column that the version does not have counts for nothing.
"""
import re
import subprocess

import parts
import requests
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from ports import free_port
from wait import eventually

_TABLES_13 = ("n_live_tup n_dead_tup n_mod_since_analyze n_ins_since_vacuum last_vacuum last_autovacuum last_analyze "
              "last_autoanalyze vacuum_count autovacuum_count analyze_count autoanalyze_count")
_DATABASE_12 = ("blk_read_time blk_write_time blks_hit blks_read deadlocks temp_files temp_bytes tup_returned tup_fetched "
                "tup_inserted tup_updated tup_deleted xact_commit xact_rollback conflicts numbackends checksum_failures")
_CONFLICTS_10 = "confl_tablespace confl_lock confl_snapshot confl_bufferpin confl_deadlock"
_VACUUM_13 = "phase heap_blks_total heap_blks_scanned heap_blks_vacuumed index_vacuum_count"

# (view, [(since, columns)]): the last whose since is not above the version is run.
PGEXPORTER = [
    ("pg_stat_bgwriter", [(10, "buffers_alloc buffers_backend buffers_backend_fsync buffers_checkpoint buffers_clean "
                               "checkpoint_sync_time checkpoint_write_time checkpoints_req checkpoints_timed "
                               "maxwritten_clean"), (17, "buffers_alloc buffers_clean maxwritten_clean")]),
    ("pg_stat_activity", [(10, "state state_change query_start")]),
    ("pg_stat_ssl", [(10, "ssl")]),
    ("pg_statio_all_tables", [(10, "heap_blks_read heap_blks_hit idx_blks_read idx_blks_hit toast_blks_read "
                                   "toast_blks_hit tidx_blks_read tidx_blks_hit")]),
    ("pg_statio_all_sequences", [(10, "blks_read blks_hit")]),
    ("pg_stat_user_functions", [(10, "calls self_time total_time")]),
    ("pg_stat_replication", [(10, "state")]),
    ("pg_stat_archiver", [(10, "archived_count last_archived_time failed_count last_failed_time")]),
    ("pg_stat_wal_receiver", [(11, "last_msg_send_time")]),
    ("pg_stat_gssapi", [(12, "gss_authenticated encrypted")]),
    ("pg_stat_gssapi", [(16, "credentials_delegated")]),
    ("pg_stat_progress_vacuum", [(13, f"{_VACUUM_13} max_dead_tuples num_dead_tuples"),
                                 (17, f"{_VACUUM_13} max_dead_tuple_bytes dead_tuple_bytes num_dead_item_ids "
                                      "indexes_total indexes_processed")]),
    ("pg_stat_user_tables", [(13, _TABLES_13),
                             (16, f"{_TABLES_13} seq_scan last_seq_scan seq_tup_read idx_scan last_idx_scan idx_tup_fetch "
                                  "n_tup_ins n_tup_upd n_tup_del n_tup_hot_upd n_tup_newpage_upd")]),
    ("pg_stat_wal", [(14, "wal_records wal_fpi wal_bytes wal_buffers_full wal_write wal_sync wal_write_time "
                          "wal_sync_time")]),
    ("pg_stat_database", [(12, _DATABASE_12),
                          (14, f"{_DATABASE_12} session_time active_time idle_in_transaction_time sessions "
                               "sessions_abandoned sessions_fatal sessions_killed")]),
    ("pg_stat_recovery_prefetch", [(15, "stats_reset")]),
    ("pg_stat_io", [(16, "reads read_time writes write_time writebacks writeback_time extends extend_time op_bytes hits "
                         "evictions reuses fsyncs fsync_time")]),
    ("pg_stat_database_conflicts", [(10, _CONFLICTS_10), (16, f"{_CONFLICTS_10} confl_active_logicalslot")]),
    ("pg_stat_all_indexes", [(10, "idx_scan idx_tup_read idx_tup_fetch"),
                             (16, "idx_scan idx_tup_read idx_tup_fetch last_idx_scan")]),
]

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] (\w+):  (?:statement|execute [^:]*): (.*)|"
                      r"\d{4}-\d\d-\d\d \S+ \S+ \[\d+\] (\w+):  .*")


def pgexporter_columns(major, existing):
    """@existing: (view, column) that the version has."""
    read = set()
    for view, statements in PGEXPORTER:
        fitting = [columns for since, columns in statements if since <= major]
        wanted = {(view, column) for column in fitting[-1].split()} if fitting else set()
        if wanted <= existing:
            read |= wanted
    return read


def logged_statements(log):
    """Statements of a log with log_statement = all, those over several lines whole."""
    statements = []
    inside = False
    for line in log.splitlines():
        match = LOG_LINE.match(line)
        if match:
            inside = match.group(2) is not None
            if inside:
                statements.append(match.group(2))
        elif inside:
            statements[-1] += "\n" + line
    return {s.strip().rstrip(";") for s in statements}


def postgres_exporter_statements(major):
    """What it sends during one scrape, run by a role with pg_monitor."""
    queries = parts.root("postgres_exporter") / "usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml"
    with PgServer(major, settings={**MONITORED_SETTINGS, "log_statement": "all"}, tcp=True) as server:
        server.execute("create database app")
        monitoring_setup(server, "app")
        begun = len(server.log_text())
        port = free_port()
        dsn = f"postgresql://monitor@127.0.0.1:{server.port}/app?sslmode=disable"
        with subprocess.Popen([parts.program("postgres_exporter", "usr/bin/prometheus-postgres-exporter"),
                               f"--web.listen-address=127.0.0.1:{port}", f"--extend.query-path={queries}"],
                              env={**parts.environment("postgres_exporter"), "DATA_SOURCE_NAME": dsn},
                              stderr=subprocess.DEVNULL) as exporter:
            try:
                eventually(lambda: requests.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text)
            finally:
                exporter.terminate()
        found = logged_statements(server.log_text()[begun:])
    return sorted(s for s in found if s.lower().startswith(("select", "with")))
