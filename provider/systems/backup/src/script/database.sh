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

# Why a URL is of no use, without any part of it, since a part of a password may be where another part should be.
no_url() {
  fail config "DATABASE_URL in the database's Secret cannot be taken apart: $1. Percent-encode what is not a letter or digit in its user and password (@ is %40, / is %2F, # is %23, ? is %3F, % is %25), or set PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE beside it"
}

# Takes the URL apart as SQLAlchemy and libpq do: a password may hold anything, so that the last @ before the query ends it.
take_apart() {
  scheme=${DATABASE_URL%%://*}
  # postgresql+psycopg2 names a driver to SQLAlchemy.
  case $DATABASE_URL in *://*) ;; *) no_url "it is no URL" ;; esac
  case ${scheme%%+*} in
    postgres | postgresql) ;;
    *) no_url "it does not begin with postgresql://" ;;
  esac
  url=${DATABASE_URL#*://}
  query=
  # What follows the last ? is a query, unless an @ comes after it that no parameter has: then both are of the password.
  case $url in
    *\?*)
      query=${url##*\?}
      case $query in
        *@*) case ${query%%=*} in *[!a-z_]* | "$query") query= ;; esac ;;
      esac
      [ -z "$query" ] || url=${url%\?*}
      ;;
  esac
  who=
  case $url in *@*) who=${url%@*} url=${url##*@} ;; esac
  url_name=
  case $url in */*) url_name=${url#*/} url=${url%%/*} ;; esac
  url_password=
  url_name=${url_name%\?}
  case $who in *:*) url_password=${who#*:} who=${who%%:*} ;; esac
  case $who in */* | *\?* | *\#*) no_url "its user holds a / ? or #" ;; esac
  case $url_name in *[/#]*) no_url "what follows the host is no name of a database" ;; esac
  # Hosts, each with its port: h1:5432,h2:5432 or [::1]:5432.
  url_host=
  url_port=
  ports=
  hosts=$url,
  while [ -n "$hosts" ] && [ "$hosts" != , ]; do
    one=${hosts%%,*}
    hosts=${hosts#*,}
    port=
    case $one in
      \[*\]*) host=${one#?} port=${one##*\]} host=${host%%\]*} port=${port#:} ;;
      *:*) host=${one%:*} port=${one##*:} ;;
      *) host=$one ;;
    esac
    case $port in *[!0-9]*) no_url "its port is not a number" ;; esac
    case $one in
      \[*) case $host in *[!0-9a-fA-F:.%]*) no_url "its host is none" ;; esac ;;
      *) case $host in *[!A-Za-z0-9._%-]*) no_url "its host is none" ;; esac ;;
    esac
    decode "$host"
    url_host=${url_host:+$url_host,}$decoded
    url_port=${url_port:+$url_port,}${port:-5432}
    ports=$ports$port
  done
  [ -n "$ports" ] || url_port=
  decode "$url_name" && url_name=$decoded
  decode "$who" && url_user=$decoded
  decode "$url_password" && url_password=$decoded
}

# A parameter of the connection: what is set already stays.
parameter() {
  eval "[ -n \"\${$1:-}\" ]" || { eval "$1=\$2" && export "${1?}"; }
}

# What the URL says after its ?, under libpq's names for it; asyncpg's `ssl` takes the words of sslmode.
parameters() {
  while [ -n "$query" ]; do
    pair=${query%%"&"*}
    case $query in *\&*) query=${query#*"&"} ;; *) query= ;; esac
    decode "${pair#*=}"
    case ${pair%%=*} in
      host) parameter PGHOST "$decoded" ;;
      hostaddr) parameter PGHOSTADDR "$decoded" ;;
      port) case $decoded in *[!0-9,]*) no_url "its port is not a number" ;; esac && parameter PGPORT "$decoded" ;;
      user) parameter PGUSER "$decoded" ;;
      password) parameter PGPASSWORD "$decoded" ;;
      dbname) parameter PGDATABASE "$decoded" ;;
      options) parameter PGOPTIONS "$decoded" ;;
      sslmode) parameter PGSSLMODE "$decoded" ;;
      ssl)
        case $decoded in
          true | True | 1) parameter PGSSLMODE require ;;
          false | False | 0) parameter PGSSLMODE disable ;;
          *) parameter PGSSLMODE "$decoded" ;;
        esac
        ;;
      sslrootcert) parameter PGSSLROOTCERT "$decoded" ;;
      sslcert) parameter PGSSLCERT "$decoded" ;;
      sslkey) parameter PGSSLKEY "$decoded" ;;
      sslcrl) parameter PGSSLCRL "$decoded" ;;
      sslsni) parameter PGSSLSNI "$decoded" ;;
      ssl_min_protocol_version) parameter PGSSLMINPROTOCOLVERSION "$decoded" ;;
      ssl_max_protocol_version) parameter PGSSLMAXPROTOCOLVERSION "$decoded" ;;
      channel_binding) parameter PGCHANNELBINDING "$decoded" ;;
      require_auth) parameter PGREQUIREAUTH "$decoded" ;;
      gssencmode) parameter PGGSSENCMODE "$decoded" ;;
      krbsrvname) parameter PGKRBSRVNAME "$decoded" ;;
      connect_timeout) parameter PGCONNECT_TIMEOUT "$decoded" ;;
      target_session_attrs) parameter PGTARGETSESSIONATTRS "$decoded" ;;
      load_balance_hosts) parameter PGLOADBALANCEHOSTS "$decoded" ;;
      service | passfile | sslpassword)
        fail config "DATABASE_URL says ${pair%%=*}, which a backup cannot follow: set PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE beside it in the Secret" ;;
    esac
  done
}

