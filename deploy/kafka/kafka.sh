#!/usr/bin/env bash
# Apache Kafka without Docker: one node on loopback, from the published jars. Needs a JDK 17; `fetch` needs Maven.
#
#   kafka.sh fetch                                          the jars, once (43 MB)
#   kafka.sh format DIR PORT CONTROLLER_PORT [--test-timings]   a new, empty data folder
#   kafka.sh start DIR                                      in the foreground, until a signal
#   kafka.sh start DIR --background                         returns once the broker serves; log in DIR/kafka.log
#   kafka.sh stop DIR                                       a clean stop
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
libs="${GRAFTWORK_KAFKA_LIBS:-$here/libs}"
version=4.4.0

fail() { echo "kafka.sh: $*" >&2; exit 1; }
usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }

java_kafka() {
  command -v java >/dev/null || fail "needs java 17 (Debian: openjdk-17-jre-headless)"
  [ -f "$libs/kafka_2.13-$version.jar" ] || fail "no Kafka $version in $libs: run '$0 fetch' first"
  exec java "-Dorg.slf4j.simpleLogger.defaultLogLevel=${KAFKA_LOG_LEVEL:-warn}" \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
    -Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS" \
    ${KAFKA_JVM:--Xms256m -Xmx512m} -cp "$libs/*" "$@"
}

fetch() {
  [ -f "$libs/kafka_2.13-$version.jar" ] && return
  command -v mvn >/dev/null || fail "needs Maven (Debian: maven)"
  # into a folder of its own first, so that an interrupted download is never taken for a whole one
  part="$(mktemp -d "$here/.libs.XXXXXX")"
  trap 'rm -rf "$part"' EXIT
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$part" -DincludeScope=runtime
  rm -rf "$libs"
  mv "$part" "$libs"
  chmod 755 "$libs"
}

format() {
  [ $# -ge 3 ] || usage
  local dir port="$2" controller_port="$3" timings="${4:-}"
  mkdir -p "$1"; dir="$(cd "$1" && pwd)"
  [ ! -e "$dir/server.properties" ] || fail "$dir is formatted already"
  sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER_PORT@|$controller_port|g" -e "s|@DATA@|$dir|g" \
    "$here/server.properties" >"$dir/server.properties.new"
  case "$timings" in
    "") ;;
    --test-timings) cat "$here/test-timings.properties" >>"$dir/server.properties.new" ;;
    *) usage ;;
  esac
  local id; id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 1-22)"
  # a cluster id that begins with '-' would be read as an option
  (java_kafka kafka.tools.StorageTool format --cluster-id="A${id:1:20}A" -c "$dir/server.properties.new") >/dev/null
  mv "$dir/server.properties.new" "$dir/server.properties"
}

start() {
  [ $# -ge 1 ] || usage
  [ -d "$1" ] || fail "no folder $1: run '$0 format $1 PORT CONTROLLER_PORT' first"
  local dir; dir="$(cd "$1" && pwd)"
  [ -f "$dir/server.properties" ] || fail "$dir is not formatted: run '$0 format $dir PORT CONTROLLER_PORT' first"
  if [ "${2:-}" != --background ]; then
    echo $$ >"$dir/pid"
    java_kafka kafka.Kafka "$dir/server.properties"
  fi
  : >"$dir/kafka.log" # here, not in the background: below, the last start's word would be taken for this one's
  (java_kafka kafka.Kafka "$dir/server.properties") >>"$dir/kafka.log" 2>&1 </dev/null &
  local pid=$!
  echo "$pid" >"$dir/pid"
  # the port opens before the broker serves, so wait for its own word
  for _ in $(seq 120); do
    kill -0 "$pid" 2>/dev/null || fail "the broker ended: $(tail -n 5 "$dir/kafka.log")"
    if grep -q "Kafka Server started" "$dir/kafka.log"; then return; fi
    sleep 0.5
  done
  fail "the broker did not start within 60 s: $(tail -n 5 "$dir/kafka.log")"
}

stop() {
  [ $# -eq 1 ] || usage
  [ -f "$1/pid" ] || return 0
  local pid; pid="$(cat "$1/pid")"
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 60); do
    kill -0 "$pid" 2>/dev/null || { rm -f "$1/pid"; return 0; }
    sleep 0.5
  done
  kill -KILL "$pid"
  rm -f "$1/pid"
}

case "${1:-}" in
  fetch|format|start|stop) "$@" ;;
  *) usage ;;
esac
