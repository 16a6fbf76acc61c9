# Backups on a volume. Whatever has its last name is whole: it was written under another one, and renamed.
need sync
folder=${FFE_ROOT:-/backups}/$FFE_SERIES
dump=$folder/${FFE_BACKUP:-}.dump

# Nothing to prepare.
store_ready() {
  :
}

store_check() {
  mkdir -p "$folder" 2> "$TMP/error" || fail storage "the volume cannot be written to: $(cat "$TMP/error")"
  [ ! -e "$dump" ] || fail exists "there is a backup of this name already: $FFE_LOCATION"
  # What runs that were killed have left.
  find "$folder" -name '*.partial' -mtime +1 -exec rm -f {} \;
}

# Beside what has no description yet lies a note that says whose it is.
store_begin() {
  begun=$folder/$FFE_BACKUP.begun
  partial=$dump.partial
  begun_entry 2> "$TMP/error" > "$begun" || fail space "the volume cannot be written to: there is no room on it"
}

store_so_far() {
  [ ! -f "$partial" ] || say "$(size "$partial") bytes so far"
}

# Where the next dump may not fit, what is too old goes before it is taken: it is expected to be as large as the last.
make_room() {
  [ -n "${FFE_RETENTION:-}" ] || return 0
  free=$(df -Pk "$folder" | awk 'END { print $4 }')
  store_look && store_names > "$TMP/names" || return 0
  largest=0
  while read -r name; do
    bytes=$(store_entry "$name" | field size_bytes)
    case $bytes in '' | *[!0-9]*) continue ;; esac
    [ "$bytes" -le "$largest" ] || largest=$bytes
  done < "$TMP/names"
  [ "${FFE_FREE_KIB:-$free}" -lt $((largest / 1024 * 5 / 4 + 1024)) ] || return 0
  say "$free KiB are free, and the largest backup has $largest bytes: what is too old goes first"
  prune || say "$warning"
}

# Runs pg_dump with these arguments, and looks whether what it wrote can be read: a dump that cannot is none.
store_dump() {
  run "$@" --file="$partial" || return "$?"
  run pg_restore --list "$partial" || fail verification "the dump has no readable table of contents: $(cat "$TMP/error")"
  run pg_restore --file=/dev/null "$partial" || fail verification "the dump cannot be read to its end: $(cat "$TMP/error")"
  bytes=$(size "$partial")
  sha256=$(digest "$partial")
}

# Takes away what was begun, when something goes wrong: the note about it goes last.
store_undo() {
  rm -f "${dump%.dump}.json" "${dump%.dump}.json.partial" "${dump%.dump}.manifest" "${dump%.dump}.manifest.partial"
  rm -f "$dump" "$partial" && rm -f "$begun"
  begun=
}

# sync of a file or folder, or of everything where sync does not take names.
safe() {
  sync "$1" 2> /dev/null || sync
}

# The whole dump lies in $partial, its description in $entry, what it holds in $TMP/manifest. The description comes last:
# what has one is a backup.
store_keep() {
  cp "$TMP/manifest" "$folder/$FFE_BACKUP.manifest.partial" 2> "$TMP/error" &&
    printf '%s\n' "$entry" > "$folder/$FFE_BACKUP.json.partial" ||
    fail space "the backup's description could not be written to the volume: $(cat "$TMP/error")"
  for file in "$partial" "$folder/$FFE_BACKUP.manifest.partial" "$folder/$FFE_BACKUP.json.partial"; do
    safe "$file"
    mv "$file" "${file%.partial}" || fail storage "${file##*/} could not be renamed on the volume"
  done
  safe "$folder"
  [ "$(size "$dump")" = "$bytes" ] || fail verification "the dump has another size on the volume than it was written with"
  rm -f "$begun"
  begun=
}

store_look() {
  [ ! -d "$folder" ] || ls "$folder" > /dev/null 2> "$TMP/error" || { look_error=$(cat "$TMP/error") && return 1; }
}

# Names of what has a description. What has a name that we would not give is not ours.
store_names() {
  [ ! -d "$folder" ] || find "$folder" -maxdepth 1 -name '*.json' -type f | while read -r path; do
    name=${path##*/}
    name=${name%.json}
    case $name in *[!A-Za-z0-9._-]* | '') continue ;; esac
    printf '%s\n' "$name"
  done | sort
}

store_entry() {
  cat "$folder/$1.json" 2> /dev/null
}

# Names of what has none.
store_unfinished() {
  [ ! -d "$folder" ] || find "$folder" -maxdepth 1 '(' -name '*.dump' -o -name '*.begun' ')' -type f | while read -r path; do
    name=${path##*/}
    name=${name%.*}
    case $name in *[!A-Za-z0-9._-]* | '') continue ;; esac
    [ -e "$folder/$name.json" ] || printf '%s\n' "$name"
  done | sort -u
}

store_begun() {
  cat "$folder/$1.begun" 2> /dev/null
}

# The description, or the note, goes last: until then what is left can be found again.
store_remove() {
  rm -f "$folder/$1.dump" "$folder/$1.dump.partial" "$folder/$1.manifest" 2> "$TMP/error" &&
    rm -f "$folder/$1.begun" "$folder/$1.json" 2> "$TMP/error"
}

store_fetch() {
  [ -f "$dump" ] && store_entry "$FFE_BACKUP" > "$TMP/entry" || fail storage "there is no backup $FFE_LOCATION"
  fetched=$dump
  rm -f "$TMP/manifest"
  [ ! -f "${dump%.dump}.manifest" ] || cp "${dump%.dump}.manifest" "$TMP/manifest"
}
