#!/usr/bin/env bash
# cluster.sh: a whole cluster on one machine. Each host has a member of Galera and a zmesd with two simulated cameras; a phone
# is registered at the first one, and a stand-in for the PushProxy prints what it gets. With HAProxy before them, if it is
# installed.
#
#   cluster.sh up [N]           start N hosts (default 3); returns when all nodes are at work
#   cluster.sh status           the members of Galera, and `zmesctl cluster status` of each node
#   cluster.sh watch            what happens: alarms of the cameras, pushes at the provider (until Ctrl-C)
#   cluster.sh kill I [PART]    end host I as a power failure does: its zmesd and its member, or one PART: zmesd, member
#   cluster.sh stop I [PART]    let it stand still (SIGSTOP); cluster.sh cont I [PART] lets it go on
#   cluster.sh start I [PART]   start it again
#   cluster.sh cut I            cut the zmesd of host I off from the database; cluster.sh join I ends that
#   cluster.sh ctl I ARGUMENT…  zmesctl at node I
#   cluster.sh down [--wipe]    end everything that this script started; --wipe also deletes the directory
#
# Try it: up; watch in a second terminal; kill the node that `status` names as the one that sends; start it again; cut it off.
#
# Environment:
#   CLUSTER_LAB_DIR    directory of the lab               (default /tmp/zmesd-cluster)
#   CLUSTER_LAB_PORT   base port on 127.0.0.1             (default 36100: SQL of member I is +I, apps of node I +400+I, HAProxy +400)
#   CLUSTER_LAB_BIN    directory of zmesd and zmesctl     (default target/debug; built if they are missing)
#
# Needs what galera.sh needs, and socat. Each process is signalled by the id that was noted when it was started, only while
# that is still the same process.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/process.sh"
root=$(cd "$here/../.." && pwd)
lab=${CLUSTER_LAB_DIR:-/tmp/zmesd-cluster} base=${CLUSTER_LAB_PORT:-36100}
bin=${CLUSTER_LAB_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug}
export CLUSTER_LAB_DIR=$lab CLUSTER_LAB_PORT=$base PATH=$PATH:/usr/sbin

galera() { "$here/galera.sh" "$@"; }
apps() { echo $((base + 400 + $1)); }
hosts() { cat "$lab/hosts"; }
ctl() { # ctl NODE ARGUMENTS...
  local node=$1
  shift
  "$bin/zmesctl" --socket "$lab/node$node/run/control.sock" "$@"
}

is_alive() { noted "$1" >/dev/null; }

# signal_to NAME PIDFILE...: to those that run; to a whole group where the process leads one.
signal_to() {
  local name=$1 file pid
  shift
  for file in "$@"; do
    pid=$(noted "$file") || continue
    kill "-$name" -- "-$pid" 2>/dev/null || kill "-$name" "$pid" 2>/dev/null || true
  done
}

wait_for() { # wait_for WHAT SECONDS COMMAND...
  local what=$1 limit=$2
  shift 2
  for _ in $(seq 1 $((limit * 10))); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  echo "cluster.sh: $what did not come within $limit s; see $lab/*.log and $lab/node*/zmesd.log" >&2
  return 1
}

# The way of a node to its member, which can be cut.
join() {
  rm -f "$lab/node$1/sql"
  setsid socat "UNIX-LISTEN:$lab/node$1/sql,fork" "UNIX-CONNECT:$lab/$1/sock" >/dev/null 2>&1 &
  note "$lab/node$1/line.pid" $!
  wait_for "the line of node $1" 5 test -S "$lab/node$1/sql"
}

start_zmesd() {
  is_alive "$lab/node$1/line.pid" || join "$1"
  setsid "$bin/zmesd" --config "$lab/node$1/zmesd.toml" >>"$lab/node$1/zmesd.log" 2>&1 </dev/null &
  note "$lab/node$1/zmesd.pid" $!
  wait_for "zmesd of host $1" 20 ctl "$1" status
}

# What every ZoneMinder has: its tables, the servers, the cameras, and the user admin.
zoneminder() {
  local host sql
  sql="CREATE DATABASE zm; USE zm; $(cat "$root/tests/fixtures/zm/world-1.36.sql")"
  sql+="INSERT INTO Users SET Username='admin', Password=PASSWORD('adminpass'), Events='View', Monitors='View';"
  for host in $(seq 1 "$(hosts)"); do
    sql+="INSERT INTO Servers SET Id=$host, Name='host$host', Hostname='127.0.0.1';"
    sql+="INSERT INTO Monitors (Id, Name, ServerId, Type, \`Function\`) VALUES (${host}1, 'Gate $host', $host, 'Ffmpeg', 'Modect'),"
    sql+="(${host}2, 'Yard $host', $host, 'Ffmpeg', 'Modect');"
  done
  mariadb --no-defaults --skip-ssl --socket="$lab/1/sock" --user=root --execute "$sql"
}

