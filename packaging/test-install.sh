#!/usr/bin/env bash
# Builds the packages, and does with them what admins do: installs, starts, upgrades, removes and purges them.
#
#   packaging/test-install.sh [OPTION...] [SUITE...]     Debian's bookworm and trixie unless others are named
#   packaging/test-install.sh --contents                 only builds them and looks at what is in them (no root needed)
#
#   --binaries DIR     takes the programs from there; else they are built as for a release
#
# The .deb is installed into clean systems that debootstrap makes of the mirror that this machine's apt uses (root, and
# some 400 MB each below target/packaging/roots, or $ZMES_ROOTS, where they are kept). One has no systemd; the other is
# booted, with its own systemd as process 1 in namespaces of its own: what runs is the unit with all of its sandbox.
# ZoneMinder in it is a database (this machine's MariaDB, through a Unix socket) and a zm.mmap file. The network there
# is a loopback device. Of the .rpm Debian's rpm shows contents, scripts and dependencies, and it installs, upgrades and
# removes it in such a system, where its scripts run.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

contents_only='' binaries='' suites=()
while [ $# -gt 0 ]; do
  case $1 in
    --contents) contents_only=1 ;;
    --binaries) binaries=${2:?--binaries needs a directory}; shift ;;
    -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    -*) echo "test-install.sh: unknown option $1" >&2; exit 64 ;;
    *) suites+=("$1") ;;
  esac
  shift
done
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)

work=$(mktemp -d "${TMPDIR:-/tmp}/zmes-install.XXXXXX")
chmod 755 "$work"
roots=${ZMES_ROOTS:-$PWD/target/packaging/roots}
init='' database='' cgroup='' deb='' newer='' rpm=''

# ---------------------------------------------------------------------------------------------- telling and tidying
say() { printf '%s\n' "---- $*"; }
die() {
  printf '%s\n' "FAILED: $*" >&2
  [ -z "$init" ] || inside journalctl --no-pager --lines 60 >&2
  exit 1
}
ok() { # ok TITLE COMMAND...: the command succeeds
  local title=$1 output
  shift
  output=$("$@" 2>&1) || die "$title: $* said: $output"
  echo "ok: $title"
}
no() { # no TITLE CODE COMMAND...: the command ends with that code
  local title=$1 code=$2 output status=0
  shift 2
  output=$("$@" 2>&1) || status=$?
  [ "$status" = "$code" ] || die "$title: $* ended with $status instead of $code: $output"
  echo "ok: $title"
}
same() { # same TITLE WANTED FOUND
  [ "$2" = "$3" ] || die "$1: wanted \`$2\`, found \`$3\`"
  echo "ok: $1"
}
soon() { # soon TITLE COMMAND...: it succeeds within half a minute
  local title=$1 try
  shift
  for ((try = 0; try < 150; try++)); do
    if "$@" >/dev/null 2>&1; then echo "ok: $title"; return; fi
    sleep 0.2
  done
  die "$title: still not after 30 s: $*: $("$@" 2>&1)"
}

