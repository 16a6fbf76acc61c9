# In the container beside: runs rclone for the other one, which alone knows what is to be done, and ends when that one does.
# Requests come by a pipe; of each, the first line names its input, the others are rclone's arguments.
set -u
umask 007
cd "${FFE_EXCHANGE:-/exchange}" || exit 0
trap ': > ended' EXIT
child=
trap '[ -z "$child" ] || kill "$child"; exit 0' TERM INT
command -v rclone > /dev/null || : > missing
[ -z "${FFE_CA:-}" ] || printf '%s\n' "$FFE_CA" > ca.pem
mkfifo ask.partial && mv ask.partial ask
[ ! -e missing ] || exit 0
while read -r number && [ "$number" != end ]; do
  {
    read -r input
    set --
    while IFS= read -r word; do set -- "$@" "$word"; done
  } < "words.$number"
  rclone "$@" < "$input" > "said.$number" 2> "error.$number" &
  child=$!
  wait "$child"
  echo $? > code.partial
  child=
  mv code.partial "code.$number"
done < ask
