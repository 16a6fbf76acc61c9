# Backups in a bucket. An object is there whole or not at all.
need curl sed tr
dump=$FFE_S3_PREFIX/${FFE_BACKUP:-}.dump
LARGEST=5368709120
EMPTY=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

quoted() {
  printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g'
}

# Credentials go to curl through a pipe: arguments can be read by others.
s3_config() {
  printf 'user = "%s:%s"\n' "$(quoted "$AWS_ACCESS_KEY_ID")" "$(quoted "$AWS_SECRET_ACCESS_KEY")"
  [ -z "${AWS_SESSION_TOKEN:-}" ] || printf 'header = "x-amz-security-token: %s"\n' "$(quoted "$AWS_SESSION_TOKEN")"
  [ -z "${FFE_S3_CA:-}" ] || printf 'cacert = "%s"\n' "$TMP/ca.pem"
}

s3_ready() {
  version=$(curl -q --version | sed -n '1s/^curl \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  # Earlier ones do not sign the headers that S3 wants signed.
  [ "$((${version% *} * 1000 + ${version#* }))" -ge 7088 ] ||
    fail tool_missing "curl of the image is version $(printf '%s' "$version" | tr ' ' '.'), and S3 takes 7.88 or newer"
  [ -z "${FFE_S3_CA:-}" ] || printf '%s\n' "$FFE_S3_CA" > "$TMP/ca.pem"
  for name in AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; do
    eval "[ -n \"\${$name:-}\" ]" || fail config "$name is empty in the Secret with the storage's credentials"
  done
}

# curl's arguments; the answer goes to $TMP/answer or $answer_to, the HTTP status to $status. False when nobody
# answered.
s3() {
  tries=1
  while :; do
    s3_config | curl -q -sS -K - --aws-sigv4 "aws:amz:$FFE_S3_REGION:s3" --connect-timeout 10 --speed-time 60 --speed-limit 1 \
      -o "${answer_to:-$TMP/answer}" -w '%{http_code}' "$@" > "$TMP/status" 2> "$TMP/error" &
    child=$!
    wait "$child"
    code=$?
    child=
    status=$(cat "$TMP/status")
    case $code/$status in
      0/5?? | 0/429 | [!0]*) ;;
      *) return 0 ;;
    esac
    [ "$tries" -lt "${FFE_TRIES:-5}" ] || return "$code"
    tries=$((tries + 1))
    sleep 2 &
    wait $!
  done
}

get() {
  s3 -H "x-amz-content-sha256: $EMPTY" "$@"
}

# Why S3 said no.
s3_reason() {
  if [ "$code" -ne 0 ]; then
    cat "$TMP/error"
  else
    printf 'HTTP %s %s' "$status" "$(tr -d '\n\r' < "$TMP/answer" | sed -n 's/.*<Code>\([^<]*\)<.*/\1/p') $(tr -d '\n\r' < "$TMP/answer" | sed -n 's/.*<Message>\([^<]*\)<.*/\1/p')"
  fi
}

s3_put() {
  s3 -T "$1" -H "x-amz-content-sha256: $2" -H "x-amz-meta-sha256: $2" "$FFE_S3_URL/$3" && [ "$status" = 200 ]
}

# The objects below a prefix: lines of moment and key in $TMP/objects. Keys of ours need no escaping but for slashes,
# and none that would is touched.
s3_list() {
  after=
  : > "$TMP/objects"
  while :; do
    query="list-type=2&prefix=$(printf '%s' "$1" | sed 's|/|%2F|g')"
    [ -z "$after" ] || query="$query&start-after=$(printf '%s' "$after" | sed 's|/|%2F|g')"
    get "$FFE_S3_URL/?$query" && [ "$status" = 200 ] || return 1
    tr -d '\n\r' < "$TMP/answer" | sed 's|<Contents>|\
&|g' | sed -n 's|^<Contents>\(.*\)</Contents>.*|\1|p' > "$TMP/contents"
    while read -r object || [ -n "$object" ]; do
      key=$(printf '%s' "$object" | sed -n 's|.*<Key>\([^<]*\)</Key>.*|\1|p')
      date=$(printf '%s' "$object" | sed -n 's|.*<LastModified>\([^<]*\)</LastModified>.*|\1|p')
      case $key in *[!A-Za-z0-9._/-]* | '') continue ;; esac
      after=$key
      printf '%s %s\n' "$(moment "$date")" "$key" >> "$TMP/objects"
    done < "$TMP/contents"
    grep -q '<IsTruncated>true</IsTruncated>' "$TMP/answer" && [ -s "$TMP/contents" ] || return 0
  done
}

