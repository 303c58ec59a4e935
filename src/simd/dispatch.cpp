// Chooses the kernel table.
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "simd/kernels.hpp"

namespace vecstore::simd {

namespace {

constexpr Isa kAll[] = {Isa::kAvx512, Isa::kAvx2, Isa::kScalar};  // best first

const Kernels& resolve() {
  const char* wish = std::getenv("VECSTORE_SIMD");
  if (wish && std::string_view(wish) == "amx")
    wish = "avx512";  // tiles serve the models; here it means the rest
  for (Isa isa : kAll) {
    const Kernels* table = kernels_for(isa);
    if (!wish || !*wish) {
      if (table) return *table;
    } else if (std::string_view(wish) == to_string(isa)) {
      if (table) return *table;
      invalid("VECSTORE_SIMD is '", wish, "', which this CPU or this build does not support");
    }
  }
  invalid("VECSTORE_SIMD is '", wish, "'; known are scalar, avx2, avx512, amx");
}

}  // namespace

const Kernels* kernels_for(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return &kScalarKernels;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                     __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")
                 ? &kAvx2Kernels
                 : nullptr;
    case Isa::kAvx512:
      return kernels_for(Isa::kAvx2) && __builtin_cpu_supports("avx512f") &&
                     __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")
                 ? &kAvx512Kernels
                 : nullptr;
#else
    default:
      break;
#endif
  }
  return nullptr;
}

const Kernels& kernels() {
  static const Kernels& table = resolve();
  return table;
}

Isa active_isa() { return kernels().isa; }

const char* to_string(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "unknown";
}

}  // namespace vecstore::simd
