-- When a certificate of a collector was first shown, which tells that its renewal arrived.
-- Locks: pganalytics.certificates, exclusively, for a moment. Time: instant, no row is rewritten.
-- Undo: alter table pganalytics.certificates drop column used_at.

alter table pganalytics.certificates add column used_at timestamptz;
