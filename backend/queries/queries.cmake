# Every file of this folder, one a line, sorted. Each is one statement that gives one row with one column (store.h) and is
# run by its name without ".sql"; those named write_* belong to the ingest writer (backend/store/writer.c) and give rows.
set(PGA_QUERIES
)
