# Brings a backup back. Where the role may, into a new database that then takes the name of the old one, which stays under
# another name; otherwise in one transaction. What is said about the outcome is what the server says afterwards.
need psql pg_restore sha256sum awk
store_ready
store_fetch
recorded=$(field sha256 < "$TMP/entry")
[ -n "$recorded" ] && [ "$(digest "$fetched")" = "$recorded" ] ||
  fail verification "the backup has another checksum than its description says ($recorded)"
run pg_restore --list "$fetched" || fail verification "the backup cannot be read: $(cat "$TMP/error")"
mv "$TMP/said" "$TMP/toc"
run pg_restore --file=/dev/null "$fetched" || fail verification "the backup cannot be read: $(cat "$TMP/error")"
if [ -s "$TMP/manifest" ]; then
  manifest_whole "$TMP/manifest" || fail verification "what the backup should hold is told by a manifest that is not whole"
else
  say "the backup has no manifest: rows are not compared"
  : > "$TMP/manifest"
fi
connect
name=$PGDATABASE
notes=
open=0

note() {
  say "note: $1"
  notes="${notes:+$notes. }$1"
}

# Runs a script of psql: the rest are psql's arguments.
sql() {
  cat > "$TMP/script.sql"
  run psql -XAtqw -F "$TAB" -v ON_ERROR_STOP=1 -v name="$name" "$@" -f "$TMP/script.sql"
}

# What the server says, in $TMP/said; anything else ends it.
ask() {
  sql "$@" || fail restore "nothing was changed: the server does not answer a question: $(cat "$TMP/error")"
}

ask << 'SQL'
SELECT current_user, (rolsuper OR rolcreatedb)::int, pg_has_role(datdba, 'MEMBER')::int, pg_get_userbyid(datdba), d.oid,
  CASE WHEN octet_length(datname) <= 40 THEN datname ELSE 'database' END, to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISS')
FROM pg_roles, pg_database d WHERE rolname = current_user AND datname = current_database()
SQL
IFS=$TAB read -r role may_create owns owner oid short stamp < "$TMP/said"
[ -n "${stamp:-}" ] || fail restore "nothing was changed: the server does not tell about database $name"
ask << 'SQL'
SELECT name FROM pg_settings
SQL
mv "$TMP/said" "$TMP/settings"

# Roles that are here and that this one cannot act for: what is theirs is not touched.
ask << 'SQL'
SELECT rolname FROM pg_roles WHERE NOT pg_has_role(oid, 'MEMBER') AND rolname !~ '^pg_'
SQL
mv "$TMP/said" "$TMP/others"
ask << 'SQL'
SELECT rolname FROM pg_roles
SQL
mv "$TMP/said" "$TMP/roles"

# Lines of a file that are in another one, or not.
among() { awk -v list="$2" 'BEGIN { while ((getline line < list) > 0) there[line] = 1 } ($0 in there)' "$1"; }
not_among() { awk -v list="$2" 'BEGIN { while ((getline line < list) > 0) there[line] = 1 } !($0 in there)' "$1"; }
joined() { awk '{ all = all (NR > 1 ? ", " : "") $0 } END { print all }'; }

roles_for() {
  awk -F'\t' -v use="$1" '$1 == "role" && $3 == use { print $2 }' "$TMP/manifest"
}
roles_for owner > "$TMP/owners"
roles_for granted > "$TMP/granted"
roles_for policy | not_among /dev/stdin "$TMP/roles" > "$TMP/missing"
[ ! -s "$TMP/missing" ] ||
  fail restore "nothing was changed: policies in the backup name roles that are not here: $(joined < "$TMP/missing"). Make them first (CREATE ROLE … NOLOGIN)"
among "$TMP/owners" "$TMP/others" > "$TMP/other_owners"
not_among "$TMP/owners" "$TMP/roles" > "$TMP/missing_owners"
not_among "$TMP/granted" "$TMP/roles" > "$TMP/missing_granted"
no_owner=
if [ -s "$TMP/missing_owners" ]; then
  no_owner=--no-owner
  note "what belonged to $(joined < "$TMP/missing_owners") belongs to $role now: there is no such role here"
fi

# Extensions of the backup that this role cannot create.
manifest_column extension 2 > "$TMP/extensions"
ask << 'SQL'
SELECT name, max(CASE WHEN superuser AND NOT coalesce((to_jsonb(v)->>'trusted')::boolean, false)
    AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 1 ELSE 0 END),
  max((installed)::int)
FROM pg_available_extension_versions v GROUP BY name
SQL
awk -F'\t' 'NR == FNR { can[$1] = !$2; there[$1] = $3; next } !can[$1] && !($1 in there && there[$1]) ' "$TMP/said" "$TMP/extensions" > "$TMP/extensions_missing"
awk -F'\t' 'NR == FNR { can[$1] = !$2; next } !can[$1]' "$TMP/said" "$TMP/extensions" > "$TMP/extensions_not_ours"
[ ! -s "$TMP/extensions_missing" ] ||
  fail restore "nothing was changed: the backup needs extensions that are not here and that the role $role cannot create: $(joined < "$TMP/extensions_missing"). An administrator creates them first: CREATE EXTENSION …"

