-- Every column of a pgvector type in every schema, with its table's statistics and the indexes that could serve it.
-- The types are found through the extension, whatever schema it is installed in. Needs no privilege on the tables.
WITH vector_type AS (
    SELECT t.oid, t.typname
    FROM pg_extension e
    JOIN pg_depend d
      ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_type'::regclass
    JOIN pg_type t ON t.oid = d.objid
    WHERE e.extname = 'vector' AND t.typname IN ('vector', 'halfvec', 'sparsevec')
),
vector_column AS (
    SELECT
        c.oid AS relation,
        n.nspname AS schema,
        c.relname AS table,
        c.relkind,
        c.relpages,
        EXISTS (
            SELECT FROM pg_locks l
            WHERE l.relation = c.oid AND l.mode = 'AccessExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()
        ) AS locked,
        c.relispartition,
        c.reltuples,
        a.attnum,
        a.attname AS column,
        vt.typname AS type,
        nullif(a.atttypmod, -1) AS dimensions,
        a.attnotnull AS not_null
    FROM vector_type vt
    JOIN pg_attribute a ON a.atttypid = vt.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'm')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_(temp|toast)'
)
SELECT
    v.schema,
    v.table,
    v.column,
    v.type,
    v.dimensions,
    v.not_null,
    v.relkind = 'p' AS partitioned,
    v.relispartition AS partition,
    greatest(v.reltuples, 0)::bigint AS estimated_rows,
    v.reltuples < 0 AS never_analyzed,
    s.null_frac AS null_fraction,
    -- Measuring a table waits for whoever has locked it; then its last known pages must do.
    CASE WHEN v.locked THEN v.relpages::bigint * 8192 ELSE pg_relation_size(v.relation) END AS heap_bytes,
    CASE WHEN v.locked THEN v.relpages::bigint * 8192 ELSE pg_total_relation_size(v.relation) END AS total_bytes,
    has_column_privilege(v.relation, v.attnum, 'SELECT') AS can_select,
    coalesce(primary_key.columns, '{}') AS primary_key,
    coalesce(vector_index.list, '[]'::jsonb) AS indexes
FROM vector_column v
LEFT JOIN pg_stats s ON s.schemaname = v.schema AND s.tablename = v.table AND s.attname = v.column
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.position) AS columns
    FROM pg_index i
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE i.indrelid = v.relation AND i.indisprimary
) primary_key ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(
        jsonb_build_object(
            'schema', n.nspname,
            'name', x.relname,
            'method', am.amname,
            'operator_classes', (
                SELECT jsonb_agg(o.opcname ORDER BY k.position)
                FROM unnest(i.indclass) WITH ORDINALITY AS k(oid, position)
                JOIN pg_opclass o ON o.oid = k.oid
            ),
            'options', coalesce(to_jsonb(x.reloptions), '[]'::jsonb),
            'valid', i.indisvalid,
            'ready', i.indisready,
            'live', i.indislive,
            'unique', i.indisunique,
            'building', EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid),
            'expression', i.indexprs IS NOT NULL,
            'holds_column', v.attnum = ANY (i.indkey),
            'predicate', pg_get_expr(i.indpred, i.indrelid),
            'bytes', pg_relation_size(i.indexrelid),
            'scans', coalesce(pg_stat_get_numscans(i.indexrelid), 0),
            'definition', pg_get_indexdef(i.indexrelid)
        )
        ORDER BY n.nspname, x.relname
    ) AS list
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = x.relnamespace
    JOIN pg_am am ON am.oid = x.relam
    WHERE i.indrelid = v.relation
      -- An index on the column itself, or on an expression that uses it: of the latter only pg_depend knows.
      AND (
          v.attnum = ANY (i.indkey)
          OR EXISTS (
              SELECT 1 FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = v.relation AND d.refobjsubid = v.attnum
          )
      )
) vector_index ON true
ORDER BY v.schema, v.table, v.column
