#!/usr/bin/env bash
# galera.sh: MariaDB with Galera, several members on the loopback of one machine, for tests and for a look.
#
#   galera.sh up [N]             start N members (default 3); returns when all are Synced
#   galera.sh status             each member: pid, port, size of the cluster as it sees it, state
#   galera.sh sql I STATEMENTS   run SQL as root at member I
#   galera.sh kill I             end member I as a crash does (SIGKILL)
#   galera.sh stop I | cont I    let it stand still, and go on (SIGSTOP, SIGCONT)
#   galera.sh start I            start it again; it takes what it missed from the others
#   galera.sh env I              shell assignments: CLUSTER_SOCKET, CLUSTER_PORT
#   galera.sh down [--wipe]      end all members that this script started; --wipe also deletes the directory
#
# Environment:
#   CLUSTER_LAB_DIR    directory of the lab               (default /tmp/zmesd-cluster)
#   CLUSTER_LAB_PORT   base port on 127.0.0.1             (default 36100: SQL of member I is +I, replication +100+10*I)
#
# Needs Debian's mariadb-server, galera-4 and rsync. Members that root starts run as mysql: rsync's receiver would run as
# nobody otherwise, and see no files. Each process is signalled by the id that was noted when it was started, only while that
# is still the same process.
#
# A member that crashes is noticed after evs.suspect_timeout; until then no commit ends. Galera's default is 5 s, here it is
# 2 s. The keepalive period must be below a third of it, or the member does not start.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/process.sh"
lab=${CLUSTER_LAB_DIR:-/tmp/zmesd-cluster} base=${CLUSTER_LAB_PORT:-36100}
user=$(id -un)
[ "$user" != root ] || user=mysql
export PATH=$PATH:/usr/sbin

provider() {
  local path
  for path in /usr/lib/galera/libgalera_smm.so /usr/lib/*/galera-4/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so; do
    [ ! -e "$path" ] || { echo "$path"; return; }
  done
  echo "galera.sh: Galera is not installed (Debian: galera-4)" >&2
  return 1
}

port() { echo $((base + $1)); }
replication_port() { echo $((base + 100 + 10 * $1)); }

members() { cat "$lab/members"; }

peers() {
  local member list=''
  for member in $(seq 1 "$(members)"); do list+=${list:+,}127.0.0.1:$(replication_port "$member"); done
  echo "gcomm://$list"
}

sql() { # sql MEMBER ARGUMENTS...
  local member=$1
  shift
  mariadb --no-defaults --skip-ssl --socket="$lab/$member/sock" --user=root "$@"
}

is_alive() { noted "$lab/$1/pid" >/dev/null; }

signal() { # signal NAME MEMBER
  local pid
  pid=$(noted "$lab/$2/pid") || { echo "galera.sh: member $2 is down" >&2; return 1; }
  kill "-$1" "$pid"
}

is_synced() {
  local query="SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'WSREP_LOCAL_STATE_COMMENT'"
  is_alive "$1" && [ "$(sql "$1" --skip-column-names --batch --execute "$query" 2>/dev/null)" = Synced ]
}

start() { # start MEMBER [ARGUMENT]: returns when it is Synced
  local member=$1 replication options
  shift
  replication=$(replication_port "$member")
  options="base_port=$replication;gmcast.listen_addr=tcp://127.0.0.1:$replication"
  options+=";ist.recv_addr=127.0.0.1:$((replication + 1));gcache.size=32M;pc.recovery=true"
  options+=";evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S;evs.install_timeout=PT4S"
  options+=";evs.keepalive_period=PT0.5S;evs.inactive_check_period=PT0.5S"
  mariadbd --no-defaults --user="$user" --datadir="$lab/$member/data" --tmpdir="$lab/$member/data" \
    --socket="$lab/$member/sock" --port="$(port "$member")" --bind-address=127.0.0.1 --skip-name-resolve --skip-ssl \
    --binlog-format=ROW --innodb-autoinc-lock-mode=2 --innodb-buffer-pool-size=32M --innodb-log-file-size=16M \
    --innodb-flush-log-at-trx-commit=1 --performance-schema=OFF \
    --wsrep-on=ON --wsrep-provider="$(provider)" --wsrep-provider-options="$options" \
    --wsrep-cluster-name=zmesd-lab --wsrep-cluster-address="$(peers)" \
    --wsrep-node-name="member$member" --wsrep-node-address="127.0.0.1:$replication" \
    --wsrep-sst-method=rsync --wsrep-sst-receive-address="127.0.0.1:$((replication + 4))" \
    --log-error="$lab/$member/log" "$@" >/dev/null 2>&1 &
  note "$lab/$member/pid" $!
  for _ in $(seq 1 600); do
    ! is_synced "$member" || return 0
    is_alive "$member" || break
    sleep 0.1
  done
  tail -n 5 "$lab/$member/log" >&2
  echo "galera.sh: member $member did not become Synced" >&2
  return 1
}

up() {
  local count=$1 member
  provider >/dev/null
  mkdir -p "$lab"
  chmod 755 "$lab"
  echo "$count" >"$lab/members"
  for member in $(seq 1 "$count"); do
    mkdir -p "$lab/$member"
    [ "$(id -un)" = "$user" ] || chown "$user" "$lab/$member"
    [ -d "$lab/$member/data" ] || mariadb-install-db --no-defaults --datadir="$lab/$member/data" --user="$user" \
      --auth-root-authentication-method=normal --skip-test-db >/dev/null 2>&1
  done
  start 1 --wsrep-new-cluster
  for member in $(seq 2 "$count"); do start "$member"; done
  echo "$count members are Synced"
}

status() {
  local member query
  query="SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment')"
  for member in $(seq 1 "$(members)"); do
    if ! is_alive "$member"; then
      echo "member $member is down"
      continue
    fi
    printf 'member %s: pid %s, port %s' "$member" "$(noted "$lab/$member/pid")" "$(port "$member")"
    timeout 2 mariadb --no-defaults --skip-ssl --socket="$lab/$member/sock" --user=root --skip-column-names --batch \
      --execute "$query" 2>/dev/null | awk '{ printf ", %s %s", $1, $2 }' || printf ', does not answer'
    echo
  done
}

down() {
  local member
  [ -e "$lab/members" ] || return 0
  for member in $(seq 1 "$(members)"); do
    if is_alive "$member"; then
      signal CONT "$member"
      signal TERM "$member"
    fi
  done
  for member in $(seq 1 "$(members)"); do
    for _ in $(seq 1 100); do is_alive "$member" || break; sleep 0.1; done
    ! is_alive "$member" || signal KILL "$member"
    rm -f "$lab/$member/pid"
  done
  [ "${1:-}" != --wipe ] || rm -rf "$lab"
}

case ${1:-} in
  up) up "${2:-3}" ;;
  status) status ;;
  sql) sql "$2" --execute "$3" ;;
  kill) signal KILL "$2" ;;
  stop) signal STOP "$2" ;;
  cont) signal CONT "$2" ;;
  start) start "$2" ;;
  env) printf 'CLUSTER_SOCKET=%s\nCLUSTER_PORT=%s\n' "$lab/$2/sock" "$(port "$2")" ;;
  down) down "${2:-}" ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 64 ;;
esac
