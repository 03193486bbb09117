# shellcheck shell=bash
# Installs what building and trying Fairwatch needs, if it is missing. Sourced by quickstart and test.

# need_packages COMMAND=PACKAGE...: installs the packages whose commands are missing
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { echo "missing: ${missing[*]} (expected: installed, or apt-get to install them)" >&2; return 1; }
  [ "$(id -u)" -eq 0 ] || { echo "missing: ${missing[*]} (expected: installed; as root they would be installed now)" >&2; return 1; }
  echo "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

need_build_tools() {
  local headers=gcc=gcc
  [ -e /usr/include/stdio.h ] || headers=no-c-headers=libc6-dev   # gcc only recommends them
  need_packages javac=openjdk-17-jdk-headless mvn=maven gcc=gcc "$headers" make=make curl=curl jq=jq || return 1
  local version
  version=$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')
  if [ "${version:-0}" -lt 17 ]; then
    echo "javac $version is too old (expected: 17 to 25)" >&2
    return 1
  fi
}
