#!/usr/bin/env bash
# Durability at length: other seeds and longer scripts than `make test` has time for, until the time is over or a test fails.
#   tools/soak.sh [MINUTES] [COMMITS]     (60 minutes, 120 commits per scenario)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-60}
export VECSTORE_DURABILITY_COMMITS=${2:-120}
export VECSTORE_DURABILITY_STRIDE=1

cmake --preset minimal
cmake --build --preset minimal --target durability_test process_test
until=$((SECONDS + 60 * minutes))
for ((seed = ${VECSTORE_DURABILITY_SEED:-1000}; SECONDS < until; ++seed)); do
  echo "seed $seed"
  VECSTORE_DURABILITY_SEED=$seed build/minimal/bin/durability_test --gtest_brief=1
  build/minimal/bin/process_test --gtest_brief=1
done