shut_down() { # whatever happens in it: the namespace dies with its process 1
  [ -n "$init" ] || return 0
  kill -KILL "$init" 2>/dev/null
  while [ -e "/proc/$init" ] && ! grep -q '^State:.Z' "/proc/$init/status" 2>/dev/null; do sleep 0.1; done
  init=''
}
tidy() {
  shut_down
  if [ -n "$database" ]; then
    kill "$database" 2>/dev/null
    wait "$database" 2>/dev/null
  fi
  [ -z "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
  rm -rf --one-file-system "$work"
}
trap tidy EXIT

# ---------------------------------------------------------------------------------------------- contents
packages() {
  local option=()
  if [ -z "$binaries" ]; then
    say 'build as for a release'
  fi
  [ -z "$binaries" ] || option=(--binaries "$binaries")
  [ -z "$contents_only" ] || option+=(--fast)
  mkdir "$work/again"
  deb=$(packaging/build deb "${option[@]}" --output "$work") || die 'the .deb cannot be built'
  rpm=$(packaging/build rpm "${option[@]}" --output "$work") || die 'the .rpm cannot be built'
  ok 'the .deb is the same to the byte when built twice' \
    cmp "$deb" "$(packaging/build deb "${option[@]}" --output "$work/again")"
  ok 'the .rpm is the same to the byte when built twice' \
    cmp "$rpm" "$(packaging/build rpm "${option[@]}" --output "$work/again")"
  [ -n "$contents_only" ] || newer=$(packaging/build deb "${option[@]}" --revision 2 --output "$work") || die 'no second revision'
}

# What has to be in both; the places of zsh's completions and of licences differ.
wanted=(/usr/bin/zmesd /usr/bin/zmesctl /usr/libexec/zmesd/web-group /etc/zmesd/zmesd.toml
  /usr/lib/systemd/system/zmesd.service /usr/lib/systemd/system/zmesd.socket
  /usr/lib/systemd/system/zmesd-control.socket /usr/lib/sysusers.d/zmesd.conf /usr/lib/tmpfiles.d/zmesd.conf
  /usr/share/man/man8/zmesd.8.gz /usr/share/man/man1/zmesctl.1.gz /usr/share/man/man5/zmesd.toml.5.gz
  /usr/share/man/man7/zmes-control.7.gz
  /usr/share/bash-completion/completions/zmesd /usr/share/bash-completion/completions/zmesctl
  /usr/share/fish/vendor_completions.d/zmesd.fish /usr/share/fish/vendor_completions.d/zmesctl.fish
  /usr/share/doc/zmesd/changelog.gz /usr/share/doc/zmesd/README.md
  /usr/share/doc/zmesd/examples/certbot-deploy-hook /usr/share/doc/zmesd/examples/tls-credential.conf)
holds() { # holds LIST FILE...
  local list=$1 file missing=()
  shift
  for file in "$@"; do
    grep -qxF "$file" <<<"$list" || missing+=("$file")
  done
  [ ${#missing[@]} = 0 ] || { echo "missing: ${missing[*]}"; return 1; }
}

contents() {
  local list scripts requires family file
  list=$(dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's|^\.\(/.*[^/]\)$|\1|p')
  family=(/usr/share/doc/zmesd/copyright /usr/share/doc/zmesd/changelog.Debian.gz /usr/share/doc/zmesd/third-party.gz
    /usr/share/zsh/vendor-completions/_zmesd /usr/share/zsh/vendor-completions/_zmesctl)
  ok 'the .deb holds all' holds "$list" "${wanted[@]}" "${family[@]}"
  same 'the configuration is a conffile' /etc/zmesd/zmesd.toml "$(dpkg-deb --ctrl-tarfile "$deb" | tar -xO ./conffiles)"
  ok 'its permissions are closed' grep -qE '^-rw-r----- .*/etc/zmesd/zmesd.toml$' <<<"$(dpkg-deb --contents "$deb")"
  ok 'certificates and libc are among the dependencies' \
    grep -qE 'ca-certificates.*libc6 \(>=' <<<"$(dpkg-deb --field "$deb" Depends)"
  ok 'time zones are recommended' grep -qw tzdata <<<"$(dpkg-deb --field "$deb" Recommends)"
  # No mail address is invented, and nothing has been filed as a Debian bug. The programs are as their tests ran them.
  ok 'lintian has no complaint' lintian --fail-on error,warning --suppress-tags \
    initial-upload-closes-no-bugs,bogus-mail-host,unstripped-binary-or-object,unknown-section "$deb"

  list=$(rpm -qpl "$rpm") scripts=$(rpm -qp --scripts "$rpm") requires=$(rpm -qp --requires "$rpm")
  family=(/usr/share/licenses/zmesd/LICENSE-MIT /usr/share/licenses/zmesd/LICENSE-APACHE
    /usr/share/licenses/zmesd/third-party.gz /usr/share/zsh/site-functions/_zmesd /usr/share/zsh/site-functions/_zmesctl)
  ok 'the .rpm holds all' holds "$list" "${wanted[@]}" "${family[@]}"
  same 'the configuration is its configuration' /etc/zmesd/zmesd.toml "$(rpm -qpc "$rpm")"
  ok 'an upgrade does not replace it' \
    grep -qx 'cn /etc/zmesd/zmesd.toml' <<<"$(rpm -qp --qf '[%{FILEFLAGS:fflags} %{FILENAMES}\n]' "$rpm")"
  for file in preinstall postinstall preuninstall postuninstall; do
    ok "it has a $file script" grep -q "^$file scriptlet" <<<"$scripts"
  done
  ok 'certificates, libc and the tool that makes users are among its dependencies' \
    holds "$requires" ca-certificates /usr/sbin/useradd
  ok 'time zones are recommended' holds "$(rpm -qp --recommends "$rpm")" tzdata
  ok 'libc by version' grep -q '^libc.so.6(GLIBC_2' <<<"$requires"
  mkdir "$work/rpm"
  ok 'rpm installs it into an empty directory' \
    rpm --root "$work/rpm" --dbpath /rpmdb -i --nodeps --noscripts --nosignature "$rpm"
  ok 'what rpm has installed is there' test -x "$work/rpm/usr/bin/zmesd" -a -f "$work/rpm/etc/zmesd/zmesd.toml"
}

# ---------------------------------------------------------------------------------------------- clean systems
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1; }

in_root() { # in_root ROOT COMMAND...: in a root that is not booted; the network is this machine's, for apt
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child --propagation private \
    sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$@"
}

make_roots() { # make_roots SUITE: $roots/SUITE-plain without systemd, $roots/SUITE with it
  local suite=$1 plain=$roots/$1-plain apt='DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends'
  [ ! -e "$roots/$suite/.complete" ] || return 0
  say "making a clean $suite"
  mkdir -p "$roots"
  rm -rf --one-file-system "$plain" "${roots:?}/$suite"
  debootstrap --variant=minbase "$suite" "$plain" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
    { tail "$work/debootstrap.log" >&2; die "debootstrap $suite (is debian-archive-keyring too old for it?)"; }
  cp /etc/resolv.conf "$plain/etc/resolv.conf"
  # What the package depends on is fetched now: the systems have no network when it is installed.
  in_root "$plain" sh -c "$apt --download-only install ca-certificates openssl" >"$work/apt.log" 2>&1 ||
    { tail "$work/apt.log" >&2; die "apt in $suite"; }
  cp -a --reflink=auto "$plain" "$roots/$suite"
  in_root "$roots/$suite" sh -c "$apt install systemd systemd-sysv" >"$work/apt.log" 2>&1 ||
    { tail "$work/apt.log" >&2; die "apt in $suite"; }
  touch "$roots/$suite/.complete"
}

fresh() { # fresh NAME: a copy that may be spoilt
  root=$work/system
  rm -rf --one-file-system "$root"
  cp -a --reflink=auto "$roots/$1" "$root"
  cp "$deb" "$newer" "$root/srv/"
}

apt_install='env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install'

# ---------------------------------------------------------------------------------------------- without systemd
without_systemd() {
  say "$1 without systemd, as in a container"
  fresh "$1-plain"
  # shellcheck disable=SC2086
  ok 'installs with its dependencies' in_root "$root" $apt_install "/srv/${deb##*/}"
  same 'the user is there' 'zmesd:/var/lib/zmesd:/usr/sbin/nologin' \
    "$(in_root "$root" getent passwd zmesd | cut -d: -f1,6,7)"
  same 'and a member of the web server'"'"'s group' 'zmesd www-data' "$(in_root "$root" id -nG zmesd)"
  same 'permissions' '750 root:zmesd 640 root:zmesd 700 zmesd:zmesd' "$(in_root "$root" \
    stat -c '%a %U:%G' /etc/zmesd /etc/zmesd/zmesd.toml /var/lib/zmesd | tr '\n' ' ' | sed 's/ $//')"
  ok 'zmesd runs' in_root "$root" zmesd --version
  no 'its user is told what is missing' 78 \
    in_root "$root" setpriv --reuid zmesd --regid zmesd --init-groups --no-new-privs zmesd check-config
  # shellcheck disable=SC2086
  ok 'upgrades' in_root "$root" $apt_install "/srv/${newer##*/}"
  ok 'is purged' in_root "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y purge zmesd
  no 'leaves no configuration' 2 in_root "$root" ls /etc/zmesd
  no 'leaves no state' 2 in_root "$root" ls /var/lib/zmesd
}

the_rpm() { # its scripts run in the clean system, too; dependencies are named as other distributions have them
  say 'the .rpm and its scripts'
  fresh "$1-plain"
  local rpm_here=(rpm --root "$root" --nodeps --nosignature)
  ok 'installs' "${rpm_here[@]}" --install "$rpm"
  same 'its user is a member of the web server'"'"'s group' 'zmesd www-data' "$(in_root "$root" id -nG zmesd)"
  same 'permissions' '750 root:zmesd 750 root:zmesd 640 root:zmesd 700 zmesd:zmesd' "$(in_root "$root" \
    stat -c '%a %U:%G' /etc/zmesd /etc/zmesd/tls /etc/zmesd/zmesd.toml /var/lib/zmesd | tr '\n' ' ' | sed 's/ $//')"
  ok 'zmesd runs' in_root "$root" zmesd --version
  echo '# mine' >>"$root/etc/zmesd/zmesd.toml"
  touch "$root/var/lib/zmesd/zmesd.db"
  ok 'is upgraded' "${rpm_here[@]}" --upgrade --force "$rpm"
  ok 'the configuration is the admin'"'"'s' grep -q '^# mine' "$root/etc/zmesd/zmesd.toml"
  ok 'is removed' "${rpm_here[@]}" --erase zmesd
  ok 'changed configuration and state stay' \
    test -f "$root/etc/zmesd/zmesd.toml.rpmsave" -a -f "$root/var/lib/zmesd/zmesd.db" -a ! -e "$root/usr/bin/zmesd"
}

# ---------------------------------------------------------------------------------------------- with systemd
start_database() {
  [ -z "$database" ] || return 0
  local sock=$work/db/mysql.sock try
  mkdir "$work/db"
  mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db --user=root \
    --datadir="$work/db/data" >"$work/db.log" 2>&1 || die "mariadb-install-db: $(tail -n 3 "$work/db.log")"
  mariadbd --no-defaults --user=root --skip-networking --skip-log-bin --datadir="$work/db/data" --socket="$sock" \
    --pid-file="$work/db/pid" --performance-schema=off >>"$work/db.log" 2>&1 &
  database=$!
  for ((try = 0; try < 150; try++)); do
    mariadb --no-defaults --socket="$sock" -uroot -e 'SELECT 1' >/dev/null 2>&1 && break
    sleep 0.2
  done
  {
    echo "CREATE DATABASE zm CHARACTER SET utf8mb4; CREATE USER 'zmuser'@'localhost' IDENTIFIED BY 'zmpass';"
    echo "GRANT SELECT ON zm.* TO 'zmuser'@'localhost'; USE zm;"
    cat tests/fixtures/zm/world-1.36.sql
    echo "INSERT INTO Monitors SET Id=1, Name='Porch', Type='Ffmpeg', \`Function\`='Modect', Enabled=1;"
  } | mariadb --no-defaults --socket="$sock" -uroot || die 'the database takes no tables'
}

# Boots $root: its systemd becomes process 1 of new namespaces, in a cgroup of its own.
boot() {
  local hierarchy launcher try
  hierarchy=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
  cgroup=$hierarchy/zmes-install-$$
  [ -n "$hierarchy" ] && mkdir -p "$cgroup" || die "no cgroup2 hierarchy that can be written: systemd cannot be booted"
  mkdir -p "$root/srv/db"
  cat >"$work/boot" <<'BOOT'
root=$1
mount --bind "$root" "$root" && mount --bind "$2" "$root/srv/db" || exit 1
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx" && ln -s /proc/self/fd "$root/dev/fd"
# In what it takes for a container systemd leaves that to others; credentials come through it.
mount --make-rshared "$root"
exec env -i container=zmes PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /lib/systemd/systemd
BOOT
  bash -c 'echo $$ >"$1/cgroup.procs" && exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc --net \
    --propagation private bash "$2" "$3" "$4"' boot "$cgroup" "$work/boot" "$root" "$work/db" \
    >"$work/boot.log" 2>&1 </dev/null &
  launcher=$!
  for ((try = 0; try < 50; try++)); do
    init=$(cat "/proc/$launcher/task/$launcher/children" 2>/dev/null | tr -d ' ')
    [ -z "$init" ] || break
    sleep 0.1
  done
  [ -n "$init" ] || die "cannot boot: $(cat "$work/boot.log")"
  # Units that want more of a kernel than a namespace has may fail; they are none of ours.
  # shellcheck disable=SC2016
  soon 'systemd is up' inside sh -c 'case $(systemctl is-system-running) in running | degraded) ;; *) exit 1 ;; esac'
  inside systemctl reset-failed
}
inside() {
  nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
as() { # as USER COMMAND...
  local user=$1
  shift
  inside runuser --user "$user" -- "$@"
}
put() { inside sh -c "cat >'$1'"; }

shm() { # shm STATE EVENT: what zmc of monitor 1 would have written just now, on a recorded file
  python3 - "$1" "$2" <<'SHM' | inside dd of=/dev/shm/zm.mmap.1 bs=64k iflag=fullblock conv=notrunc status=none
import pathlib, struct, sys, time
sys.path.insert(0, "tests/lab")
sys.dont_write_bytecode = True
import zmshm
content = bytearray(pathlib.Path("zmesd/zoneminder/tests/fixtures/shm/zm1.36.33-nodect-idle-fresh.bin").read_bytes())
table = zmshm.TABLE[zmshm.detect(content)]
now = int(time.time())
for name, kind, value in (("startup_time", "q", now), ("heartbeat_time", "q", now), ("last_write_time", "q", now),
                          ("last_event", "Q", int(sys.argv[2])), ("state", "I", int(sys.argv[1]))):
    struct.pack_into("<" + kind, content, table[name][0], value)
sys.stdout.buffer.write(content)
SHM
}

zoneminder() { # what Debian's package and its admin leave; none of it is ours
  inside mkdir -p /etc/zm/conf.d
  printf 'ZM_DB_HOST=localhost:/srv/db/mysql.sock\nZM_DB_NAME=zm\nZM_DB_USER=zmuser\nZM_DB_PASS=zmpass\nZM_WEB_GROUP=www-data\n' |
    put /etc/zm/zm.conf
  inside chown root:www-data /etc/zm/zm.conf
  inside chmod 640 /etc/zm/zm.conf
  shm 1 100
  inside chown www-data:www-data /dev/shm/zm.mmap.1
  inside chmod 640 /dev/shm/zm.mmap.1
}
foreign() { # everything in /etc but what a package of zmesd may change, with owners, modes and times; and the shared memory
  inside sh -c 'find /etc /dev/shm -xdev \( -path /etc/zmesd -o -path "/etc/systemd/system*" -o -name "passwd*" \
    -o -name "group*" -o -name "shadow*" -o -name "gshadow*" -o -name ".pwd.lock" -o -name ld.so.cache -o -path "/etc/ssl*" -o -path "/etc/ca-certificates*" \
    -o -name "subuid*" -o -name "subgid*" \) -prune -o -type f -exec stat -c "%n %a %U %G %s %Y" {} + | sort'
}
property() { inside systemctl show --property "$1" --value zmesd.service; }
events_seen() { inside zmesctl status --json | grep -q "\"seen\":[[:space:]]*$1"; }

installed() {
  local before
  before=$(foreign)
  # shellcheck disable=SC2086
  ok 'installs with its dependencies' inside $apt_install "/srv/${deb##*/}"
  same 'no foreign file has changed' "$before" "$(foreign)"
  same 'its user is a member of the web server'"'"'s group' 'zmesd www-data' "$(inside id -nG zmesd)"
  same 'permissions' '750 root:zmesd 640 root:zmesd 700 zmesd:zmesd 750 zmesd:zmesd' "$(inside \
    stat -c '%a %U:%G' /etc/zmesd /etc/zmesd/zmesd.toml /var/lib/zmesd /run/zmesd | tr '\n' ' ' | sed 's/ $//')"
  same 'nothing is started before it is configured' 'inactive disabled' \
    "$(inside systemctl is-active zmesd) $(inside systemctl is-enabled zmesd)"
  same 'no unit has failed' '' "$(inside systemctl --failed --no-legend --plain)"
  for unit in zmesd.service zmesd.socket zmesd-control.socket; do
    same "$unit is clean where it is installed" '' "$(inside systemd-analyze verify --man=no $unit 2>&1)"
  done
  no 'without a certificate it does not start' 1 inside systemctl start zmesd
  same 'with the code for a configuration, and no second try' 'failed 78 0' \
    "$(property ActiveState) $(property ExecMainStatus) $(property NRestarts)"
  inside systemctl reset-failed zmesd
}

configured() {
  inside useradd --create-home --groups zmesd amy
  inside useradd --create-home bob
  ok 'an admin makes a certificate' inside openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days 30 -subj /CN=zm.example.org -addext subjectAltName=DNS:zm.example.org -addext basicConstraints=critical,CA:FALSE \
    -keyout /etc/zmesd/tls/key.pem -out /etc/zmesd/tls/cert.pem
  inside sh -c 'chown root:zmesd /etc/zmesd/tls/*.pem && chmod 640 /etc/zmesd/tls/*.pem'
  ok 'the configuration holds for its user' as zmesd zmesd check-config
  ok 'it is enabled and started' inside systemctl enable --now zmesd
  soon 'the camera is watched: real shared memory and database from inside the sandbox' \
    inside sh -c 'zmesctl monitors list --json | grep -q "\"healthy\":[[:space:]]*true"'
  shm 3 101
  soon 'an alarm is seen' events_seen 1
  shm 1 101
}

sandboxed() {
  local pid status view
  pid=$(property MainPID)
  view=/proc/$pid/root
  status=$(inside cat "/proc/$pid/status")
  same 'it runs as its user, without capabilities or new privileges, with a filter of system calls' \
    'zmesd 0000000000000000 0000000000000000 1 2' \
    "$(inside stat -c %U "/proc/$pid") $(awk '/^CapEff/ { print $2 }' <<<"$status") $(awk '/^CapBnd/ { print $2 }' <<<"$status") $(
      awk '/^NoNewPrivs/ { print $2 }' <<<"$status") $(awk '/^Seccomp:/ { print $2 }' <<<"$status")"
  same 'its /dev/shm is the system'"'"'s' "$(inside stat -c '%d:%i' /dev/shm)" "$(inside stat -c '%d:%i' "$view/dev/shm")"
}

steered() {
  ok 'a member of the group asks' as amy zmesctl status
  ok 'and changes' as amy zmesctl log level debug
  ok 'and reloads' as amy zmesctl reload
  no 'one who is no member is not let in' 5 as bob zmesctl status
  ok 'systemctl reload' inside systemctl reload zmesd
  printf 'polling = 1\n' | inside tee -a /etc/zmesd/zmesd.toml >/dev/null
  no 'systemctl reload fails where the file is bad' 1 inside systemctl reload zmesd
  same 'and the daemon goes on as before' active "$(inside systemctl is-active zmesd)"
  ok 'the log says why' inside sh -c 'journalctl -u zmesd | grep -q "polling"'
  inside sed -i '/^polling = 1$/d' /etc/zmesd/zmesd.toml
  ok 'and reloads when it is mended' inside systemctl reload zmesd
  inside systemctl kill --signal=KILL zmesd.service
  soon 'killed, it is started again' inside sh -c '[ "$(systemctl show --property NRestarts --value zmesd)" = 1 ] && zmesctl status'
}

credentials() { # a key that only root can read
  inside mkdir -p /etc/ssl/zm /etc/systemd/system/zmesd.service.d
  inside sh -c 'mv /etc/zmesd/tls/cert.pem /etc/zmesd/tls/key.pem /etc/ssl/zm/ && chown root:root /etc/ssl/zm/* && chmod 600 /etc/ssl/zm/*'
  sed 's|/etc/letsencrypt/live/zm.example.org/fullchain.pem|/etc/ssl/zm/cert.pem|; s|/etc/letsencrypt/live/zm.example.org/privkey.pem|/etc/ssl/zm/key.pem|' \
    packaging/examples/tls-credential.conf | put /etc/systemd/system/zmesd.service.d/tls-credential.conf
  inside sed -i 's|"/etc/zmesd/tls/cert.pem"|"tls.cert"|; s|"/etc/zmesd/tls/key.pem"|"tls.key"|' /etc/zmesd/zmesd.toml
  inside systemctl daemon-reload
  ok 'it starts with a key that systemd reads for it' inside systemctl restart zmesd
  ok 'and reloads with it' inside systemctl reload zmesd
}

sockets() { # held by systemd, as who wants it has them
  inside systemctl stop zmesd
  ok 'systemd holds port and control socket' inside systemctl enable --now zmesd.socket zmesd-control.socket
  same 'before the daemon runs' inactive "$(inside systemctl is-active zmesd)"
  same 'for the same people' '750 zmesd:zmesd 660 zmesd:zmesd' \
    "$(inside stat -c '%a %U:%G' /run/zmesd /run/zmesd/control.sock | tr '\n' ' ' | sed 's/ $//')"
  ok 'the first zmesctl starts it' as amy zmesctl status
  ok 'and apps get its certificate on the port' inside sh -c 'openssl s_client -connect 127.0.0.1:9000 </dev/null'
  ok 'it is restarted' inside systemctl restart zmesd
  ok 'on the same sockets' as amy zmesctl status
  inside systemctl disable --now zmesd.socket zmesd-control.socket
  ok 'without them it opens its own again' inside systemctl restart zmesd
  ok 'for the same people as before' as amy zmesctl status
}

upgraded() {
  local pid
  pid=$(property MainPID)
  # shellcheck disable=SC2086
  ok 'upgrades, and asks nothing about a configuration that was edited' inside $apt_install "/srv/${newer##*/}"
  same 'to the newer package' "$(dpkg-deb --field "$newer" Version)" \
    "$(inside dpkg-query --showformat '${Version}' --show zmesd)"
  soon 'it was restarted' inside sh -c "[ \"\$(systemctl show --property MainPID --value zmesd)\" != $pid ] && zmesctl status"
  ok 'the configuration is the admin'"'"'s' inside grep -q '"tls.key"' /etc/zmesd/zmesd.toml
  same 'it is still enabled' enabled "$(inside systemctl is-enabled zmesd)"
  soon 'what it had told is not forgotten' inside sh -c 'zmesctl why 101'
  inside systemctl stop zmesd
  # shellcheck disable=SC2086
  ok 'an upgrade of one that was stopped' inside $apt_install --reinstall "/srv/${newer##*/}"
  same 'does not start it' inactive "$(inside systemctl is-active zmesd)"
  printf 'polling = 1\n' | inside tee -a /etc/zmesd/zmesd.toml >/dev/null
  inside systemctl start zmesd 2>/dev/null && die 'a bad configuration was taken'
  # shellcheck disable=SC2086
  ok 'an upgrade of one that cannot start is no failed installation' inside $apt_install --reinstall "/srv/${newer##*/}"
  inside sed -i '/^polling = 1$/d' /etc/zmesd/zmesd.toml
  ok 'it is started again' inside systemctl restart zmesd
}

removed() {
  local before
  before=$(foreign)
  ok 'is removed' inside apt-get -q -y remove zmesd
  same 'it has ended' '' "$(inside sh -c 'grep -lx zmesd /proc/[0-9]*/comm 2>/dev/null')"
  ok 'state and configuration stay' inside test -f /var/lib/zmesd/zmesd.db -a -f /etc/zmesd/zmesd.toml
  # shellcheck disable=SC2086
  ok 'installed again' inside $apt_install "/srv/${newer##*/}"
  same 'it is enabled as before' enabled "$(inside systemctl is-enabled zmesd)"
  ok 'is purged' inside apt-get -q -y purge zmesd
  no 'leaves no configuration' 2 inside ls /etc/zmesd
  no 'leaves no state' 2 inside ls /var/lib/zmesd
  no 'is enabled no longer' 2 inside ls /etc/systemd/system/multi-user.target.wants/zmesd.service
  same 'its user reads nothing of ZoneMinder any more' zmesd "$(inside id -nG zmesd)"
  same 'no foreign file has changed' "$before" "$(foreign)"
  same 'no unit has failed' '' "$(inside systemctl --failed --no-legend --plain)"
}

with_systemd() {
  say "$1, booted"
  fresh "$1"
  boot
  zoneminder
  installed
  configured
  sandboxed
  steered
  credentials
  sockets
  upgraded
  removed
  shut_down
}

packages
say "${deb##*/}, ${rpm##*/}"
contents
if [ -z "$contents_only" ]; then
  [ "$(id -u)" = 0 ] || die 'installing needs root (--contents does not)'
  start_database
  for suite in "${suites[@]}"; do
    make_roots "$suite"
    without_systemd "$suite"
    the_rpm "$suite"
    with_systemd "$suite"
  done
fi
say 'all of it holds'
