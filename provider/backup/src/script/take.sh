need psql pg_dump pg_restore sha256sum
store_check
started=$(date +%s)
connect
check_tools
say "dumping database $PGDATABASE at $PGHOST, PostgreSQL $server_version, with pg_dump $tool_version"
taken_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# Its sleep holds nothing of ours open.
while sleep 15 > /dev/null 2>&1; do
  [ ! -f "$partial" ] || say "$(size "$partial") bytes so far"
done &
watcher=$!
# A lock held by somebody else does not keep it waiting for ever.
run pg_dump --format=custom --no-password --lock-wait-timeout=60s --file="$partial"
kill "$watcher" 2> /dev/null
watcher=
if [ "$code" -ne 0 ]; then
  case $(cat "$TMP/error") in
    *"No space left on device"* | *"Disk quota exceeded"*) fail space "the dump does not fit: $(cat "$TMP/error")" ;;
    *"server version mismatch"*) fail image_older "$(cat "$TMP/error")" ;;
    *) fail dump "pg_dump ended with exit code $code: $(cat "$TMP/error")" ;;
  esac
fi

# A dump that cannot be read to its end is none.
bytes=$(size "$partial")
[ "${bytes:-0}" -gt 0 ] || fail verification "pg_dump wrote nothing"
run pg_restore --list "$partial" || fail verification "the dump has no readable table of contents: $(cat "$TMP/error")"
run pg_restore --file=/dev/null "$partial" || fail verification "the dump cannot be read to its end: $(cat "$TMP/error")"
sha256=$(digest "$partial")
[ "${#sha256}" -eq 64 ] || fail verification "the dump's checksum cannot be computed"

entry="{\"name\":\"$FFE_BACKUP\",\"location\":\"$FFE_LOCATION\",\"size_bytes\":$bytes,\"sha256\":\"$sha256\",\"server_version\":\"$(text "$server_version")\",\"taken_at\":\"$taken_at\",\"seconds\":$(($(date +%s) - started))}"
store_keep
pruned=0
warning=
[ -z "${FFE_RETENTION:-}" ] || prune || say "$warning"
cleanup
finish "{\"outcome\":\"taken\",\"backup\":$entry,\"pruned\":$pruned,\"warning\":\"$(text "$warning")\"}"
