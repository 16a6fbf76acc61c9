# What every script begins with. Plain POSIX: it runs in dash, in busybox and in bash alike.
set -u
umask 007
# Messages are looked at below: in English.
LC_ALL=C
export LC_ALL
TMP=${FFE_TMP:-/tmp}
TAB=$(printf '\t')
child=
watcher=
session=
begun=
new=
on_stop=
ready=

# A text fit for a JSON string.
text() {
  printf '%s' "$1" | tr '\n\t\r' '   ' | tr -d '\000-\037\177' | cut -c1-1500 | sed 's/\\/\\\\/g; s/"/\\"/g'
}

say() {
  printf '%s\n' "$*"
}

# One line of JSON: into the log, and where the container's status shows it.
finish() {
  [ -z "$ready" ] || store_done
  say "$1"
  printf '%s\n' "$1" > "${FFE_TERMINATION:-/dev/termination-log}"
}

cleanup() {
  [ -z "$watcher" ] || kill "$watcher" 2> /dev/null
  [ -z "$session" ] || { : > "$TMP/dumped" && kill "$session" 2> /dev/null; }
  [ -z "$begun" ] || store_undo
  [ -z "$new" ] || drop_new
}

# Ends with a reason that programs know and a message for people. Never within $( ).
fail() {
  cleanup
  finish "{\"outcome\":\"failed\",\"reason\":\"$1\",\"message\":\"$(text "$2")\"}"
  exit 1
}

stopped() {
  trap '' TERM INT
  [ -z "$child" ] || kill "$child" 2> /dev/null
  child=
  [ -z "$on_stop" ] || $on_stop
  fail stopped "told to stop: its deadline has passed, or its pod was evicted or deleted"
}
trap stopped TERM INT

# In the background, so that being told to stop is heard. What it says goes to the log and to $TMP/error.
run() {
  "$@" > "$TMP/said" 2> "$TMP/error" &
  child=$!
  wait "$child"
  code=$?
  child=
  cat "$TMP/error"
  return "$code"
}

need() {
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail tool_missing "there is no $tool in the image"
  done
}

digest() {
  sha256sum "$1" | cut -d' ' -f1
}

size() {
  wc -c < "$1" | tr -d ' '
}

# 2025-01-02T03:04:05Z as the number 20250102030405
moment() {
  printf '%s' "$1" | tr -cd 0-9 | cut -c1-14
}

# A field of a description, which we have written on one line.
field() {
  sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# Whether a description is whole.
whole_entry() {
  grep -q '^{"name":".*"series":".*"taken_at":"[0-9].*}$'
}

# What says that a dump was begun, and by whom, until it has a description.
begun_entry() {
  printf '{"name":"%s","series":"%s","begun_at":"%s"}\n' "$FFE_BACKUP" "$FFE_SERIES" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}

whole_begun() {
  grep -q '^{"name":".*","series":".*","begun_at":"[0-9].*"}$'
}

# The moment so many seconds ago, as `moment` gives it.
ago() {
  date -u -d "@$(($(date +%s) - $1))" +%Y%m%d%H%M%S
}
