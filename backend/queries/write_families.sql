-- The numbers of the families, for the log of readings.
select family, family_id from pganalytics.families
