#!/usr/bin/env bash
# Checks the format of all C and C++ sources; with --fix, rewrites them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(--dry-run -Werror)
[ "${1-}" != --fix ] || mode=(-i)
folders=()
for folder in include src apps examples tests bench fuzz bindings; do [ ! -d $folder ] || folders+=($folder); done
find "${folders[@]}" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' \) -print0 |
  xargs -0 -r -P "$(nproc)" -n 32 clang-format-19 "${mode[@]}"