proxy() {
  command -v haproxy >/dev/null || { echo "HAProxy is not installed: apps connect to a node"; return; }
  local host
  {
    printf 'defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 2m\n  timeout server 2m\n'
    printf 'frontend apps\n  bind 127.0.0.1:%s\n  default_backend nodes\nbackend nodes\n  balance leastconn\n' "$((base + 400))"
    for host in $(seq 1 "$(hosts)"); do printf '  server node%s 127.0.0.1:%s check inter 1s\n' "$host" "$(apps "$host")"; done
  } >"$lab/haproxy.cfg"
  setsid haproxy -db -f "$lab/haproxy.cfg" >"$lab/haproxy.log" 2>&1 </dev/null &
  note "$lab/haproxy.pid" $!
  echo "apps connect to wss://127.0.0.1:$((base + 400)), as admin with the password adminpass"
}

up() {
  local host
  [ ! -e "$lab/hosts" ] || { echo "cluster.sh: there is a lab in $lab: cluster.sh down --wipe" >&2; return 1; }
  command -v socat >/dev/null || { echo "cluster.sh: socat is not installed" >&2; return 1; }
  [ -x "$bin/zmesd" ] && [ -x "$bin/zmesctl" ] || (cd "$root" && cargo build --bins)
  [ -x "$bin/examples/cluster_world" ] || (cd "$root" && cargo build -p zmes-tests --example cluster_world)
  galera up "$1"
  echo "$1" >"$lab/hosts"
  zoneminder
  "$bin/zmesctl" cluster init --yes --quiet --output "$lab/cluster-url" \
    --database-url "mysql://root@localhost/zmesd?socket=$lab/1/sock"
  setsid "$bin/examples/cluster_world" "$lab" "$1" "$((base + 400))" >"$lab/world.log" 2>&1 </dev/null &
  note "$lab/world.pid" $!
  wait_for "the world" 10 test -e "$lab/ready"
  for host in $(seq 1 "$1"); do start_zmesd "$host"; done
  proxy
  wait_for "a node that sends pushes" 20 ctl 1 cluster status
  ctl 1 cluster status
}

status() {
  local host
  galera status
  for host in $(seq 1 "$(hosts)"); do
    echo
    echo "node $host says:"
    if is_alive "$lab/node$host/zmesd.pid"; then
      timeout 6 "$bin/zmesctl" --socket "$lab/node$host/run/control.sock" --timeout 3s cluster status || true
    else
      echo "its zmesd is down"
    fi
  done
}

each() { # each SIGNAL HOST [PART]
  case ${3:-} in zmesd | '') signal_to "$1" "$lab/node$2/zmesd.pid" ;; esac
  case ${3:-} in member | '') signal_to "$1" "$lab/$2/pid" ;; esac
}

start() {
  case ${2:-} in member | '') is_alive "$lab/$1/pid" || galera start "$1" ;; esac
  case ${2:-} in zmesd | '') is_alive "$lab/node$1/zmesd.pid" || start_zmesd "$1" ;; esac
}

down() {
  local host
  [ -e "$lab/hosts" ] || { galera down "${1:-}"; return; }
  signal_to TERM "$lab/haproxy.pid" "$lab/world.pid"
  for host in $(seq 1 "$(hosts)"); do
    signal_to CONT "$lab/node$host/zmesd.pid"
    signal_to TERM "$lab/node$host/zmesd.pid"
  done
  for host in $(seq 1 "$(hosts)"); do
    for _ in $(seq 1 50); do is_alive "$lab/node$host/zmesd.pid" || break; sleep 0.1; done
    signal_to KILL "$lab/node$host/zmesd.pid"
    signal_to TERM "$lab/node$host/line.pid"
    rm -f "$lab/node$host/"*.pid
  done
  rm -f "$lab/hosts" "$lab/ready" "$lab/"*.pid
  galera down "${1:-}"
}

case ${1:-} in
  up) up "${2:-3}" ;;
  status) status ;;
  watch) exec tail -n +1 -F "$lab/world.log" ;;
  kill) each KILL "$2" "${3:-}" ;;
  stop) each STOP "$2" "${3:-}" ;;
  cont) each CONT "$2" "${3:-}" ;;
  start) start "$2" "${3:-}" ;;
  cut) signal_to TERM "$lab/node$2/line.pid"; rm -f "$lab/node$2/sql" ;;
  join) join "$2" ;;
  ctl) node=$2; shift 2; ctl "$node" "$@" ;;
  down) down "${2:-}" ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 64 ;;
esac
