store_ready
store_look || fail storage "what is kept cannot be listed: $look_error"
store_names > "$TMP/names"
while read -r name; do
  store_entry "$name" > "$TMP/entry" || fail storage "the description of $name cannot be read"
  say "backup $(cat "$TMP/entry")"
done < "$TMP/names"
store_unfinished | while read -r name; do
  say "unfinished $name: it has no description, and is no backup"
done
finish '{"outcome":"listed"}'
