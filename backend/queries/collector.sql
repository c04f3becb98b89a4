-- $1 id. Empty when there is none.
select pganalytics.collector_json(c)
from pganalytics.collectors c
where c.collector_id = $1::uuid