# Why no new database can take the place of the old one; empty when it can.
against() {
  [ "${FFE_RESTORE_INTO:-new}" = new ] || { echo "FFE_RESTORE_INTO asks for it" && return; }
  [ "$may_create" = 1 ] || { echo "the role $role may not create databases" && return; }
  [ "$owns" = 1 ] || { echo "database $name belongs to $owner" && return; }
  [ ! -s "$TMP/other_owners" ] || { echo "the backup has objects of $(joined < "$TMP/other_owners")" && return; }
  [ ! -s "$TMP/extensions_not_ours" ] ||
    { echo "the role $role cannot create the extensions $(joined < "$TMP/extensions_not_ours")" && return; }
  [ ! -s "$TMP/here_only" ] || { echo "schemas of others are not in the backup: $(joined < "$TMP/here_only")" && return; }
  [ -n "$maintenance" ] || echo "neither database postgres nor template1 can be reached to do it from"
}
ask << SQL
SELECT nspname FROM pg_namespace WHERE $OTHERS_SCHEMAS AND NOT $(ours nspowner) AND nspname <> 'public'
SQL
manifest_column left 2 > "$TMP/left"
manifest_column schema 2 | not_among /dev/stdin "$TMP/left" > "$TMP/in_backup"
not_among "$TMP/said" "$TMP/in_backup" > "$TMP/here_only"
maintenance=
for candidate in postgres template1; do
  [ "$candidate" != "$name" ] && [ -z "$maintenance" ] || continue
  PGDATABASE=$candidate
  ! run psql -XAtqw -c 'SELECT 1' > /dev/null || maintenance=$candidate
done
PGDATABASE=$name
why=$(against)

# The backup as statements: pg_restore's arguments. Where it breaks off, what follows is an error.
statements() {
  { pg_restore --file=- $no_owner "$@" "$fetched" 2> "$TMP/broken" || printf '\n\\.\nSELECT 1 / 0 AS "the backup cannot be read to its end";\n'; } |
    awk -v settings="$TMP/settings" -v open="$open" -f "$TMP/statements.awk"
}

# What the backup holds, at $1: its table of contents without what is not ours to make again. Rights that name roles
# which are not here are tried one by one at the end, in $1.rights.
contents() {
  # Extensions may belong to administrators, and so do comments on them.
  awk '!/^[0-9]+; [0-9]+ [0-9]+ COMMENT - EXTENSION /' "$TMP/toc" > "$1"
  : > "$1.rights"
  [ -s "$TMP/missing_granted" ] || return 0
  awk '/^[0-9]+; [0-9]+ [0-9]+ (DEFAULT )?ACL /' "$1" > "$1.rights"
  awk '!/^[0-9]+; [0-9]+ [0-9]+ (DEFAULT )?ACL /' "$1" > "$1.more" && mv "$1.more" "$1"
}

rights() {
  [ -s "$TMP/contents.rights" ] || return 0
  printf '\\set ON_ERROR_ROLLBACK on\n\\unset ON_ERROR_STOP\n'
  statements --use-list="$TMP/contents.rights"
  printf '\\set ON_ERROR_STOP 1\n'
}

# What differs from the manifest goes to $TMP/differences; \$same is true when nothing does. For psql.
compare() {
  printf '\\o %s\n' "$TMP/after"
  manifest_questions
  cat << 'SQL'
\o
\set same `awk -v others="$FFE_FOLDER/skipped" -f "$FFE_FOLDER/compare.awk" "$FFE_FOLDER/manifest" "$FFE_FOLDER/after" > "$FFE_FOLDER/differences" && [ ! -s "$FFE_FOLDER/differences" ] && echo true || echo false`
SQL
}
FFE_FOLDER=$TMP
export FFE_FOLDER
cp "$TMP/other_owners" "$TMP/skipped"
rm -f "$TMP/differences"
contents "$TMP/contents"

# What to say about roles whose rights could not be given.
rights_noted() {
  [ ! -s "$TMP/contents.rights" ] ||
    note "rights of roles that are not here were left out: $(joined < "$TMP/missing_granted")"
}

told() {
  rows=$(manifest_column table 5 | awk '{ sum += $1 } END { printf "%.0f", sum }')
  revision=$(manifest_column revision 4 | joined)
  compared=
  [ ! -s "$TMP/manifest" ] ||
    compared="all $(manifest_column table 5 | wc -l | tr -d ' ') tables have the rows that they had when the backup was taken ($rows in all)${revision:+, the schema is at $revision}. "
  say "$compared$1"
  finish "{\"outcome\":\"restored\",\"database\":\"$(text "$name")\",\"message\":\"$(text "$compared$1")\",\"notes\":\"$(text "$notes")\"}"
}
