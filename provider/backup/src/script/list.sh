[ -z "${FFE_S3_URL:-}" ] || s3_ready
store_look || fail storage "what is kept cannot be listed: $look_error"
store_names > "$TMP/names"
while read -r when name; do
  store_described "$name" || continue
  store_entry "$name" > "$TMP/entry" || fail storage "the description of $name cannot be read"
  say "backup $(cat "$TMP/entry")"
done < "$TMP/names"
finish '{"outcome":"listed"}'
