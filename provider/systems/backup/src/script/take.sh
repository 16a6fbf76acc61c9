need psql pg_dump pg_restore sha256sum awk
store_check
started=$(date +%s)
connect
check_tools
make_room
say "dumping database $PGDATABASE at $PGHOST, PostgreSQL $server_version, with pg_dump $tool_version"
taken_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# A session whose snapshot the dump shows too. It stays until the dump is there, and counts meanwhile.
session_questions() {
  cat << 'SQL'
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
\o :folder/snapshot
SELECT pg_export_snapshot();
\o :folder/left
SQL
  printf '%s;\n\\o\n' "$(left_schemas)"
  # As pg_dump does: a snapshot does not see that a table was emptied (TRUNCATE) or dropped since.
  printf "SET lock_timeout = '%ss';\n" "${FFE_LOCK_WAIT:-60}"
  printf 'SELECT format($f$LOCK TABLE ONLY %%I.%%I IN ACCESS SHARE MODE$f$, nspname, relname)\n%s \\gexec\n' "$(counted_tables)"
  printf '\\! : > "$FFE_FOLDER/ready"\n'
  manifest_questions
  printf '\\! while [ ! -e "$FFE_FOLDER/dumped" ]; do sleep 1; done\nCOMMIT;\n'
}
rm -f "$TMP/ready" "$TMP/dumped" "$TMP/snapshot" "$TMP/left"
session_questions > "$TMP/questions.sql"
FFE_FOLDER=$TMP
export FFE_FOLDER
psql -XAtqwb -F "$TAB" -v ON_ERROR_STOP=1 -v folder="$TMP" -f "$TMP/questions.sql" > "$TMP/manifest" 2> "$TMP/session.error" &
session=$!
while [ ! -e "$TMP/ready" ]; do
  kill -0 "$session" 2> /dev/null || fail dump "the database cannot be looked through: $(cat "$TMP/session.error")"
  sleep 1 &
  wait $!
done

store_begin
# Its sleep holds nothing of ours open.
while sleep 15 > /dev/null 2>&1; do
  store_so_far
done &
watcher=$!
set --
left=
while IFS=$TAB read -r schema owner; do
  set -- "$@" "--exclude-schema=\"$(printf '%s' "$schema" | sed 's/"/""/g')\""
  left="$left, $schema of $owner"
done < "$TMP/left"
# A lock held by somebody else does not keep it waiting for ever.
store_dump pg_dump --format=custom --no-password --lock-wait-timeout="${FFE_LOCK_WAIT:-60}s" --snapshot="$(cat "$TMP/snapshot")" "$@"
code=$?
kill "$watcher" 2> /dev/null
watcher=
: > "$TMP/dumped"
if [ "$code" -ne 0 ]; then
  case $(cat "$TMP/error") in
    *"No space left on device"* | *"Disk quota exceeded"*) fail space "the dump does not fit: $(cat "$TMP/error")" ;;
    *"server version mismatch"*) fail image_older "$(cat "$TMP/error")" ;;
    *) fail dump "pg_dump ended with exit code $code: $(cat "$TMP/error" "$TMP/session.error")" ;;
  esac
fi
wait "$session" || fail dump "the rows could not be counted: $(cat "$TMP/session.error")"
session=
printf 'version\tpg_dump\t%s\t\t\t\n' "$tool_version" >> "$TMP/manifest"
manifest_end "$TMP/manifest"
[ "${bytes:-0}" -gt 0 ] || fail verification "pg_dump wrote nothing"
[ "${#sha256}" -eq 64 ] || fail verification "the dump's checksum cannot be computed"

tables=$(manifest_column table 5 | wc -l | tr -d ' ')
rows=$(manifest_column table 5 | awk '{ sum += $1 } END { printf "%.0f", sum }')
revision=$(manifest_column revision 4 | tr '\n' ' ' | sed 's/ $//')
entry="{\"name\":\"$FFE_BACKUP\",\"series\":\"$FFE_SERIES\",\"location\":\"$FFE_LOCATION\",\"size_bytes\":$bytes,\"sha256\":\"$sha256\",\"server_version\":\"$(text "$server_version")\",\"taken_at\":\"$taken_at\",\"seconds\":$(($(date +%s) - started)),\"database\":\"$(text "$PGDATABASE")\",\"tables\":$tables,\"rows\":$rows,\"revision\":\"$(text "$revision")\"}"
store_keep
pruned=${pruned:-0}
warning=
[ -z "${FFE_RETENTION:-}" ] || prune || say "$warning"
[ -z "$left" ] || warning="${warning:+$warning. }These schemas are not in the dump, because the role ${PGUSER:-of the connection} may not read them: ${left#, }. A restore leaves them alone"
cleanup
finish "{\"outcome\":\"taken\",\"backup\":$entry,\"pruned\":$pruned,\"warning\":\"$(text "$warning")\"}"
