# What a database holds, in lines of six columns as COPY writes them, made in one transaction: the dump's own snapshot.
#   table         schema  name    owner     rows    bytes
#   revision      schema  table   revision
#   schema        name    owner
#   extension     name    version schema
#   role          name    use (owner, granted, policy)
#   large_objects owner   count
#   database      name    owner   what CREATE DATABASE needs to make one like it   bytes
#   left          schema  owner   (not in the dump: this role may not read it)
#   version       program version
#   end           lines before this one

# Conditions that more than one question has.
OURS="pg_has_role(%, 'MEMBER')"

ours() {
  printf '%s' "$OURS" | sed "s/%/$1/"
}

depends() {
  printf "EXISTS (SELECT 1 FROM pg_depend WHERE deptype IN (%s) AND objsubid = 0 AND classid = '%s'::regclass AND objid = %s)" "$1" "$2" "$3"
}

in_extension() {
  depends "'e'" "$1" "$2"
}

# Also part of another object, like the functions that make values of a range type, which the server's first role owns.
part_of_another() {
  depends "'e', 'i'" "$1" "$2"
}

OTHERS_SCHEMAS="nspname !~ '^pg_' AND nspname <> 'information_schema'"

# Schemas of others that this role cannot read to the end: the dump goes without them.
left_schemas() {
  cat << SQL
SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace n
WHERE $OTHERS_SCHEMAS AND nspname <> 'public' AND NOT $(ours nspowner) AND NOT $(in_extension pg_namespace n.oid)
AND (NOT has_schema_privilege(n.oid, 'USAGE') OR EXISTS (
  SELECT 1 FROM pg_class c WHERE relnamespace = n.oid AND relkind IN ('r', 'p', 'S', 'm')
  AND NOT $(in_extension pg_class c.oid)
  AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END))
SQL
}

# The tables whose rows are counted.
counted_tables() {
  cat << SQL
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND relpersistence <> 't' AND $OTHERS_SCHEMAS AND NOT $(in_extension pg_class c.oid)
  AND nspname NOT IN (SELECT nspname FROM ($(left_schemas)) AS them) ORDER BY nspname, relname
SQL
}

# The questions, for psql. Whether rows may be read is not for a policy to say: what it hides is an error, as for pg_dump.
manifest_questions() {
  cat << SQL
SET row_security = off;
COPY (SELECT 'version', 'server', current_setting('server_version'), '', '', '') TO STDOUT;
COPY (SELECT 'database', datname, pg_get_userbyid(datdba), concat_ws(' ',
    format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype),
    CASE all_of_it->>'datlocprovider'
      WHEN 'i' THEN format('LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(all_of_it->>'daticulocale', all_of_it->>'datlocale'))
      WHEN 'b' THEN format('LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', all_of_it->>'datlocale') END),
    pg_database_size(datname), ''
  FROM (SELECT *, to_jsonb(d) AS all_of_it FROM pg_database d WHERE datname = current_database()) AS this) TO STDOUT;
COPY (SELECT 'extension', extname, extversion, nspname, '', ''
  FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace ORDER BY 2) TO STDOUT;
COPY (SELECT 'left', *, '', '', '' FROM ($(left_schemas)) AS them ORDER BY 2) TO STDOUT;
COPY (SELECT 'schema', nspname, pg_get_userbyid(nspowner), '', '', '' FROM pg_namespace WHERE $OTHERS_SCHEMAS ORDER BY 2) TO STDOUT;
COPY (SELECT DISTINCT 'role', pg_get_userbyid(role), use, '', '', '' FROM (
    SELECT nspowner, 'owner' FROM pg_namespace n WHERE $OTHERS_SCHEMAS AND n.oid >= 16384 AND NOT $(in_extension pg_namespace n.oid)
    UNION SELECT relowner, 'owner' FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE $OTHERS_SCHEMAS AND c.oid >= 16384 AND NOT $(part_of_another pg_class c.oid)
    UNION SELECT proowner, 'owner' FROM pg_proc p WHERE p.oid >= 16384 AND NOT $(part_of_another pg_proc p.oid)
    UNION SELECT typowner, 'owner' FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace
      WHERE $OTHERS_SCHEMAS AND t.oid >= 16384 AND NOT $(part_of_another pg_type t.oid)
    UNION SELECT lomowner, 'owner' FROM pg_largeobject_metadata
    UNION SELECT s.refobjid, CASE s.deptype WHEN 'o' THEN 'owner' WHEN 'a' THEN 'granted' ELSE 'policy' END
      FROM pg_shdepend s JOIN pg_database d ON d.oid = dbid
      WHERE d.datname = current_database() AND refclassid = 'pg_authid'::regclass AND deptype IN ('o', 'a', 'r')
      AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = s.classid AND e.objid = s.objid AND e.deptype IN ('e', 'i'))
  ) AS used (role, use) ORDER BY 2, 3) TO STDOUT;
COPY (SELECT 'large_objects', pg_get_userbyid(lomowner), count(*), '', '', '' FROM pg_largeobject_metadata GROUP BY 2 ORDER BY 2) TO STDOUT;
SELECT format('COPY (SELECT %L, %L, %L, version_num, %L, %L FROM %I.%I ORDER BY 4) TO STDOUT', 'revision', nspname, relname, '', '', nspname, relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'alembic_version' AND relkind = 'r'
  AND NOT $(in_extension pg_class c.oid) AND nspname NOT IN (SELECT nspname FROM ($(left_schemas)) AS them)
  AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'version_num') ORDER BY nspname \gexec
SELECT format('COPY (SELECT %L, %L, %L, %L, count(*), %s FROM ONLY %I.%I) TO STDOUT', 'table', nspname, relname,
    pg_get_userbyid(relowner), pg_total_relation_size(c.oid), nspname, relname)
  $(counted_tables) \gexec
SQL
}

# Adds the last line, which tells that the file is whole.
manifest_end() {
  printf 'end\t%s\t\t\t\t\n' "$(wc -l < "$1" | tr -d ' ')" >> "$1"
}

# Whether a manifest is whole.
manifest_whole() {
  [ "$(tail -n 1 "$1" | cut -f2)" = "$(($(wc -l < "$1") - 1))" ]
}

# The lines of one kind: column $2 of them.
manifest_column() {
  awk -F'\t' -v kind="$1" -v column="$2" '$1 == kind { print $column }' "$TMP/manifest"
}
