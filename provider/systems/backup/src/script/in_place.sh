# A restore into the database itself, in one transaction.

# What became of the transaction, as the server says; ends unless it was committed.
became_of_it() {
  became=none
  if [ -s "$TMP/transaction" ]; then
    printf "SELECT txid_status(:transaction);\n" | sql -v transaction="$(cat "$TMP/transaction")" && became=$(cat "$TMP/said") || became=unknown
  fi
  case $became in
    committed) ;;
    aborted | none) fail restore "nothing was changed, as the server says of the transaction: $problem" ;;
    *) fail restore "whether anything was changed is not known (the server says of the transaction: $became): $problem" ;;
  esac
}

# Told to stop: the session is ended, and then it is known.
in_place_stopped() {
  on_stop=
  problem="told to stop: its deadline has passed, or its pod was evicted or deleted"
  sql << 'SQL'
SELECT pg_terminate_backend(pid), pg_sleep(1) FROM pg_stat_activity
  WHERE datname = :'name' AND application_name = 'ffe-backup' AND usename = current_user AND pid <> pg_backend_pid()
SQL
  became_of_it
}

in_place() {
  say "restoring $FFE_LOCATION into database $name at $PGHOST in one transaction: $why"
  ask << SQL
SELECT nspname, own::int FROM ($(kept_schemas)) AS k
SQL
  mv "$TMP/said" "$TMP/kept"
  ask << SQL
SELECT nspname || ' ' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE $(in_extension pg_class c.oid)
SQL
  mv "$TMP/said" "$TMP/of_extensions"
  # Schemas that stay are not made again, rights and comments of those of others are not ours to give; nor is what other
  # roles own, nor the rows of tables that an extension has made.
  awk -v kept="$TMP/kept" -v others="$TMP/other_owners" -v extensions="$TMP/of_extensions" '
    BEGIN {
      while ((getline line < kept) > 0) { split(line, part, "\t"); stays[part[1]] = 1; if (!part[2]) foreign[part[1]] = 1 }
      while ((getline line < others) > 0) theirs[line] = 1
      while ((getline line < extensions) > 0) member[line] = 1
    }
    /^;/ { next }
    {
      entry = $0
      sub(/^[0-9]+; [0-9]+ [0-9]+ /, "", entry)
      if (match(entry, /^SCHEMA - /)) { name = substr(entry, 10); sub(/ [^ ]*$/, "", name); if (name in stays) next }
      if (match(entry, /^(ACL|COMMENT) - SCHEMA /)) { name = substr(entry, RLENGTH + 1); sub(/ [^ ]*$/, "", name); if (name in foreign) next }
      if (match(entry, /^TABLE DATA /)) { name = substr(entry, 12); sub(/ [^ ]*$/, "", name); if (name in member) next }
      owner = entry
      sub(/^.* /, "", owner)
      if (owner in theirs) next
      print
    }' "$TMP/contents" > "$TMP/ours" && mv "$TMP/ours" "$TMP/contents"
  [ ! -s "$TMP/other_owners" ] || note "objects of $(joined < "$TMP/other_owners") were left as they are"
  [ ! -s "$TMP/here_only" ] || note "schemas that are not in the backup were left as they are: $(joined < "$TMP/here_only")"

  replace() {
    {
      printf 'BEGIN;\n\\o %s\nSELECT txid_current();\n\\o\n' "$TMP/transaction"
      empty
      statements --single-transaction --use-list="$TMP/contents"
      rights
      printf '\\set same true\n'
      [ ! -s "$TMP/manifest" ] || compare
      printf '\\if :same\nCOMMIT;\n\\else\nROLLBACK;\n\\endif\n'
    } | psql -XAtqw -F "$TAB" -v ON_ERROR_STOP=1 -f -
  }
  rm -f "$TMP/transaction"
  open=1
  on_stop=in_place_stopped
  run replace
  on_stop=
  problem=$(cat "$TMP/error")
  [ ! -s "$TMP/differences" ] || problem="what was restored is not what the backup should hold: $(joined < "$TMP/differences")"
  became_of_it
  rights_noted
  told "Database $name is the backup now; what was written since is gone."
}
