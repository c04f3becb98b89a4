# Every file of this folder, one a line, sorted. Each is one statement that gives one row with one column (store.h) and is
# run by its name without ".sql". Two kinds are the store's own: write_* (the ingest, backend/store/writer.h) may give
# rows, maintenance_* run hourly.
set(PGA_QUERIES
  activity.sql
  collector.sql
  collector_credentials.sql
  collector_credentials_replace.sql
  collector_reserve.sql
  collector_revoke.sql
  collector_token_insert.sql
  collectors.sql
  families.sql
  maintenance_series.sql
  maintenance_sessions.sql
  maintenance_texts.sql
  secret_get.sql
  secret_insert.sql
  server.sql
  server_metrics.sql
  servers.sql
  session_end.sql
  session_insert.sql
  session_rotate.sql
  statements.sql
  user_by_login.sql
  user_insert.sql
  user_list.sql
  user_set_password.sql
  write_families.sql
  write_positions.sql
  write_progress.sql
  write_series.sql
  write_servers.sql
  write_texts.sql
)