from_url() {
  take_apart
  decoded=
  [ -z "$url_host" ] || parameter PGHOST "$url_host"
  [ -z "$url_port" ] || parameter PGPORT "$url_port"
  [ -z "$url_name" ] || parameter PGDATABASE "$url_name"
  [ -z "$url_user" ] || parameter PGUSER "$url_user"
  [ -z "$url_password" ] || parameter PGPASSWORD "$url_password"
  parameters
  [ -n "${PGHOST:-}" ] || no_url "it names no host"
  [ -n "${PGDATABASE:-${PGUSER:-}}" ] || no_url "it names no database"
  parameter PGDATABASE "${PGUSER:-}"
}

# Certificates that the URL names are files of the application's image. This pod has those that the database's Secret has
# under the same name.
check_certificates() {
  for variable in PGSSLROOTCERT PGSSLCERT PGSSLKEY PGSSLCRL; do
    eval "file=\${$variable:-}"
    case $file in '' | system) continue ;; esac
    [ ! -f "$file" ] || continue
    here=${FFE_DATABASE_FILES:-/database}/${file##*/}
    [ -f "$here" ] ||
      fail config "the connection asks for the certificate file $file ($variable, or the parameter of that name in DATABASE_URL), which is not in the backup's pod. Put it into the database's Secret under the key ${file##*/}, or use sslrootcert=system where a public authority has signed the server's certificate, or an image that has the file (migration.backup_to.image)"
    eval "$variable=\$here" && export "${variable?}"
  done
}

# Whether what is set in one session is found in another one, or lost: then a pooler gives every transaction a session of
# its own choice, and what pg_dump sets (an empty search_path) would reach the application's.
check_pooler() {
  word=ffe$(date +%s)
  run psql -XAtqw -c "SET ffe_backup.probe = '$word'" -c "SELECT current_setting('ffe_backup.probe', true)" || return 0
  kept=$(cat "$TMP/said")
  run psql -XAtqw -c "SELECT current_setting('ffe_backup.probe', true)" -c "RESET ffe_backup.probe" || return 0
  [ "$kept" = "$word" ] && [ "$(cat "$TMP/said")" != "$word" ] ||
    fail config "a pooler (PgBouncer) in transaction mode stands before the database: what pg_dump and pg_restore set for their session would reach the application's. Let PGHOST and PGPORT in the Secret point at the server itself, or at a pool with pool_mode = session"
}

# Asks the server for its version; a server that is not there yet is given a little time.
connect() {
  if [ -z "${PGHOST:-}" ] || [ -z "${PGDATABASE:-}" ]; then
    [ -n "${DATABASE_URL:-}" ] || fail config "the database's Secret has neither PGHOST and PGDATABASE nor DATABASE_URL"
    from_url
  elif [ -n "${DATABASE_URL:-}" ]; then
    # The variables say where, the URL how: only where it speaks of the same server.
    case $DATABASE_URL in
      postgres*"@$PGHOST"[:/?]*\?* | postgres*"@$PGHOST"\?* | postgres*"://$PGHOST"[:/?]*\?*) query=${DATABASE_URL##*\?} && parameters ;;
    esac
  fi
  check_certificates
  PGAPPNAME=ffe-backup
  PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
  export PGAPPNAME PGCONNECT_TIMEOUT
  tries=1
  ask="SELECT current_setting('server_version_num') || ' ' || pg_database_size(current_database()) || ' ' || current_setting('server_version')"
  until run psql -XAtqw -c "$ask" -c '\echo :HOST :PORT'; do
    message=$(cat "$TMP/error")
    case $message in
      *"unsupported startup parameter"*)
        fail config "a pooler (PgBouncer) stands before the database and refuses the connection: $message. Let the Secret point at the server itself, or set ignore_startup_parameters = options in the pooler" ;;
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
  {
    read -r number database_bytes server_version more
    read -r found_host found_port || found_host=
  } < "$TMP/said"
  server_major=$((number / 10000))
  # Of several hosts, all that follows goes to the one that has answered: a snapshot is known to its server only.
  case $PGHOST in
    *,*) [ -z "$found_host" ] || [ -n "${PGHOSTADDR:-}" ] || { PGHOST=$found_host PGPORT=$found_port && export PGHOST PGPORT; } ;;
  esac
  check_pooler
}

# pg_dump and pg_restore refuse what is newer than themselves.
check_tools() {
  run pg_dump --version || fail tool_missing "pg_dump does not run: $(cat "$TMP/error")"
  tool_version=$(sed 's/^[^)]*) *//; s/ .*//' < "$TMP/said")
  tool_major=${tool_version%%[!0-9]*}
  [ "${tool_major:-0}" -ge "$server_major" ] ||
    fail image_older "pg_dump of the image is version $tool_version, the server is version $server_version: pg_dump refuses a server newer than itself"
}
