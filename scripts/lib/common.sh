# shellcheck shell=bash
# What the scripts share: where things are, and how a missing tool is had. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
# Tools, virtual environments and packages fetched for the tests; `cargo clean` takes them away.
cache=${CHANCERY_TEST_CACHE:-$target/test-cache}
export CHANCERY_TEST_CACHE=$cache
PATH=$cache/tools/bin:$PATH
export PATH

# Versions that build with the Rust version in Cargo.toml.
# shellcheck disable=SC2034 # used by who sources this
{
  nextest_version=0.9.143
  deny_version=0.20.2
}

say() { printf '%s\n' "$*"; }
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# apt_install PACKAGE...: installs what dpkg does not know, and says so.
apt_install() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "please install: ${missing[*]} (apt-get install ${missing[*]})"
    as_root=(sudo)
  fi
  say "installing with apt: ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# cargo_tool NAME VERSION: a cargo subcommand, from crates.io where there is none yet.
cargo_tool() {
  command -v "$1" >/dev/null && return 0
  say "installing $1 $2 from crates.io"
  cargo install --quiet --locked "$1" --version "$2" --root "$cache/tools" --target-dir "$cache/tools/build" || return 1
  rm -rf "$cache/tools/build"
}

# python_venv: a virtual environment with what scripts/requirements.txt pins; sets `python`.
python_venv() {
  python=$cache/venv/bin/python
  local stamp=$cache/venv/requirements.txt
  cmp -s "$root/scripts/requirements.txt" "$stamp" && return 0
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$python" -m pip install --quiet --require-virtualenv -r "$root/scripts/requirements.txt"
  cp "$root/scripts/requirements.txt" "$stamp"
}

# postgres_bin: prints the folder of PostgreSQL's server programs, version 15 or later; fails when there is none.
postgres_bin() {
  local initdb version
  for initdb in /usr/lib/postgresql/15/bin/initdb /usr/lib/postgresql/*/bin/initdb "$(command -v initdb || true)"; do
    [[ -x $initdb ]] || continue
    version=$("$initdb" --version | sed -E 's/.* ([0-9]+).*/\1/')
    if ((version >= 15)); then
      dirname "$(readlink -f "$initdb")"
      return 0
    fi
  done
  return 1
}

# postgres_install: PostgreSQL's server programs, from Debian, where there are none yet.
postgres_install() {
  postgres_bin >/dev/null && return 0
  if apt-cache show postgresql-15 >/dev/null 2>&1; then apt_install postgresql-15; else apt_install postgresql; fi
  postgres_bin >/dev/null || die "PostgreSQL 15 or later is needed, and could not be installed"
}
