#!/usr/bin/env bash
# A throw-away PostgreSQL on loopback from Debian's package, for tests and trials: no password, and no fsync, so never for data that matters.
#
#   postgres.sh start DIR PORT    makes the cluster if DIR is new; returns once it answers; user `graftwork`; log in DIR/postgres.log
#   postgres.sh stop DIR
#
# As root it runs as the package's own user `postgres` (initdb refuses root), so DIR's parents must be open to that user.
set -euo pipefail

fail() { echo "postgres.sh: $*" >&2; exit 1; }
usage() { sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }

bin="$(ls -d "${GRAFTWORK_POSTGRES_BIN:-/usr/lib/postgresql}"/*/bin 2>/dev/null | sort -V | tail -n 1)"
[ -n "$bin" ] || bin="$(dirname "$(command -v pg_ctl || true)")"
[ -x "$bin/pg_ctl" ] || fail "no pg_ctl (Debian: apt-get install postgresql)"

as_postgres() {
  # from /: the caller's folder may be closed to that user
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

start() {
  [ $# -eq 2 ] || usage
  mkdir -p "$1"
  local dir port="$2"; dir="$(cd "$1" && pwd)"
  [ "$(id -u)" != 0 ] || chown postgres: "$dir"
  if [ ! -f "$dir/data/PG_VERSION" ]; then
    as_postgres "$bin/initdb" -D "$dir/data" -U graftwork --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
  fi
  as_postgres "$bin/pg_ctl" -D "$dir/data" -l "$dir/postgres.log" -w -t 60 -s start \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c fsync=off -c full_page_writes=off" \
    || fail "it did not start: $(tail -n 5 "$dir/postgres.log")"
}

stop() {
  [ $# -eq 1 ] || usage
  [ -f "$1/data/postmaster.pid" ] || return 0
  as_postgres "$bin/pg_ctl" -D "$(cd "$1" && pwd)/data" -m immediate -w -s stop
}

case "${1:-}" in
  start|stop) "$@" ;;
  *) usage ;;
esac
