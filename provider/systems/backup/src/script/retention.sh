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
  oldest=$(ago "$FFE_RETENTION")
  while read -r when name; do
    [ "$when" -lt "$oldest" ] || continue
    [ "$name" != "$newest" ] && [ "$name" != "${FFE_BACKUP:-}" ] || continue
    store_remove "$name" || { warning="$name is too old and could not be removed: $(cat "$TMP/error")" && return 1; }
    say "removed $name: too old"
    pruned=$((pruned + 1))
  done < "$TMP/in_order"
  prune_unfinished
}

# What runs that were killed have left: dumps without a description, which are no backups. One goes when the note beside it
# says that a run of this series has begun it a day ago or more: no Job runs for as long. Others are told.
prune_unfinished() {
  store_unfinished > "$TMP/unfinished"
  others=
  while read -r name; do
    [ "$name" != "${FFE_BACKUP:-}" ] || continue
    if store_begun "$name" > "$TMP/entry" && whole_begun < "$TMP/entry" && [ "$(field name < "$TMP/entry")" = "$name" ] &&
      [ "$(field series < "$TMP/entry")" = "$FFE_SERIES" ]; then
      [ "$(moment "$(field begun_at < "$TMP/entry")")" -lt "$(ago 86400)" ] ||
        { say "$name has no description: it is no backup, and goes when it was begun a day ago" && continue; }
      store_remove "$name" || { warning="$name was never finished and could not be removed: $(cat "$TMP/error")" && return 1; }
      say "removed $name: it was never finished"
    else
      others="$others, $name.dump"
    fi
  done < "$TMP/unfinished"
  [ -z "$others" ] ||
    warning="these have no description, so they are no backups, and nothing says that a run of this release has begun them: ${others#, }. Look at them, and remove what nobody needs"
}
