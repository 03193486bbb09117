# shellcheck shell=bash disable=SC2034
# What all lab commands share: where things are, the nodes, the users, and a few helpers. Sourced, never run.
set -euo pipefail

LAB_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${FAIRWATCH_LAB_DIR:-/srv/fairwatch-lab}
LAB_MARK=$LAB/.fairwatch-lab            # only a directory with this file in it is ever emptied
LAB_BIN=$LAB/bin
LAB_PATH=$LAB_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

LAB_NET=10.213.0
LAB_HOST=$LAB_NET.1                     # this machine on the lab's network: controller, database, mail
LAB_BRIDGE=fwlab0
LAB_VETH=fwlab-n                        # + last part of the node's address
LAB_CGROUP=fairwatch-lab                # directory in every cgroup hierarchy, below the caller's own cgroup

CTLD_PORT=16817 DBD_PORT=16819 REST_PORT=16820 DB_PORT=13306 SMTP_PORT=2525 LDAP_PORT=3389 COLLECTOR_PORT=7480

# node  address  CPUs sockets cores threads  RealMemory(MiB)  GPUs model  known-to-Slurm  NVML-order
# Order: is NVML's index n the device /dev/nvidia<n> (same), or are the two halves swapped (swapped)?
LAB_NODES="
nv-ai-01    11  96 2 24 2  1505280  16 v100  yes  swapped
nv-ai-03    12  96 2 24 2  1505280  16 v100  yes  same
a256-t4-01  13  64 2 16 2   262144   6 t4    yes  same
cp3705      14  32 2 16 1   131072   2 a10   no   same
"

# user  uid  Slurm account (the first is the default)
LAB_UID_FIRST=21000 LAB_GROUP=fairwatch-lab LAB_GECOS="Fairwatch lab"
LAB_USERS="
tlj@its.aau.dk   21001  cs
anna@es.aau.dk   21002  es
shj01@es.aau.dk  21003  es.shj
bob              21004  cs,es
gone             21005  cs
gpuwatch         21090  cs
"

# Mail is taken for these; a user name without @ gets the first. Besides the users' mailboxes there are some more.
LAB_MAIL_DOMAINS="lab.example its.aau.dk es.aau.dk student.aau.dk"
LAB_MAILBOXES="support@its.aau.dk support@lab.example postmaster@lab.example grey@lab.example"

die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The comment block at the top of the calling script is its help.
help_if_asked() {
  case ${1:-} in
    -h | --help) sed -n '2,/^[^#]/{/^# shellcheck/d; s/^# \{0,1\}//p}' "$0"; exit 0 ;;
  esac
}

need_root() { [ "$(id -u)" -eq 0 ] || die "must be run as root"; }

need_up() { [ -e "$LAB/run/up" ] || die "the lab is not up (expected: $LAB/run/up; start it with $LAB_SRC/up)"; }

# node_field NODE COLUMN: one cell of the table above
node_field() { awk -v n="$1" -v c="$2" '$1 == n { print $c }' <<<"$LAB_NODES"; }
node_names() { awk 'NF { print $1 }' <<<"$LAB_NODES"; }
mail_address() { case $1 in *@*) echo "$1" ;; *) echo "$1@${LAB_MAIL_DOMAINS%% *}" ;; esac; }
user_names() { awk 'NF { print $1 }' <<<"$LAB_USERS"; }

# start_time PID: when a process began, which together with its number names it for ever
start_time() {
  local stat
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  stat=${stat##*) }
  # shellcheck disable=SC2086
  set -- $stat
  printf '%s\n' "${20}"
}

# remember NAME PID COMMAND: writes the pid file that alive and stop_daemon trust
remember() { printf '%s %s %s\n' "$2" "$(start_time "$2")" "$3" >"$LAB/run/$1.pid"; }

# alive NAME: prints the pid if the process of that pid file is still the one that the lab started
alive() {
  local pid began command
  [ -r "$LAB/run/$1.pid" ] && read -r pid began command <"$LAB/run/$1.pid" || return 1
  [ "$(start_time "$pid")" = "$began" ] || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$command" || return 1
  printf '%s\n' "$pid"
}

# lab_users: the lab's own among the users of this machine, lines "name uid": those that bear its mark
lab_users() {
  local name uid
  while read -r name uid _; do
    [ -n "$name" ] || continue
    [ "$(getent passwd "$name" | cut -d: -f3,5)" != "$uid:$LAB_GECOS" ] || printf '%s %s\n' "$name" "$uid"
  done <<<"$LAB_USERS"
}

# cgroup_points: where cgroup hierarchies are mounted, lines "root point type options"
cgroup_points() {
  awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) ~ /^cgroup2?$/) print $4, $5, $(i + 1), $(i + 3) }' \
    /proc/self/mountinfo
}

# is_v1 CONTROLLER...: does this machine mount each as cgroup v1?
is_v1() {
  local name options
  options=$(cgroup_points | awk '$2 ~ "^/sys/fs/cgroup/" && $3 == "cgroup" { print "," $4 "," }')
  for name in "$@"; do grep -q ",$name," <<<"$options" || return 1; done
}

# has_cgroup CONTROLLER...: did the lab, when it was started, get each as cgroup v1?
has_cgroup() {
  local name options
  options=$(awk '{ print "," $2 "," }' "$LAB/run/cgroups")
  for name in "$@"; do grep -q ",$name," <<<"$options" || return 1; done
}

# cgroup_hierarchies [BELOW]: where this shell may make cgroups: lines "name options directory", one per hierarchy that
# is mounted below that directory. /proc/self/cgroup is read once: it changes under the reader as soon as the process
# moves in one of the hierarchies.
cgroup_hierarchies() {
  local own mounts root point type options name path below=${1:-/sys/fs/cgroup}
  own=$(cat /proc/self/cgroup)
  mounts=$(cgroup_points)
  while read -r root point type options; do
    case $point in "$below"/*) ;; *) continue ;; esac
    options=${options#rw,} options=${options#ro,}
    name=$options
    case $options in *name=*) name=name=${options##*name=} ;; esac
    [ "$type" = cgroup ] || name='' options=-
    path=$(awk -F: -v n="$name" '$2 == n { sub(/^[^:]*:[^:]*:/, ""); print }' <<<"$own")
    [ "$root" = / ] || path=${path#"$root"}
    printf '%s %s %s\n' "${point#"$below/"}" "$options" "$point${path%/}/$LAB_CGROUP"
  done <<<"$mounts"
}

# join_cgroup NAME: moves the calling (sub)shell into that directory of the lab in every hierarchy
join_cgroup() {
  local dir
  while read -r _ _ dir; do
    echo "$BASHPID" >"$dir/$1/cgroup.procs"
  done <"$LAB/run/cgroups"
}

# has_rest: are slurmrestd and Slurm's JWT plugin installed?
has_rest() { command -v slurmrestd >/dev/null && ls /usr/lib/*/slurm*/auth_jwt.so >/dev/null 2>&1; }

# slurm CMD...: a Slurm client as root, in the lab
slurm() { SLURM_CONF=$LAB/etc/slurm.conf "$@"; }
