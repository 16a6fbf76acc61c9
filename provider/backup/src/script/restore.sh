# Replaces everything in the database with what the backup has, in one transaction: all of it, or nothing.
need psql pg_dump pg_restore sha256sum
connect
check_tools
store_fetch
[ "$(digest "$fetched")" = "$FFE_SHA256" ] ||
  fail verification "the backup has another checksum than was recorded ($FFE_SHA256)"
run pg_restore --list "$fetched" || fail verification "the backup cannot be read: $(cat "$TMP/error")"
# Extensions may belong to administrators, and so do comments on them.
sed '/ COMMENT - EXTENSION /d' < "$TMP/said" > "$TMP/list"
run pg_restore --file=/dev/null "$fetched" || fail verification "the backup cannot be read: $(cat "$TMP/error")"

# Drops what is there, but for extensions and what is theirs. The commands are gathered before the first of them runs:
# names of what is gone cannot be looked up.
empty() {
  cat << 'SQL'
SET lock_timeout = '60s';
SET client_min_messages = warning;
DO $body$
DECLARE
  commands text[];
  command text;
BEGIN
  WITH theirs AS (SELECT classid, objid FROM pg_depend WHERE deptype IN ('e', 'i'))
  SELECT array_agg(line ORDER BY rank) INTO commands FROM (
    SELECT 1 AS rank, format('DROP SCHEMA %I CASCADE', nspname) AS line FROM pg_namespace n
      WHERE nspname !~ '^pg_' AND nspname NOT IN ('public', 'information_schema')
      AND NOT EXISTS (SELECT 1 FROM theirs WHERE classid = 'pg_namespace'::regclass AND objid = n.oid)
    UNION ALL
    SELECT 2, format('DROP %s IF EXISTS public.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
      WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, relname) FROM pg_class c
      WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S', 'c', 'f')
      AND NOT EXISTS (SELECT 1 FROM theirs WHERE classid = 'pg_class'::regclass AND objid = c.oid)
    UNION ALL
    SELECT 3, format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc p
      WHERE pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM theirs WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
    UNION ALL
    SELECT 4, format('DROP TYPE IF EXISTS public.%I CASCADE', typname) FROM pg_type t
      WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
      AND NOT EXISTS (SELECT 1 FROM theirs WHERE classid = 'pg_type'::regclass AND objid = t.oid)
  ) AS all_of_them;
  FOREACH command IN ARRAY coalesce(commands, '{}') LOOP
    EXECUTE command;
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $body$;
SQL
}

# When the dump breaks off, what follows makes the transaction fail.
replace() {
  {
    empty
    pg_restore --use-list="$TMP/list" --file=- "$fetched" || printf '\n\\.\nSELECT 1 / 0;\n'
  } | psql -Xqw -v ON_ERROR_STOP=1 --single-transaction --file=-
}

say "restoring $FFE_LOCATION into database $PGDATABASE at $PGHOST"
run replace || fail restore "nothing was changed: $(cat "$TMP/error")"
finish '{"outcome":"restored"}'
