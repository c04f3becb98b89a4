-- Time series of one server. $1 server, $2 metrics "family.column,...", $3 from, $4 to, $5 step in milliseconds, $6 agg or
-- null, $7 labels (JSON object) or null, $8 group_by: null, '' or "label,...", $9 limit. Errors: PGA01, PGA04.
select pganalytics.server_metrics($1::integer, $2::text, $3::timestamptz, $4::timestamptz, $5::bigint, $6::text, $7::jsonb,
                                  $8::text, $9::integer)
