// AMX: 32 x 32 blocks of bfloat16 products on the processor's tile unit.
#if defined(__GNUC__) && !defined(__clang__)
// The compiler's own AVX-512 intrinsics pass a deliberately undefined vector.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "models/amx_impl.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include "base/os_amx.hpp"
#include "models/kernels_bf16_impl.hpp"
#endif

namespace vecstore::models {
#if defined(__x86_64__)
namespace {

// Tiles 0 to 3 are the accumulators, 4 and 5 the left matrix, 6 and 7 the right one.
struct HardwareTiles {
  // The tile unit's configuration belongs to the thread and is given back when the work is done.
  struct Session {
    Session() {
      struct alignas(64) {
        std::uint8_t palette = 1;
        std::uint8_t start_row = 0;
        std::uint8_t reserved[14] = {};
        std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
      } config;
      static_assert(sizeof config == 64);
      _tile_loadconfig(&config);
    }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  static void zero() {
    zero_upper();
    _tile_zero(2);
    _tile_zero(3);
  }
  static void zero_upper() {
    _tile_zero(0);
    _tile_zero(1);
  }
  static void load_a(const void* upper, const void* lower, size_t stride) {
    _tile_loadd(4, upper, stride);
    _tile_loadd(5, lower, stride);
  }
  static void load_a_upper(const void* upper, size_t stride) { _tile_loadd(4, upper, stride); }
  static void load_b(const void* left, const void* right, size_t stride) {
    _tile_loadd(6, left, stride);
    _tile_loadd(7, right, stride);
  }
  static void multiply() {
    multiply_upper();
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  static void multiply_upper() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  static void store(void* c00, void* c01, void* c10, void* c11, size_t stride) {
    store_upper(c00, c01, stride);
    _tile_stored(2, c10, stride);
    _tile_stored(3, c11, stride);
  }
  static void store_upper(void* c00, void* c01, size_t stride) {
    _tile_stored(0, c00, stride);
    _tile_stored(1, c01, stride);
  }
};

using Hardware = Amx<Bf16Elements, HardwareTiles>;

bool supported() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (!supported_avx512_bf16() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kAmxBf16 = 1u << 22;
  constexpr unsigned kAmxTile = 1u << 24;
  return (d & kAmxBf16) != 0 && (d & kAmxTile) != 0 && os_request_amx();
}

constexpr Kernels kTable{"amx", Hardware::kColumns, Hardware::kStep, supported, encoder_forward<Hardware>};

}  // namespace

const Kernels* const kKernelsAmx = &kTable;
#else
const Kernels* const kKernelsAmx = nullptr;
#endif

}  // namespace vecstore::models
