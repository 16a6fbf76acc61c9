# A restore into a new database that then takes the name of the old one.

# Takes the new database away again, also when told to stop. Nothing depends on it.
drop_new() {
  [ -n "$new" ] || return 0
  # Whoever still writes into it is sent away first.
  cat > "$TMP/drop.sql" << 'SQL'
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = :'new' AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER');
DROP DATABASE IF EXISTS :"new";
SQL
  PGDATABASE=$maintenance
  psql -XAtqw -v new="$new" -f "$TMP/drop.sql" > "$TMP/drop.said" 2>&1 ||
    note "the new database \"$new\" is left and can be dropped: $(cat "$TMP/drop.said")"
  new=
}

# What became of it, as the server says.
lost() {
  problem=$1
  code=$2
  to_drop=$new
  now=
  PGDATABASE=$maintenance
  printf "SELECT oid FROM pg_database WHERE datname = :'name';\n" > "$TMP/where.sql"
  ! run psql -XAtqw -v name="$name" -f "$TMP/where.sql" > /dev/null || now=$(cat "$TMP/said")
  case $now in
    "$oid") drop_new && fail "$code" "database $name is what it was: $problem" ;;
    '') fail "$code" "what became of database $name is not known, since the server does not answer: $problem. The backup was being restored into \"$to_drop\", which replaces it by a change of names" ;;
    *) fail "$code" "database $name is another one than before: $problem" ;;
  esac
}

# What belongs to the database itself and is in no dump: its settings, rights, limit and comment. As they are today.
database_settings() {
  cat << 'SQL'
SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', :'new', datconnlimit) FROM pg_database WHERE datname = :'name'
UNION ALL SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'new') FROM pg_database WHERE datname = :'name' AND datacl IS NOT NULL
UNION ALL SELECT format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, :'new',
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_database CROSS JOIN LATERAL aclexplode(datacl) WHERE datname = :'name'
UNION ALL SELECT format('COMMENT ON DATABASE %I IS %L', :'new', shobj_description(oid, 'pg_database')) FROM pg_database
  WHERE datname = :'name' AND shobj_description(oid, 'pg_database') IS NOT NULL
UNION ALL SELECT format('ALTER %s SET %s TO %s',
    CASE setrole WHEN 0 THEN format('DATABASE %I', :'new') ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), :'new') END,
    split_part(setting, '=', 1),
    CASE WHEN split_part(setting, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries')
      THEN coalesce(nullif(substr(setting, strpos(setting, '=') + 1), ''), '''''') ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase CROSS JOIN LATERAL unnest(setconfig) AS setting WHERE datname = :'name'
\gexec
SQL
}

swap() {
  new=${short}_restore_$stamp
  old=${short}_before_$stamp
  at_old="SELECT count(*) FROM pg_subscription WHERE subenabled AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());"
  if printf '%s\n' "$at_old" | sql && [ "$(cat "$TMP/said")" != 0 ]; then
    new= && fail restore "nothing was changed: database $name has a subscription that is enabled; disable it first: ALTER SUBSCRIPTION … DISABLE"
  fi
  say "restoring $FFE_LOCATION into the new database \"$new\" at $PGHOST"
  like=$(manifest_column database 4 | sed 's/\\\\/\\/g')
  PGDATABASE=$maintenance
  created=
  if [ -n "$like" ]; then
    printf 'CREATE DATABASE :"new" OWNER :"owner" TEMPLATE template0 %s;\n' "$like" | sql -v new="$new" -v owner="$owner" && created=1
  fi
  if [ -z "$created" ]; then
    [ -z "$like" ] || note "the backup's encoding and locale ($like) are not to be had here, so those of $name were kept: $(cat "$TMP/error")"
    printf 'SELECT format($f$CREATE DATABASE %%I OWNER %%I TEMPLATE template0 ENCODING %%L LC_COLLATE %%L LC_CTYPE %%L$f$, %s) FROM pg_database WHERE datname = %s \\gexec\n' \
      ":'new', :'owner', pg_encoding_to_char(encoding), datcollate, datctype" ":'name'" | sql -v new="$new" -v owner="$owner" ||
      lost "the new database could not be created: $(cat "$TMP/error")" restore
  fi
  PGDATABASE=$new
  fill() {
    {
      [ ! -s "$TMP/manifest" ] || manifest_column schema 2 | grep -qx public || printf 'DROP SCHEMA IF EXISTS public;\n'
      statements --use-list="$TMP/contents"
      rights
      [ ! -s "$TMP/manifest" ] || compare
      printf 'SET client_min_messages = error;\nANALYZE;\n'
    } | psql -Xqw -v ON_ERROR_STOP=1 -f -
  }
  run fill || lost "the backup could not be restored: $(cat "$TMP/error" "$TMP/broken")" restore
  [ ! -s "$TMP/differences" ] || lost "what was restored is not what the backup should hold: $(joined < "$TMP/differences")" verification
  rights_noted

  # From here on the old database is concerned.
  PGDATABASE=$maintenance
  database_settings > "$TMP/settings.sql"
  run psql -XAtqw -v name="$name" -v new="$new" -f "$TMP/settings.sql" || lost "the database's own settings could not be read: $(cat "$TMP/error")" restore
  [ ! -s "$TMP/error" ] || note "some settings of the database itself could not be made for the new one: $(cat "$TMP/error")"
  printf "SELECT oid FROM pg_database WHERE datname = :'new';\n" | sql -v new="$new" || lost "the server does not answer: $(cat "$TMP/error")" restore
  new_oid=$(cat "$TMP/said")
  # The change of names holds a lock that lets nobody in, and waits for five seconds that those who are in leave.
  cat > "$TMP/leave.sql" << 'SQL'
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname IN (:'name', :'new') AND pid <> pg_backend_pid() AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER')
\watch 0.2
SQL
  psql -XAtqw -v name="$name" -v new="$new" -f "$TMP/leave.sql" > /dev/null 2>&1 &
  watcher=$!
  sql -v new="$new" -v old="$old" << 'SQL'
SET lock_timeout = '60s';
BEGIN;
ALTER DATABASE :"name" RENAME TO :"old";
ALTER DATABASE :"new" RENAME TO :"name";
COMMIT;
SQL
  kill "$watcher" 2> /dev/null
  watcher=
  renamed=$(cat "$TMP/error")
  printf "SELECT oid FROM pg_database WHERE datname = :'name';\n" | sql || lost "$renamed; the server does not answer: $(cat "$TMP/error")" restore
  [ "$(cat "$TMP/said")" = "$new_oid" ] || lost "the new database could not take its name: $renamed" restore
  new=
  told "Database $name is the backup now; what it was is in database \"$old\", until somebody drops it: DROP DATABASE \"$old\";"
}
