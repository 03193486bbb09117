# shellcheck shell=bash disable=SC2034
# What scripts share that make claims about the whole product on the lab: one line per claim, and the last line counts
# them. Sourced, never run; brings lab.sh along. Whoever sources it may set keep=yes before begin_lab.
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

REPO=$(cd "$LAB_SRC/../.." && pwd)
export FAIRWATCH_URL=http://127.0.0.1:$COLLECTOR_PORT
BIN=$REPO/deploy/bin
keep=no
passed=0
failed=0
began=$(date +%s)
was_up=no
[ ! -e "$LAB/run/up" ] || was_up=yes
debug_dir=${FAIRWATCH_E2E_LOGS:-}      # logs go there when a claim failed

say() { printf '# %4d s  %s\n' $(($(date +%s) - began)) "$*"; }

# claim SENTENCE COMMAND...: the sentence is true if the command succeeds
claim() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'ok %d - %s\n' $((passed + failed)) "$sentence"
  else
    failed=$((failed + 1))
    printf 'not ok %d - %s\n' $((passed + failed)) "$sentence"
    printf '%s\n' "$output" | tail -n 40 | sed 's/^/#   /'
  fi
}

# within SECONDS COMMAND...: tries until it succeeds
within() {
  local left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((left -= 1)) -gt 0 ] || { "$@"; return; }
    sleep 1
  done
}

cleanup() {
  local name pid
  trap - EXIT
  for name in exim slapd slurmctld; do   # a script that ended halfway may have stopped them
    if pid=$(alive $name); then kill -CONT "$pid"; fi
  done
  if [ $keep = no ]; then
    if [ -n "$debug_dir" ] && [ $failed -gt 0 ]; then cp -r "$LAB/fairwatch/log" "$debug_dir" 2>/dev/null || :; fi
    "$LAB_SRC/fairwatch" stop 2>/dev/null || :
    [ $was_up = yes ] || "$LAB_SRC/down" >/dev/null 2>&1 || :
  fi
}

# begin_lab: brings the lab up, if it is not, with no state of Fairwatch in it; what this script started ends with it
begin_lab() {
  local told
  trap cleanup EXIT
  trap 'exit 130' INT TERM
  command -v jq >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq jq >/dev/null
  if [ $was_up = no ]; then
    say "starting the lab"
    told=$("$LAB_SRC/up" 2>&1) || die "the lab did not come up: $told"
  fi
  "$LAB_SRC/fairwatch" stop
  rm -rf "$LAB/fairwatch"
}

# tally: the last line; fails when a claim did
tally() {
  printf '\n%d passed, %d failed\n' $passed $failed
  [ $failed -eq 0 ]
}

submit() { "$LAB_SRC/run" "$1" sbatch --parsable --output=/dev/null "${@:2}"; }
lookup() { "$BIN/fairwatch" job --json "$1"; }
page() { "$BIN/getUtilByJobId.sh" "$1"; }
field() { lookup "$1" | jq -e -r "$2"; }
# mails_about JOB ADDRESS: the files of the mails in that mailbox whose subject names the job, alone or among others
mails_about() {
  "$LAB_SRC/mail" --files "$2" | while read -r file; do
    if sed -n "/^\$/q;p" "$file" | grep -iE "^subject:.*Jobs? ([0-9]+, )*$1[,:]" >/dev/null; then printf "%s\n" "$file"; fi
  done
}
one_mail() { [ "$(mails_about "$1" "$2" | wc -l)" -eq 1 ]; }
no_mail() { [ "$(mails_about "$1" "$2" | wc -l)" -eq 0 ]; }
mail_says() { "$LAB_SRC/mail" "$1" | grep -E -- "$2" >/dev/null; }   # not -q: it would end the writer, and with it the pipe
staff() { FAIRWATCH_STAFF_TOKEN_FILE=$LAB/fairwatch/staff.token "$BIN/fairwatch" "$@"; }
job_state() { "$LAB_SRC/run" root squeue -h -j "$1" -o %T 2>/dev/null; }
# audit_says JOB FILTER: the job's audit trail, newest first, passes a filter of jq
audit_says() { staff audit --json --limit 1000 --job "$1" | jq -e "$2"; }
# notice_count JOB FILTER: of how many of its mails and deeds what became of them passes a filter of jq
notice_count() { staff notices --json --limit 1000 --job "$1" | jq "[.[] | select($2)] | length"; }
has_notices() { [ "$(notice_count "$1" "$3")" -eq "$2" ]; }   # JOB COUNT FILTER
# metric NAME: what the collector tells of it; nothing when it tells nothing
metric() { curl -s --max-time 10 "$FAIRWATCH_URL/metrics" | awk -v m="$1" '$1 == m { printf "%d\n", $2 }'; }
# judged_again ROUNDS: waits until all have been judged so many times more, which takes 3 s each or longer
# shellcheck disable=SC2317  # within calls them
judged_again() {
  local until=
  rounds() { metric fairwatch_collector_rules_cycle_seconds_count; }
  known() { until=$(rounds) && [ -n "$until" ]; }
  enough() { [ "$(rounds)" -ge "$until" ]; }
  within 30 known || return 1
  until=$((until + $1))
  within 180 enough
}
# run_again JOB: requeued, and started 2 s after Slurm lets it
run_again() {
  slurm scontrol requeue "$1"
  within 20 says '^PENDING$' job_state "$1"
  slurm scontrol update JobId="$1" StartTime=now+2
}
exits() { local want=$1 got=0; shift; "$@" >/dev/null 2>&1 || got=$?; [ $got -eq "$want" ] || { echo "exit $got"; return 1; }; }
says() { local want=$1; shift; "$@" 2>&1 | grep -E -- "$want" >/dev/null; }
# says_not PATTERN COMMAND...: it succeeds, and says nothing of the kind
says_not() {
  local want=$1 got
  shift
  got=$("$@" 2>&1) || { printf '%s\n' "$got"; return 1; }
  ! grep -E -- "$want" <<<"$got"
}
