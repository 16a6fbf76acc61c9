# Removes what is too old of this series; the newest whole backup stays whatever its age. Sets $pruned, and $warning
# when something went wrong.
prune() {
  pruned=0
  warning=
  store_look || { warning="what is kept cannot be listed: $look_error" && return 1; }
  store_names > "$TMP/names"
  newest=
  while read -r when name; do
    if store_described "$name"; then newest=$name; fi
  done < "$TMP/names"
  oldest=$(oldest_kept)
  while read -r when name; do
    [ "$when" -lt "$oldest" ] || continue
    [ "$name" != "$newest" ] && [ "$name" != "${FFE_BACKUP:-}" ] || continue
    store_remove "$name" || { warning="$name is too old and could not be removed" && return 1; }
    say "removed $name: too old"
    pruned=$((pruned + 1))
  done < "$TMP/names"
}
