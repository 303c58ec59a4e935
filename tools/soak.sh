#!/usr/bin/env bash
# All tests with other seeds and longer scripts than `make test` has time for, until the time is over or a test fails.
#   tools/soak.sh [MINUTES] [COMMITS] [CTEST OPTIONS]     (60 minutes, 120 commits per scenario of durability)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
minutes=${1:-60}
export VECSTORE_DURABILITY_COMMITS=${2:-120}
export VECSTORE_DURABILITY_STRIDE=1

cmake --preset minimal
cmake --build --preset minimal
until=$((SECONDS + 60 * minutes))
for ((seed = ${VECSTORE_TEST_SEED:-1000}; SECONDS < until; ++seed)); do
  echo "seed $seed"
  VECSTORE_TEST_SEED=$seed ctest --test-dir build/minimal -j "$(nproc)" --output-on-failure --progress "${@:3}"
done
