#!/usr/bin/env bash
# Prepares a Debian 12 machine for building: packages, a Python environment, LMDB's sources, the test model. May be run at
# any time; does nothing, quickly, when nothing is missing. What is fetched lies under build/ and is checked by SHA-256.
#
#   tools/setup.sh          everything that build and test need
#   tools/setup.sh clang    clang and clang-tidy as well (make tidy, preset fuzz)
#   tools/setup.sh --no-model   without the test model (about 90 MB)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
  g++ cmake ninja-build ccache pkg-config patch clang-format-19 python3-venv strace
  liblmdb-dev libutf8proc-dev libstemmer-dev libsimdjson-dev libzstd-dev libroaring-dev
  libcli11-dev libgumbo-dev zlib1g-dev
  libgtest-dev librapidcheck-dev
)
tools=(g++ cmake ninja ccache pkg-config patch clang-format-19 strace)
model=yes
for argument in "$@"; do
  case "$argument" in
    clang)
      packages+=(clang-19 clang-tidy-19)
      tools+=(clang++-19 clang-tidy-19)
      ;;
    --no-model) model=no ;;
    *)
      echo "setup: unknown argument '$argument'" >&2
      exit 2
      ;;
  esac
done

stamp=build/.setup-$(printf '%s\n' "$@" | cksum | cut -d' ' -f1)
key=$({ printf '%s\n' "${packages[@]}"; cat tools/setup.sh tools/fetch_lmdb.sh tools/fetch_model.sh; } | sha256sum | cut -d' ' -f1)

complete() {
  local tool
  for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || return 1; done
  [ -x build/venv/bin/python ] && [ -f build/deps/lmdb/mdb.c ] || return 1
  [ "$model" = no ] || [ -f build/models/all-MiniLM-L6-v2/model.safetensors ]
}

if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && complete; then exit 0; fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
  local missing=() package root=()
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "setup: these packages are missing, and there is no sudo to install them: ${missing[*]}" >&2
      exit 1
    fi
    root=(sudo)
  fi
  echo "setup: installing ${missing[*]}"
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}"
}

make_venv() {
  # A venv breaks when the interpreter that made it goes away: then it is made anew.
  if build/venv/bin/python -c 'import pip' 2>/dev/null; then return; fi
  local python
  for python in python3 /usr/bin/python3; do
    rm -rf build/venv
    if "$python" -m venv build/venv >/dev/null 2>&1 && build/venv/bin/python -c 'import pip'; then return; fi
  done
  echo "setup: no python3 on this machine can make a virtual environment" >&2
  exit 1
}

mkdir -p build
if command -v dpkg-query >/dev/null; then
  install_packages
else
  echo "setup: not a Debian system; these packages or their equals have to be there: ${packages[*]}"
fi
make_venv
tools/fetch_lmdb.sh
[ "$model" = no ] || tools/fetch_model.sh
complete || { echo "setup: something is still missing (tools: ${tools[*]})" >&2; exit 1; }
printf '%s\n' "$key" >"$stamp"
