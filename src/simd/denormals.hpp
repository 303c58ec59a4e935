// Treats subnormal numbers as zero for the life of an object: on many CPUs each one costs a hundred cycles.
// Included by ISA files: everything here has internal linkage.
#pragma once
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace vecstore::simd {
namespace {

#if defined(__x86_64__)
class FlushDenormals {
 public:
  FlushDenormals() : saved_(_mm_getcsr()) {
    if ((saved_ & kBits) != kBits) _mm_setcsr(saved_ | kBits);
  }
  ~FlushDenormals() {
    if ((saved_ & kBits) != kBits) _mm_setcsr(saved_);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned kBits = 0x8040;  // flush to zero, denormals are zero
  unsigned saved_;
};
#else
struct FlushDenormals {
  FlushDenormals() {}
};
#endif

}  // namespace
}  // namespace vecstore::simd
