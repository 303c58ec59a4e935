// The seed of all tests that make their cases at random.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

namespace vecstore::test {

/// Always the same, so that what has passed passes again: VECSTORE_TEST_SEED=n takes another, `random` a new
/// one each time (`tools/soak.sh` tries many). Printed, for a failure is worth nothing without it.
inline unsigned seed() {
  const char* given = std::getenv("VECSTORE_TEST_SEED");
  unsigned seed = 1;
  if (given && std::string_view(given) == "random") {
    seed = std::random_device{}();
  } else if (given && *given) {
    seed = static_cast<unsigned>(std::strtoul(given, nullptr, 10));
  }
  std::printf("VECSTORE_TEST_SEED=%u\n", seed);
  std::fflush(stdout);
  return seed;
}

}  // namespace vecstore::test
