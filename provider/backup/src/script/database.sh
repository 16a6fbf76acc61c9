# How the database is reached: the variables PG*, or the URL taken apart into them, since a URL would have to be an
# argument, which others can read.

decode() {
  rest=$1
  decoded=
  while :; do
    case $rest in
      *%[0-9A-Fa-f][0-9A-Fa-f]*) ;;
      *) break ;;
    esac
    decoded=$decoded${rest%%"%"*}
    rest=${rest#*"%"}
    case $rest in
      [0-9A-Fa-f][0-9A-Fa-f]*)
        after=${rest#??}
        decoded=$decoded$(printf '%b' "\\0$(printf '%03o' "0x${rest%"$after"}")")
        rest=$after
        ;;
      *) decoded=$decoded% ;;
    esac
  done
  decoded=$decoded$rest
}

from_url() {
  scheme=${DATABASE_URL%%://*}
  # postgresql+psycopg2 names a driver to SQLAlchemy.
  case ${scheme%%+*} in
    postgres | postgresql) ;;
    *) fail config "DATABASE_URL does not begin with postgresql://, and PGHOST and PGDATABASE are not set" ;;
  esac
  url=${DATABASE_URL#*://}
  url=${url%%"#"*}
  query=
  case $url in *\?*) query=${url#*\?} url=${url%%\?*} ;; esac
  name=
  case $url in */*) name=${url#*/} url=${url%%/*} ;; esac
  who=
  case $url in *@*) who=${url%@*} url=${url##*@} ;; esac
  password=
  case $who in *:*) password=${who#*:} who=${who%%:*} ;; esac
  port=
  case $url in
    \[*\]*) host=${url#?} port=${url##*\]} host=${host%%\]*} port=${port#:} ;;
    *:*) host=${url%:*} port=${url##*:} ;;
    *) host=$url ;;
  esac
  decode "$host" && PGHOST=$decoded
  decode "$name" && PGDATABASE=$decoded
  [ -z "$port" ] || { PGPORT=$port && export PGPORT; }
  [ -z "$who" ] || { decode "$who" && PGUSER=$decoded && export PGUSER; }
  [ -z "$password" ] || { decode "$password" && PGPASSWORD=$decoded && export PGPASSWORD; }
  export PGHOST PGDATABASE
  while [ -n "$query" ]; do
    pair=${query%%"&"*}
    case $query in *\&*) query=${query#*"&"} ;; *) query= ;; esac
    decode "${pair#*=}"
    case ${pair%%=*} in
      host) PGHOST=$decoded ;;
      port) PGPORT=$decoded && export PGPORT ;;
      sslmode) PGSSLMODE=$decoded && export PGSSLMODE ;;
      sslrootcert) PGSSLROOTCERT=$decoded && export PGSSLROOTCERT ;;
      options) PGOPTIONS=$decoded && export PGOPTIONS ;;
      connect_timeout) PGCONNECT_TIMEOUT=$decoded ;;
      target_session_attrs) PGTARGETSESSIONATTRS=$decoded && export PGTARGETSESSIONATTRS ;;
    esac
  done
}

# Asks the server for its version; a server that is not there yet is given a little time.
connect() {
  if [ -z "${PGHOST:-}" ] || [ -z "${PGDATABASE:-}" ]; then
    [ -n "${DATABASE_URL:-}" ] || fail config "the database's Secret has neither PGHOST and PGDATABASE nor DATABASE_URL"
    from_url
  fi
  PGAPPNAME=ffe-backup
  PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
  export PGAPPNAME PGCONNECT_TIMEOUT
  tries=1
  ask="SELECT current_setting('server_version_num') || ' ' || current_setting('server_version')"
  until run psql -XAtqw -c "$ask"; do
    message=$(cat "$TMP/error")
    case $message in
      *"authentication failed"* | *"no password supplied"* | *"pg_hba.conf"* | *"not permitted to log in"* | \
        *"permission denied"* | *"role \""*"does not exist"* | *"database \""*"does not exist"*)
        fail refused "$message"
        ;;
    esac
    [ "$tries" -lt "${FFE_TRIES:-5}" ] || fail unreachable "$message"
    tries=$((tries + 1))
    sleep 3 &
    wait $!
  done
  read -r number server_version more < "$TMP/said"
  server_major=$((number / 10000))
}

# pg_dump and pg_restore refuse what is newer than themselves.
check_tools() {
  run pg_dump --version || fail tool_missing "pg_dump does not run: $(cat "$TMP/error")"
  tool_version=$(sed 's/^[^)]*) *//; s/ .*//' < "$TMP/said")
  tool_major=${tool_version%%[!0-9]*}
  [ "${tool_major:-0}" -ge "$server_major" ] ||
    fail image_older "pg_dump of the image is version $tool_version, the server is version $server_version: pg_dump refuses a server newer than itself"
}
