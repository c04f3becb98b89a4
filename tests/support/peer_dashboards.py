# SPDX-License-Identifier: PostgreSQL
"""What the dashboards and alerts that people have for postgres_exporter ask for: names of metrics, and the labels by which
they choose and group (beside `instance` and `job`, which Prometheus gives)."""

SETTINGS = ("max_connections", "shared_buffers_bytes", "effective_cache_size_bytes", "maintenance_work_mem_bytes",
            "work_mem_bytes", "max_wal_size_bytes", "random_page_cost", "seq_page_cost", "max_worker_processes",
            "max_parallel_workers")
DATABASE = ("tup_fetched", "tup_inserted", "tup_updated", "tup_deleted", "tup_returned", "xact_commit", "xact_rollback",
            "blks_hit", "blks_read", "conflicts", "deadlocks")
BUFFERS = ("buffers_alloc", "buffers_backend", "buffers_backend_fsync", "buffers_checkpoint", "buffers_clean")
CHECKPOINT_TIMES = ("checkpoint_write_time", "checkpoint_sync_time")


def named(prefix, names, labels="", suffix=""):
    return {f"{prefix}_{name}{suffix}": set(labels.split()) for name in names}


ASKED = {
    # grafana.com 9628, "PostgreSQL Database": names of bgwriter as postgres_exporter had them before 0.11, and since
    "9628": {
        "pg_static": {"short_version"},
        "pg_postmaster_start_time_seconds": set(),
        "pg_stat_activity_count": {"datname", "state"},
        "pg_locks_count": {"datname", "mode"},
        "process_cpu_seconds_total": set(),
        "process_resident_memory_bytes": set(),
        "process_virtual_memory_bytes": set(),
        "process_open_fds": set(),
        **named("pg_settings", SETTINGS),
        **named("pg_stat_database", (*DATABASE, "temp_bytes"), "datname"),
        **named("pg_stat_bgwriter", BUFFERS + CHECKPOINT_TIMES),
        **named("pg_stat_bgwriter", BUFFERS + CHECKPOINT_TIMES, suffix="_total"),
    },
    # grafana.com 455, "Postgres Overview", and the overview of postgres_mixin, which was made from it
    "overview": {
        **named("pg_stat_database", (*DATABASE, "numbackends"), "datname"),
        **named("pg_stat_bgwriter", BUFFERS),
        **named("pg_stat_bgwriter", BUFFERS, suffix="_total"),
    },
    # the alerts of postgres_mixin
    "alerts": {
        "pg_up": set(),
        "pg_exporter_last_scrape_error": set(),
        "pg_stat_activity_count": set(),
        "pg_stat_activity_max_tx_duration": {"datname"},
        "pg_locks_count": {"datname", "server"},
        "pg_xlog_position_bytes": set(),
        "pg_replication_is_replica": set(),
        "pg_replication_lag": set(),
        "pg_replication_slots_active": {"slot_name"},
        "pg_replication_slots_xmin_age": {"slot_name"},
        "pg_stat_replication_pg_xlog_location_diff": set(),
        **named("pg_settings", ("max_connections", "superuser_reserved_connections", "max_locks_per_transaction",
                                "autovacuum_vacuum_scale_factor", "autovacuum_vacuum_threshold"), "server"),
        **named("pg_stat_database", ("xact_commit", "xact_rollback", "blks_hit", "blks_read", "deadlocks"), "datname"),
        **named("pg_stat_user_tables", ("n_dead_tup", "n_live_tup"), "datname relname server"),
        **named("pg_stat_bgwriter", ("checkpoints_timed_total", "checkpoints_req_total")),
    },
}


def reason_for_absence(name, major):
    """Why a server of version @major has no such metric with us; the reasons stand in docs/prometheus.md. None: it has."""
    if name in named("pg_stat_bgwriter", BUFFERS + CHECKPOINT_TIMES):
        return "names of before 0.11"
    if name in named("pg_stat_bgwriter", ("buffers_backend", "buffers_backend_fsync"), suffix="_total") and major >= 17:
        return "the server counts them in pg_stat_io"
    if name == "pg_stat_replication_pg_xlog_location_diff":
        return "the name of before PostgreSQL 10"
    return None
