#include "models/kernels.hpp"

#include <cstdlib>
#include <vector>

#include "base/error.hpp"

namespace vecstore::models {
namespace {

// Rank of an instruction set as VECSTORE_SIMD names it.
int rank_of_name(std::string_view name) {
  if (name == "scalar") return 0;
  if (name == "avx2") return 1;
  if (name == "avx512") return 2;
  if (name == "amx") return 3;
  invalid("VECSTORE_SIMD: \"", name, "\" is not one of scalar, avx2, avx512, amx");
}

int rank_of_table(const Kernels& kernels) {
  return kernels.name == "avx512-bf16" ? 2 : rank_of_name(kernels.name);
}

}  // namespace

std::span<const Kernels* const> supported_kernels() {
  static const std::vector<const Kernels*> tables = [] {
    std::vector<const Kernels*> found;
    for (const Kernels* k : {kKernelsAmx, kKernelsAvx512Bf16, kKernelsAvx512, kKernelsAvx2, kKernelsScalar}) {
      if (k != nullptr && k->supported()) found.push_back(k);
    }
    return found;
  }();
  return tables;
}

const Kernels& choose_kernels(bool allow_bfloat16) {
  const char* wish = std::getenv("VECSTORE_SIMD");
  const std::string_view name = wish == nullptr ? "" : wish;
  const int highest = rank_of_name(name.empty() ? "amx" : name);
  bool known = name.empty();
  for (const Kernels* k : supported_kernels()) known = known || k->name == name;
  if (!known) invalid("VECSTORE_SIMD: this processor or system does not support \"", name, "\"");
  for (const Kernels* k : supported_kernels()) {
    if (rank_of_table(*k) <= highest && (allow_bfloat16 || k->step == 1)) return *k;
  }
  return *kKernelsScalar;
}

}  // namespace vecstore::models
