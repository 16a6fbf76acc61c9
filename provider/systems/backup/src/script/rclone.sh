# In the container beside: runs rclone for the other one, which alone knows what is to be done, and ends when that one does.
# Requests come by a pipe. Of each, the first line names its input, the second how large the parts of an upload should be, in
# MiB, and the others are rclone's arguments. A dash asks for nothing: whoever writes it learns whether somebody reads.
set -u
umask 007
cd "${FFE_EXCHANGE:-/exchange}" || exit 0
trap ': > ended' EXIT
child=
interrupted=
# What runs ends; the other one may still want to take something away, and has until the pod is killed.
trap 'interrupted=1; [ -z "$child" ] || kill "$child"' TERM INT
command -v rclone > /dev/null || : > missing
[ -z "${FFE_CA:-}" ] || printf '%s\n' "$FFE_CA" > ca.pem
# Some storages take no stream: what goes there lies here until it is whole.
TMPDIR=$PWD
export TMPDIR

# The Secret's keys are variables, and files besides. Some have a meaning by their name.
files=${FFE_SETTINGS:-/settings}
[ ! -f "$files/rclone.conf" ] || { RCLONE_CONFIG=$files/rclone.conf && export RCLONE_CONFIG; }
[ ! -f "$files/ca.pem" ] || { RCLONE_CA_CERT=$files/ca.pem && export RCLONE_CA_CERT; }
# rclone wants a private key on one line.
case ${RCLONE_CONFIG_STORE_KEY_PEM:-} in
  *'
'*)
    RCLONE_CONFIG_STORE_KEY_PEM=$(printf '%s' "$RCLONE_CONFIG_STORE_KEY_PEM" | sed 's/$/\\n/' | tr -d '\r\n')
    export RCLONE_CONFIG_STORE_KEY_PEM
    ;;
esac
# It would take any server for the right one.
if [ "${RCLONE_CONFIG_STORE_TYPE:-}" = sftp ] && [ -z "${RCLONE_CONFIG_STORE_KNOWN_HOSTS_FILE+set}" ]; then
  if [ -f "$files/known_hosts" ]; then
    RCLONE_CONFIG_STORE_KNOWN_HOSTS_FILE=$files/known_hosts
    export RCLONE_CONFIG_STORE_KNOWN_HOSTS_FILE
  elif ! grep -qs '^ *known_hosts_file' "$files/rclone.conf"; then
    echo "the SFTP server's host key cannot be checked, so that anybody on the way could be taken for it: put its line (ssh-keyscan -p PORT HOST, compared with what the server's administrator says) into the Secret of backup_to.rclone.secret under the key known_hosts, or say options = { known_hosts_file = \"\" } to do without" > refused
  fi
fi

# A setting of the storage's own kind, unless it is set already.
prefer() {
  eval "[ -n \"\${RCLONE_CONFIG_STORE_$1:-}\" ]" ||
    for kind in S3 AZUREBLOB; do eval "RCLONE_${kind}_$1=\$2; export RCLONE_${kind}_$1"; done
}

# Messages without what the Secrets hold: lines of their values, and long words in them.
masked() {
  awk '
    function learn(text, least) { if (length(text) >= least && !(text in known)) { known[text] = 1; secret[++all] = text } }
    function words(line, i, n, word) {
      learn(line, 6)
      n = split(line, word, /[ \t\r"&?;,{}]+/)
      for (i = 1; i <= n; i++) { learn(word[i], 20); sub(/^[A-Za-z_-]*=/, "", word[i]); learn(word[i], 20) }
    }
    BEGIN { words(ENVIRON["AWS_SECRET_ACCESS_KEY"]); words(ENVIRON["AWS_SESSION_TOKEN"]) }
    !messages { words($0); next }
    {
      gsub(/[Ss][Ii][Gg]=[^& "]*/, "sig=***")
      gsub(/:\/\/[^\/@ "]*@/, "://***@")
      for (i = 1; i <= all; i++) {
        rest = $0
        line = ""
        while ((at = index(rest, secret[i])) > 0) { line = line substr(rest, 1, at - 1) "***"; rest = substr(rest, at + length(secret[i])) }
        $0 = line rest
      }
      print
    }' "$@" messages=1 -
}

set --
for file in "$files"/*; do
  case ${file##*/} in
    ca.pem | known_hosts | *.pub) ;;
    *) [ ! -f "$file" ] || set -- "$@" "$file" ;;
  esac
done
mkfifo ask.partial && mv ask.partial ask
[ ! -e missing ] && [ ! -e refused ] || exit 0
while :; do
  read -r number || { [ -n "$interrupted" ] && interrupted= && continue || break; }
  [ "$number" != end ] || break
  [ "$number" != - ] || continue
  (
    {
      read -r input
      read -r part
      set --
      while IFS= read -r word; do set -- "$@" "$word"; done
    } < "words.$number"
    # Two parts at once, where they are not too large for the container's memory.
    [ -z "$part" ] || { prefer CHUNK_SIZE "${part}Mi" && prefer UPLOAD_CONCURRENCY $((part > 100 ? 1 : 2)); }
    exec rclone "$@" < "$input"
  ) > "said.$number" 2> "raw.$number" &
  child=$!
  wait "$child"
  code=$?
  # A signal that was passed on has ended only the waiting.
  ! kill -0 "$child" 2> /dev/null || { wait "$child" && code=$? || code=$?; }
  child=
  masked "$@" < "raw.$number" > "error.$number"
  rm -f "raw.$number"
  echo "$code" > code.partial
  mv code.partial "code.$number"
done < ask
