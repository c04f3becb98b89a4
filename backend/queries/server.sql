-- One monitored server. $1 its id.
select pganalytics.server_json(s)
from pganalytics.servers s
where s.server_id = $1::integer and s.name <> ''
