# Backups on a volume. Whatever has its last name is whole: it was written under another one, and renamed.
need sync
folder=${FFE_ROOT:-/backups}/$FFE_SERIES
dump=$folder/${FFE_BACKUP:-}.dump

store_check() {
  mkdir -p "$folder" 2> "$TMP/error" || fail storage "the volume cannot be written to: $(cat "$TMP/error")"
  [ ! -e "$dump" ] || fail exists "there is a backup of this name already: $FFE_LOCATION"
  # What runs that were killed have left.
  find "$folder" -name '*.partial' -mtime +1 -exec rm -f {} \;
  partial=$dump.partial
}

# sync of a file or folder, or of everything where sync does not take names.
safe() {
  sync "$1" 2> /dev/null || sync
}

# The whole dump lies in $partial, its description in $entry.
store_keep() {
  printf '%s\n' "$entry" > "$folder/$FFE_BACKUP.json.partial" || fail space "the backup's description could not be written to the volume"
  safe "$partial"
  safe "$folder/$FFE_BACKUP.json.partial"
  mv "$partial" "$dump" || fail storage "the dump could not be renamed on the volume"
  partial=
  mv "$folder/$FFE_BACKUP.json.partial" "$folder/$FFE_BACKUP.json" || fail storage "the backup's description could not be renamed on the volume"
  safe "$folder"
  [ "$(size "$dump")" = "$bytes" ] || fail verification "the dump has another size on the volume than it was written with"
}

store_look() {
  [ ! -d "$folder" ] || ls "$folder" > /dev/null 2> "$TMP/error" || { look_error=$(cat "$TMP/error") && return 1; }
}

# Lines of moment and name, oldest first. What has a name that we would not give is not ours.
store_names() {
  [ ! -d "$folder" ] || find "$folder" -name '*.dump' -type f | while read -r path; do
    name=${path##*/}
    name=${name%.dump}
    case $name in *[!A-Za-z0-9._-]* | '') continue ;; esac
    printf '%s %s\n' "$(date -u -r "$path" +%Y%m%d%H%M%S)" "$name"
  done | sort
}

store_described() {
  [ -f "$folder/$1.json" ]
}

store_entry() {
  cat "$folder/$1.json" 2> /dev/null
}

store_remove() {
  rm -f "$folder/$1.json" "$folder/$1.dump"
}

store_fetch() {
  [ -f "$dump" ] || fail storage "there is no backup $FFE_LOCATION"
  fetched=$dump
}
