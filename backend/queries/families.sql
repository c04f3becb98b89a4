-- What is collected: the families and their columns as the store has them.
select json_build_object(
    'families',
    coalesce(
        json_agg(
            json_build_object(
                'name', f.family,
                'help', f.help,
                'own', f.own,
                'columns',
                (
                    select json_agg(
                        json_build_object('name', c.name, 'kind', c.kind, 'type', c.type, 'unit', c.unit, 'help', c.help)
                        order by c.position)
                    from pganalytics.family_columns c
                    where c.family = f.family))
            order by f.family),
        '[]'))
from pganalytics.families f
