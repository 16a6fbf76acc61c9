# Backups in object storage, or whatever else rclone reaches: rclone runs in a container of its own beside this one, which
# has neither its program nor its credentials.
X=${FFE_EXCHANGE:-/exchange}
folder=store:$FFE_REMOTE
dump=$folder/${FFE_BACKUP:-}.dump
asked=0

store_ready() {
  [ -z "$ready" ] || return 0
  while [ ! -p "$X/ask" ]; do
    sleep 1 &
    wait $!
  done
  [ ! -e "$X/missing" ] || fail tool_missing "there is no rclone in the image of the container rclone"
  exec 4> "$X/ask"
  ready=1
}

# Lets the other container end.
store_done() {
  # In a shell of its own: where nobody reads any more, writing ends it.
  [ -z "$ready" ] || { (echo end >&4) 2> /dev/null; exec 4>&-; }
  ready=
}

# Asks for rclone with the arguments after $1, which is a file of $X or a pipe in it, or /dev/null.
begin_remote() {
  asked=$((asked + 1))
  printf '%s\n' "$@" > "$X/words.$asked"
  (echo "$asked" >&4) 2> /dev/null || { ready= && fail storage "the container rclone has ended"; }
}

# Waits for it. What it said is in $X/said, its messages in $TMP/error.
end_remote() {
  while [ ! -e "$X/code.$asked" ]; do
    [ ! -e "$X/ended" ] || fail storage "the container rclone has ended"
    sleep 1 &
    wait $!
  done
  mv "$X/said.$asked" "$X/said"
  # Its messages begin with the date; notices are no errors.
  sed 's/^[0-9/]* [0-9:]* //; /^NOTICE/d' < "$X/error.$asked" > "$TMP/error"
  read -r code < "$X/code.$asked"
  # A folder that is not there yet is nothing to be told.
  [ "$code" -eq 3 ] || cat "$TMP/error"
  return "$code"
}

remote() {
  begin_remote "$@"
  end_remote
}

# Names in the folder go to $X/said. A folder that is not there has none; rclone says 3 of it.
store_look() {
  remote /dev/null lsf --files-only "$folder/" || [ "$code" -eq 3 ] || { look_error=$(cat "$TMP/error") && return 1; }
  mv "$X/said" "$TMP/listed"
}

store_check() {
  store_ready
  store_look || fail storage "what is kept cannot be listed: $look_error"
  ! grep -qx "$FFE_BACKUP\\.[a-z]*" "$TMP/listed" || fail exists "there is a backup of this name already: $FFE_LOCATION"
}

# There is room for what is too old.
make_room() {
  :
}

# A dump of any size goes through without lying here: to rclone, and beside it through pg_restore, a checksum and a
# count. A part of an upload must be large enough that ten thousand of them hold all of it.
store_dump() {
  need mkfifo
  part=$((database_bytes / 1048576 / 9000 + 8))
  rm -f "$X/in" "$TMP/check" "$TMP/sum" "$TMP/count"
  mkfifo "$X/in" "$TMP/check" "$TMP/sum" "$TMP/count"
  begin_remote in rcat --s3-chunk-size "${part}Mi" --s3-upload-concurrency 2 "$dump"
  pg_restore --file=/dev/null < "$TMP/check" 2> "$TMP/check.error" &
  check=$!
  sha256sum < "$TMP/sum" > "$TMP/sum.said" &
  sum=$!
  wc -c < "$TMP/count" > "$TMP/count.said" &
  count=$!
  streamed() {
    {
      "$@"
      echo $? > "$TMP/dump.code"
    } | tee "$TMP/check" "$TMP/sum" "$TMP/count" > "$X/in"
  }
  run streamed "$@"
  cp "$TMP/error" "$TMP/dump.error"
  wait "$check"
  checked=$?
  wait "$sum"
  wait "$count"
  problem=
  end_remote || problem="the dump could not be uploaded: $(cat "$TMP/error")"
  cp "$TMP/dump.error" "$TMP/error"
  # An upload that breaks off takes the dump with it.
  [ -z "$problem" ] || { store_undo; fail upload "$problem"; }
  read -r code < "$TMP/dump.code"
  [ "$code" -eq 0 ] || return "$code"
  [ "$checked" -eq 0 ] || { store_undo; fail verification "the dump cannot be read to its end: $(cat "$TMP/check.error")"; }
  bytes=$(tr -d ' ' < "$TMP/count.said")
  sha256=$(cut -d' ' -f1 < "$TMP/sum.said")
}

# Takes away what was begun: without a description it is no backup.
store_undo() {
  remote /dev/null deletefile "$dump" > /dev/null || { store_look > /dev/null && ! grep -qxF "$FFE_BACKUP.dump" "$TMP/listed"; } ||
    say "what was uploaded to $FFE_LOCATION could not be removed"
}

store_keep() {
  remote /dev/null lsf --files-only --format s "$dump" || fail verification "the uploaded dump cannot be found: $(cat "$TMP/error")"
  found=$(tr -d ' \n' < "$X/said")
  [ "$found" = "$bytes" ] || fail verification "the uploaded dump has $found bytes instead of $bytes"
  cp "$TMP/manifest" "$X/manifest"
  printf '%s\n' "$entry" > "$X/entry"
  remote manifest rcat "${dump%.dump}.manifest" && remote entry rcat "${dump%.dump}.json" ||
    fail upload "the backup's description could not be uploaded: $(cat "$TMP/error")"
}

# Names of what has a description. What has a name that we would not give is not ours.
store_names() {
  sed -n 's/^\([A-Za-z0-9._-]*\)\.json$/\1/p' "$TMP/listed" | sort
}

store_entry() {
  remote /dev/null cat "$folder/$1.json" > /dev/null && cat "$X/said"
}

# The description goes last: until then what is left can be found again.
store_remove() {
  for end in dump manifest json; do
    grep -qxF "$1.$end" "$TMP/listed" || continue
    remote /dev/null deletefile "$folder/$1.$end" > /dev/null || return 1
  done
}

store_fetch() {
  store_look || fail storage "what is kept cannot be listed: $look_error"
  grep -qxF "$FFE_BACKUP.json" "$TMP/listed" && grep -qxF "$FFE_BACKUP.dump" "$TMP/listed" ||
    fail storage "there is no backup $FFE_LOCATION"
  store_entry "$FFE_BACKUP" > "$TMP/entry" || fail storage "the backup's description could not be downloaded: $(cat "$TMP/error")"
  fetched=$X/dump
  rm -f "$TMP/manifest"
  for end in manifest dump; do
    grep -qxF "$FFE_BACKUP.$end" "$TMP/listed" || continue
    remote /dev/null copyto "$folder/$FFE_BACKUP.$end" "./$end" || fail storage "the backup could not be downloaded: $(cat "$TMP/error")"
  done
  [ ! -f "$X/manifest" ] || cp "$X/manifest" "$TMP/manifest"
}

# At once: the container beside ends when the pipe is closed, whatever this one dies of.
store_ready
