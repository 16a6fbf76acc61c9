# Removes what is too old of this series; the newest backup stays whatever its age. Only what its own description says is
# of this series counts and goes: other files are nobody's, and where a list or a description cannot be read, nothing goes.
# Adds to $pruned, and sets $warning when something went wrong.
prune() {
  pruned=${pruned:-0}
  warning=
  store_look || { warning="no old backups were removed: what is kept cannot be listed: $look_error" && return 1; }
  store_names > "$TMP/names"
  : > "$TMP/of_series"
  while read -r name; do
    store_entry "$name" > "$TMP/entry" && whole_entry < "$TMP/entry" ||
      { warning="no old backups were removed: the description of $name cannot be read" && return 1; }
    [ "$(field series < "$TMP/entry")" = "$FFE_SERIES" ] && [ "$(field name < "$TMP/entry")" = "$name" ] || continue
    printf '%s %s\n' "$(moment "$(field taken_at < "$TMP/entry")")" "$name" >> "$TMP/of_series"
  done < "$TMP/names"
  sort "$TMP/of_series" > "$TMP/in_order"
  newest=$(tail -n 1 "$TMP/in_order" | cut -d' ' -f2)
  oldest=$(oldest_kept)
  while read -r when name; do
    [ "$when" -lt "$oldest" ] || continue
    [ "$name" != "$newest" ] && [ "$name" != "${FFE_BACKUP:-}" ] || continue
    store_remove "$name" || { warning="$name is too old and could not be removed" && return 1; }
    say "removed $name: too old"
    pruned=$((pruned + 1))
  done < "$TMP/in_order"
}
