# Drops what is the role's own in a database, but for extensions, what is theirs and what they lie in. What belongs to
# others stays, and where something of theirs would go along, nothing goes.

# Schemas that stay: those of others, those in which something of others or of an extension lies, and public, of which
# only the content goes.
kept_schemas() {
  cat << SQL
SELECT n.oid, nspname, $(ours nspowner) AS own FROM pg_namespace n WHERE $OTHERS_SCHEMAS AND (nspname = 'public'
  OR NOT $(ours nspowner) OR $(in_extension pg_namespace n.oid)
  OR EXISTS (SELECT 1 FROM pg_extension WHERE extnamespace = n.oid)
  OR EXISTS (SELECT 1 FROM pg_class c WHERE relnamespace = n.oid AND ($(in_extension pg_class c.oid) OR NOT $(ours relowner) AND NOT $(part_of_another pg_class c.oid)))
  OR EXISTS (SELECT 1 FROM pg_proc p WHERE pronamespace = n.oid AND ($(in_extension pg_proc p.oid) OR NOT $(ours proowner) AND NOT $(part_of_another pg_proc p.oid)))
  OR EXISTS (SELECT 1 FROM pg_type t WHERE typnamespace = n.oid AND ($(in_extension pg_type t.oid) OR NOT $(ours typowner) AND NOT $(part_of_another pg_type t.oid))))
SQL
}

# Objects with an owner, but for what belongs to an extension, or to another object and goes with it.
owned_objects() {
  cat << 'SQL'
SELECT * FROM (
  SELECT 1 AS rank, 'pg_event_trigger'::regclass::oid AS classid, oid AS objid, evtowner AS owner FROM pg_event_trigger
  UNION ALL SELECT 2, 'pg_publication'::regclass, oid, pubowner FROM pg_publication
  UNION ALL SELECT 3, 'pg_namespace'::regclass, oid, nspowner FROM pg_namespace
  UNION ALL SELECT 4, 'pg_class'::regclass, oid, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT 5, 'pg_cast'::regclass, c.oid, CASE WHEN pg_has_role(s.typowner, 'MEMBER') THEN s.typowner ELSE t.typowner END
    FROM pg_cast c JOIN pg_type s ON s.oid = castsource JOIN pg_type t ON t.oid = casttarget
  UNION ALL SELECT 6, 'pg_opclass'::regclass, oid, opcowner FROM pg_opclass
  UNION ALL SELECT 7, 'pg_opfamily'::regclass, oid, opfowner FROM pg_opfamily
  UNION ALL SELECT 8, 'pg_operator'::regclass, oid, oprowner FROM pg_operator
  UNION ALL SELECT 9, 'pg_proc'::regclass, oid, proowner FROM pg_proc
  UNION ALL SELECT 10, 'pg_type'::regclass, oid, typowner FROM pg_type t WHERE typtype IN ('b', 'c', 'd', 'e', 'r')
    AND NOT (typelem <> 0 AND typlen = -1 AND EXISTS (SELECT 1 FROM pg_type e WHERE e.typarray = t.oid))
  UNION ALL SELECT 11, 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
  UNION ALL SELECT 12, 'pg_conversion'::regclass, oid, conowner FROM pg_conversion
  UNION ALL SELECT 13, 'pg_collation'::regclass, oid, collowner FROM pg_collation
  UNION ALL SELECT 14, 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
  UNION ALL SELECT 15, 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
  UNION ALL SELECT 16, 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server
  UNION ALL SELECT 17, 'pg_foreign_data_wrapper'::regclass, oid, fdwowner FROM pg_foreign_data_wrapper
  UNION ALL SELECT 18, 'pg_language'::regclass, oid, lanowner FROM pg_language
  UNION ALL SELECT 19, 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
) AS every
WHERE objid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = every.classid AND d.objid = every.objid
  AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))
  AND NOT EXISTS (SELECT 1 FROM pg_namespace t WHERE t.nspname ~ '^pg_(toast|temp)' AND
    (CASE every.classid WHEN 'pg_class'::regclass THEN (SELECT relnamespace FROM pg_class c WHERE c.oid = every.objid)
      WHEN 'pg_type'::regclass THEN (SELECT typnamespace FROM pg_type c WHERE c.oid = every.objid)
      WHEN 'pg_namespace'::regclass THEN every.objid END) = t.oid)
SQL
}

empty() {
  cat << SQL
SET lock_timeout = '60s';
SET client_min_messages = warning;
DO \$body\$
DECLARE
  objects CONSTANT text := \$objects\$
$(owned_objects)
\$objects\$;
  commands text[];
  command text;
  theirs text[];
  gone text;
BEGIN
  EXECUTE 'SELECT array_agg(classid || '':'' || objid || '':'' || (pg_identify_object(classid, objid, 0)).identity) FROM ('
    || objects || ') AS o WHERE NOT pg_has_role(owner, ''MEMBER'')' INTO theirs;
  -- The commands are gathered before the first of them runs: names of what is gone cannot be looked up.
  EXECUTE 'SELECT array_agg(CASE classid
      WHEN ''pg_largeobject''::regclass THEN format(''SELECT lo_unlink(%s)'', objid)
      WHEN ''pg_proc''::regclass THEN format(''DROP ROUTINE IF EXISTS %s CASCADE'', objid::regprocedure)
      ELSE format(''DROP %s IF EXISTS %s CASCADE'', CASE type
        WHEN ''statistics object'' THEN ''STATISTICS'' WHEN ''composite type'' THEN ''TYPE''
        WHEN ''foreign-data wrapper'' THEN ''FOREIGN DATA WRAPPER'' ELSE upper(type) END, identity) END ORDER BY rank, objid)
    FROM (' || objects || ') AS o CROSS JOIN LATERAL pg_identify_object(classid, objid, 0)
    WHERE pg_has_role(owner, ''MEMBER'')
    AND NOT (classid = ''pg_namespace''::regclass AND objid IN (SELECT oid FROM (' || \$kept\$ $(kept_schemas) \$kept\$ || ') AS k))' INTO commands;
  FOREACH command IN ARRAY coalesce(commands, '{}') LOOP
    EXECUTE command;
  END LOOP;
  EXECUTE 'SELECT string_agg(substr(t, length(split_part(t, '':'', 1) || split_part(t, '':'', 2)) + 3), '', '') FROM unnest(\$1) AS t
    WHERE NOT EXISTS (SELECT 1 FROM (' || objects || ') AS o WHERE t LIKE classid || '':'' || objid || '':%'')' INTO gone USING theirs;
  IF gone IS NOT NULL THEN
    RAISE EXCEPTION 'these objects of other roles depend on what would be replaced, and would go with it: %', gone;
  END IF;
END \$body\$;
SQL
}
