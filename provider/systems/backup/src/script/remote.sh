# Backups in object storage, or whatever else rclone reaches: rclone runs in a container of its own beside this one, which
# has neither its program nor its credentials.
X=${FFE_EXCHANGE:-/exchange}
folder=store:$FFE_REMOTE
dump=$folder/${FFE_BACKUP:-}.dump
asked=0
waited_for=
part=
# Not every sleep takes fractions.
tick=1
! sleep 0.1 2> /dev/null || tick=0.2

store_ready() {
  [ -z "$ready" ] || return 0
  since=$(date +%s)
  while [ ! -p "$X/ask" ]; do
    [ $(($(date +%s) - since)) -lt "${FFE_BESIDE_WAIT:-600}" ] ||
      fail storage "the container rclone does not start (\"kubectl describe pod $(uname -n)\" says why)"
    sleep "$tick" &
    wait $!
  done
  [ ! -e "$X/missing" ] || fail tool_missing "there is no rclone in the image of the container rclone"
  [ ! -s "$X/refused" ] || fail config "$(cat "$X/refused")"
  exec 4> "$X/ask"
  ready=1
}

# Whether the container beside still runs: where nobody reads any more, writing ends the shell that writes.
beside_runs() {
  (echo "$1" >&4) 2> /dev/null
}

# One that ends by itself leaves a file.
beside_ended() {
  ready=
  begun=
  [ ! -e "$X/ended" ] || fail storage "the container rclone has ended"
  fail memory "the container rclone was killed: most likely it took more memory than it may (\"kubectl describe pod $(uname -n)\" then says OOMKilled of it)"
}

# Lets the other container end.
store_done() {
  [ -z "$ready" ] || { beside_runs end; exec 4>&-; }
  ready=
}

# Asks for rclone with the arguments after $1, which is a file of $X or a pipe in it, or /dev/null. $part is the size of a
# part of an upload in MiB, where that matters.
begin_remote() {
  asked=$((asked + 1))
  input=$1
  shift
  printf '%s\n' "$input" "$part" "$@" > "$X/words.$asked"
  beside_runs "$asked" || beside_ended
  waited_for=1
}

# Waits for it. What it said is in $X/said, its messages in $TMP/error.
end_remote() {
  while [ ! -e "$X/code.$asked" ]; do
    beside_runs - || beside_ended
    sleep "$tick" &
    wait $!
  done
  waited_for=
  mv "$X/said.$asked" "$X/said"
  # Its messages begin with the date; notices are no errors.
  sed 's/^[0-9/]* [0-9:]* //; /^NOTICE/d' < "$X/error.$asked" > "$TMP/error"
  read -r code < "$X/code.$asked"
  [ "$code" -ne 137 ] || echo "rclone was killed: most likely it took more memory than its container may" >> "$TMP/error"
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

# Beside what has no description yet lies a note that says whose it is.
store_begin() {
  begun_entry > "$X/begun"
  begun=${dump%.dump}.begun
  remote begun rcat "$begun" || fail upload "nothing can be uploaded: $(cat "$TMP/error")"
}

# Where the container beside has died before it began to read, whoever writes is let go.
store_so_far() {
  beside_runs - || : < "$X/in"
}

# A dump of any size goes through without lying here: to rclone, and beside it through pg_restore, a checksum and a
# count. A part of an upload must be large enough that ten thousand of them hold all of it.
store_dump() {
  need mkfifo
  part=$((database_bytes / 1048576 / 9000 + 8))
  rm -f "$X/in" "$TMP/check" "$TMP/sum" "$TMP/count"
  mkfifo "$X/in" "$TMP/check" "$TMP/sum" "$TMP/count"
  begin_remote in rcat "$dump"
  part=
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
  # An upload that breaks off takes the dump with it.
  end_remote || fail upload "the dump could not be uploaded: $(cat "$TMP/error")"
  cp "$TMP/dump.error" "$TMP/error"
  read -r code < "$TMP/dump.code"
  [ "$code" -eq 0 ] || return "$code"
  [ "$checked" -eq 0 ] || fail verification "the dump cannot be read to its end: $(cat "$TMP/check.error")"
  bytes=$(tr -d ' ' < "$TMP/count.said")
  sha256=$(cut -d' ' -f1 < "$TMP/sum.said")
}

# Takes away what was begun, when something goes wrong: the note about it goes last.
store_undo() {
  [ -z "$waited_for" ] || end_remote > /dev/null
  note=${begun##*/}
  begun=
  store_look > /dev/null && store_remove "$FFE_BACKUP" > /dev/null ||
    say "what was uploaded to $FFE_LOCATION could not be removed, and is no backup ($note tells whose it is): $(cat "$TMP/error")"
}

store_keep() {
  remote /dev/null lsf --files-only --format s "$dump" || fail verification "the uploaded dump cannot be found: $(cat "$TMP/error")"
  found=$(tr -d ' \n' < "$X/said")
  [ "$found" = "$bytes" ] || fail verification "the uploaded dump has $found bytes instead of $bytes"
  cp "$TMP/manifest" "$X/manifest"
  printf '%s\n' "$entry" > "$X/entry"
  remote manifest rcat "${dump%.dump}.manifest" && remote entry rcat "${dump%.dump}.json" ||
    fail upload "the backup's description could not be uploaded: $(cat "$TMP/error")"
  remote /dev/null deletefile "$begun" > /dev/null || say "${begun##*/} could not be removed; it says nothing any more"
  begun=
}

# Names of what has a description. What has a name that we would not give is not ours.
store_names() {
  sed -n 's/^\([A-Za-z0-9._-]*\)\.json$/\1/p' "$TMP/listed" | sort
}

store_entry() {
  remote /dev/null cat "$folder/$1.json" > /dev/null && cat "$X/said"
}

# Names of what has none.
store_unfinished() {
  for end in dump begun; do
    sed -n "s/^\\([A-Za-z0-9._-]*\\)\\.$end\$/\\1/p" "$TMP/listed"
  done | sort -u | while read -r name; do
    grep -qxF "$name.json" "$TMP/listed" || printf '%s\n' "$name"
  done
}

store_begun() {
  grep -qxF "$1.begun" "$TMP/listed" && remote /dev/null cat "$folder/$1.begun" > /dev/null && cat "$X/said"
}

# The description, or the note, goes last: until then what is left can be found again. Of what is in the list.
store_remove() {
  for end in dump manifest begun json; do
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