store_ready() {
  s3_ready
}

# There is room for what is too old.
make_room() {
  :
}

store_check() {
  s3_ready
  s3_list "$dump" || fail storage "the bucket $FFE_S3_BUCKET cannot be listed: $(s3_reason)"
  ! grep -q " $dump\$" "$TMP/objects" || fail exists "there is a backup of this name already: $FFE_LOCATION"
  partial=$TMP/dump
}

# The whole dump lies in $partial, its description in $entry.
store_keep() {
  [ "$bytes" -le "$LARGEST" ] ||
    fail too_large "the dump has $bytes bytes, and one upload to S3 takes at most $LARGEST (5 GiB): keep the backups on a volume"
  say "uploading $bytes bytes to $FFE_LOCATION"
  s3_put "$partial" "$sha256" "$dump" || fail upload "the dump could not be uploaded: $(s3_reason)"
  get -I "$FFE_S3_URL/$dump" && [ "$status" = 200 ] || fail verification "the uploaded dump cannot be found: $(s3_reason)"
  header() {
    tr -d '\r' < "$TMP/answer" | tr 'A-Z' 'a-z' | sed -n "s/^$1: *//p" | tail -n 1
  }
  [ "$(header content-length)" = "$bytes" ] ||
    fail verification "the uploaded dump has $(header content-length) bytes instead of $bytes"
  recorded=$(header x-amz-meta-sha256)
  [ -z "$recorded" ] || [ "$recorded" = "$sha256" ] || fail verification "the uploaded dump is recorded with another checksum"
  s3_put "$TMP/manifest" "$(digest "$TMP/manifest")" "${dump%.dump}.manifest" ||
    fail upload "what the backup holds could not be uploaded: $(s3_reason)"
  printf '%s\n' "$entry" > "$TMP/entry.json"
  s3_put "$TMP/entry.json" "$(digest "$TMP/entry.json")" "${dump%.dump}.json" ||
    fail upload "the backup's description could not be uploaded: $(s3_reason)"
}

store_look() {
  s3_list "$FFE_S3_PREFIX/" || { look_error=$(s3_reason) && return 1; }
}

# Names of what has a description.
store_names() {
  sed -n "s|^[0-9]* $FFE_S3_PREFIX/\([A-Za-z0-9._-]*\)\.json\$|\1|p" "$TMP/objects" | sort
}

store_entry() {
  get "$FFE_S3_URL/$FFE_S3_PREFIX/$1.json" && [ "$status" = 200 ] && cat "$TMP/answer"
}

store_remove() {
  for end in dump manifest json; do
    get -X DELETE "$FFE_S3_URL/$FFE_S3_PREFIX/$1.$end" || return 1
    case $status in 2?? | 404) ;; *) return 1 ;; esac
  done
}

store_fetch() {
  store_entry "$FFE_BACKUP" > "$TMP/entry" || fail storage "the backup's description could not be downloaded: $(s3_reason)"
  fetched=$TMP/dump
  for end in manifest dump; do
    answer_to=$TMP/$end
    get "$FFE_S3_URL/${dump%.dump}.$end" && [ "$status" = 200 ] && continue
    mv "$answer_to" "$TMP/answer"
    [ "$end/$status" = manifest/404 ] || fail storage "the backup could not be downloaded: $(s3_reason)"
  done
  answer_to=
}
