# Processes of the labs, sourced by all of them: known by "pid starttime" in a file, and ended by that pid alone, only while
# it is still that process. zm-lab.sh and ha-lab.sh start theirs with spawn, in sessions of their own, noted in $STATE/pids:
# alive, pidof_, spawn and stop need $STATE, with pids and log in it, and say(). note and noted need nothing.
# shellcheck shell=bash
starttime() { # field 22 of /proc/PID/stat: guards against a reused pid
  local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  s=${s##*) }; set -- $s; printf %s "${20}"
}
note() { printf '%s %s\n' "$2" "$(starttime "$2")" > "$1"; } # note FILE PID
noted() { # noted FILE: prints the pid of the recorded process, if it is still that process (a zombie does not count)
  local pid st s; [ -s "$1" ] || return 1
  read -r pid st < "$1"
  [ "$(starttime "$pid" || true)" = "$st" ] || return 1
  s=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
  s=${s##*) }; [ "${s%% *}" != Z ] && printf %s "$pid"
}
alive() { noted "$STATE/pids/$1" >/dev/null; } # alive NAME
pidof_() { local pid; read -r pid _ < "$STATE/pids/$1"; printf %s "$pid"; }
spawn() { # spawn NAME CMD...: own session, output to log/NAME.out, "pid starttime" to pids/NAME
  local name=$1 pid; shift
  alive "$name" && return 0
  setsid "$@" >>"$STATE/log/$name.out" 2>&1 </dev/null 9>&- &
  pid=$!
  note "$STATE/pids/$name" "$pid"
  disown "$pid" 2>/dev/null || true
}
stop() { # stop NAME [SIGNAL [SECONDS]]: signal, wait, then KILL; only that pid
  local name=$1 sig=${2:-TERM} secs=${3:-20} pid i
  if alive "$name"; then
    pid=$(pidof_ "$name")
    kill "-$sig" "$pid" 2>/dev/null || true
    for ((i = 0; i < secs * 20; i++)); do alive "$name" || break; sleep 0.05; done
    if alive "$name"; then say "$name ($pid) ignored SIG$sig for ${secs}s, sending KILL"; kill -KILL "$pid" 2>/dev/null || true; sleep 0.2; fi
  fi
  rm -f "$STATE/pids/$name"
}
