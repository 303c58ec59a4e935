// Random numbers of the model test: the same on every platform, and cheap to start, since each operation has
// its own seed.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>

namespace vecstore::model {

/// SplitMix64 (Steele, Lea, Flood 2014).
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t operator()() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return (*this)() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }
  double real() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }
  template <class T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace vecstore::model
