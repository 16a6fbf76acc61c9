#!/bin/bash
# The contract of the official postgres image: makes the database cluster on first start from POSTGRES_PASSWORD,
# POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS and POSTGRES_HOST_AUTH_METHOD (each also as NAME_FILE),
# runs /docker-entrypoint-initdb.d, then becomes the server. Arguments go to postgres.
set -Eeuo pipefail

fail() { echo >&2 "docker-entrypoint: $*"; exit 1; }

# A variable, or the contents of the file that NAME_FILE names.
setting() {
  local name=$1 default=${2:-} file=${1}_FILE
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then fail "both $name and $file are set"; fi
  if [ -n "${!file:-}" ]; then printf -v "$name" '%s' "$(< "${!file}")"; fi
  printf -v "$name" '%s' "${!name:-$default}"
  unset "$file"
}

# With arguments that are options alone, they are postgres's.
if [ "${1:0:1}" = - ] || [ $# -eq 0 ]; then set -- postgres "$@"; fi

wants_help() {
  local argument
  for argument; do
    case $argument in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac
  done
  return 1
}

if [ "$1" != postgres ] || wants_help "$@"; then exec "$@"; fi

: "${PGDATA:=/var/lib/postgresql/data}"
export PGDATA
sockets=/var/run/postgresql

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" "$sockets"
  chown -R postgres:postgres "$PGDATA" "$sockets"
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$BASH_SOURCE" "$@"
fi

mkdir -p "$PGDATA"
# A folder that belongs to somebody else (a volume's root) cannot be changed, and need not be.
chmod 00700 "$PGDATA" 2> /dev/null || true
mkdir -p "$sockets" 2> /dev/null || true
chmod 03775 "$sockets" 2> /dev/null || true

# initdb asks for the name of the user that runs it, which an arbitrary user id lacks.
if ! getent passwd "$(id -u)" > /dev/null; then
  for library in /usr/lib/*/libnss_wrapper.so /usr/lib/libnss_wrapper.so; do
    if [ -e "$library" ]; then
      NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
      export LD_PRELOAD=$library NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
      echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" > "$NSS_WRAPPER_PASSWD"
      echo "postgres:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
      break
    fi
  done
fi

query() { psql -v ON_ERROR_STOP=1 --no-psqlrc --host= --username "$POSTGRES_USER" --no-password "$@"; }

run_initdb_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) if [ -x "$file" ]; then echo "running $file"; "$file"; else echo "sourcing $file"; . "$file"; fi ;;
      *.sql) echo "running $file"; query --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) echo "running $file"; gunzip -c "$file" | query --dbname "$POSTGRES_DB" ;;
      '/docker-entrypoint-initdb.d/*') ;;
      *) echo "ignoring $file" ;;
    esac
  done
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    fail "the database is empty and there is no superuser password: set POSTGRES_PASSWORD"
  fi
  # The password goes by a pipe, never by an argument. POSTGRES_INITDB_ARGS is a list of words by contract.
  eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") $POSTGRES_INITDB_ARGS"
  : "${POSTGRES_HOST_AUTH_METHOD:=$(postgres -C password_encryption "${@:2}")}"
  printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >> "$PGDATA/pg_hba.conf"

  export PGPASSWORD=$POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB
  # Without network until everything is set up: nobody may find a half-made database.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p ${PGPORT:-5432}" -w start
  if [ "$POSTGRES_DB" != postgres ]; then
    POSTGRES_DB=postgres query --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
  fi
  run_initdb_files
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
  echo "PostgreSQL init process complete; ready for start up."
else
  echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
fi

unset POSTGRES_PASSWORD
exec "$@"
