-- Every ordinary table that has all of the named columns, with its columns, primary key and foreign keys.
SELECT
    n.nspname AS schema,
    c.relname AS table,
    columns.names AS columns,
    columns.types AS types,
    coalesce(primary_key.columns, '{}') AS primary_key,
    coalesce(foreign_keys.list, '[]'::jsonb) AS foreign_keys,
    has_table_privilege(c.oid, 'SELECT') AS can_select
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT
        array_agg(a.attname::text ORDER BY a.attnum) AS names,
        array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) columns
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.position) AS columns
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisprimary
) primary_key ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(
        jsonb_build_object(
            'name', f.conname,
            'columns', (
                SELECT jsonb_agg(a.attname ORDER BY k.position)
                FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, position)
                JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
            ),
            'target_schema', fn.nspname,
            'target_table', fc.relname,
            'target_columns', (
                SELECT jsonb_agg(a.attname ORDER BY k.position)
                FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, position)
                JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
            )
        )
        ORDER BY f.conname
    ) AS list
    FROM pg_constraint f
    JOIN pg_class fc ON fc.oid = f.confrelid
    JOIN pg_namespace fn ON fn.oid = fc.relnamespace
    WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conparentid = 0
) foreign_keys ON true
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(temp|toast)'
  AND columns.names @> %(columns)s::text[]
ORDER BY n.nspname, c.relname
