-- Every column of a pgvector type in every schema, with its table's statistics and the indexes that could serve it.
-- The types are found through the extension, whatever schema it is installed in. Needs no privilege on the tables.
WITH RECURSIVE vector_type AS (
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
        c.relispartition,
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
),
-- A partitioned table has no rows of its own: those of its partitions are read with it.
part(root, relation) AS (
    SELECT relation, relation FROM vector_column
    UNION
    SELECT p.root, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.relation
),
-- Who may not see what another role does still sees its locks, and that it builds some index.
built_upon AS MATERIALIZED (
    SELECT l.relation
    FROM pg_stat_progress_create_index b
    JOIN pg_locks l ON l.pid = b.pid AND l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
    WHERE b.datname = current_database()
),
-- To measure a relation waits for whoever has locked it, and behind whoever waits for such a lock.
locked AS MATERIALIZED (
    SELECT DISTINCT l.relation
    FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
),
part_size AS (
    SELECT
        p.root,
        n.nspname AS schema,
        c.relname AS table,
        c.reltuples,
        -- Where it may not be measured, the last known pages must do.
        CASE WHEN c.oid IN (SELECT relation FROM locked)
            THEN c.relpages::bigint * 8192 ELSE pg_relation_size(c.oid) END AS heap_bytes,
        CASE WHEN whole.locked THEN whole.pages * 8192 ELSE pg_total_relation_size(c.oid) END AS total_bytes
    FROM part p
    JOIN pg_class c ON c.oid = p.relation AND c.relkind IN ('r', 'm')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT bool_or(r.oid IN (SELECT relation FROM locked)) AS locked, sum(r.relpages)::bigint AS pages
        FROM pg_class r
        WHERE r.oid = ANY (
            ARRAY[c.oid, c.reltoastrelid]
            || ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid IN (c.oid, c.reltoastrelid))
        )
    ) whole
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
    CASE WHEN v.relispartition THEN (
        SELECT CASE WHEN n.nspname ~ '[."]' THEN '"' || replace(n.nspname, '"', '""') || '"' ELSE n.nspname END
            || '.' || c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid = pg_partition_root(v.relation)
    ) END AS root,
    coalesce(size.estimated_rows, 0) AS estimated_rows,
    coalesce(size.never_analyzed, true) AS never_analyzed,
    size.null_fraction,
    coalesce(size.heap_bytes, 0) AS heap_bytes,
    coalesce(size.total_bytes, 0) AS total_bytes,
    has_column_privilege(v.relation, v.attnum, 'SELECT') AS can_select,
    row_security_active(v.relation) AS rows_hidden,
    coalesce(primary_key.columns, '{}') AS primary_key,
    coalesce(vector_index.list, '[]'::jsonb) AS indexes
FROM vector_column v
LEFT JOIN LATERAL (
    SELECT
        sum(greatest(p.reltuples, 0))::bigint AS estimated_rows,
        bool_and(p.reltuples < 0) AS never_analyzed,
        sum(s.null_frac * p.reltuples) / nullif(sum(p.reltuples) FILTER (WHERE s.null_frac IS NOT NULL), 0)
            AS null_fraction,
        sum(p.heap_bytes)::bigint AS heap_bytes,
        sum(p.total_bytes)::bigint AS total_bytes
    FROM part_size p
    LEFT JOIN pg_stats s
      ON s.schemaname = p.schema AND s.tablename = p.table AND s.attname = v.column AND NOT s.inherited
    WHERE p.root = v.relation
) size ON true
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
            'building', NOT i.indisvalid AND v.relation IN (SELECT relation FROM built_upon),
            'partitioned', x.relkind = 'I',
            'attached', x.relispartition,
            'operators', (
                SELECT coalesce(jsonb_agg(DISTINCT operator.oprname), '[]'::jsonb)
                FROM unnest(i.indclass) AS c(oid)
                JOIN pg_opclass o ON o.oid = c.oid
                JOIN pg_amop a ON a.amopfamily = o.opcfamily AND a.amopmethod = x.relam AND a.amoppurpose = 'o'
                JOIN pg_operator operator ON operator.oid = a.amopopr
            ),
            'tablespace', (SELECT t.spcname FROM pg_tablespace t WHERE t.oid = x.reltablespace),
            -- To write an expression out, or a whole index, opens the table.
            'expression', CASE WHEN v.relation NOT IN (SELECT relation FROM locked)
                THEN pg_get_expr(i.indexprs, i.indrelid) WHEN i.indexprs IS NOT NULL THEN '?' END,
            'holds_column', v.attnum = ANY (i.indkey),
            'predicate', CASE WHEN v.relation NOT IN (SELECT relation FROM locked)
                THEN pg_get_expr(i.indpred, i.indrelid) WHEN i.indpred IS NOT NULL THEN '?' END,
            'finds_nulls', CASE WHEN v.relation IN (SELECT relation FROM locked) THEN false
                ELSE coalesce(pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NULL)', v.column), false) END,
            'bytes', CASE WHEN i.indexrelid IN (SELECT relation FROM locked)
                THEN x.relpages::bigint * 8192 ELSE pg_relation_size(i.indexrelid) END,
            'scans', coalesce(pg_stat_get_numscans(i.indexrelid), 0),
            'definition', CASE WHEN v.relation IN (SELECT relation FROM locked)
                THEN '' ELSE pg_get_indexdef(i.indexrelid) END
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
