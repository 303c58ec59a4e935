// count_bits: how many bits are set, by the CPU's instruction where it has one.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vecstore {

namespace detail {
/// With the instruction of SSE4.2, which the caller has made sure of.
std::size_t count_bits_sse42(const std::uint64_t* words, std::size_t size);
}  // namespace detail

std::size_t count_bits(std::span<const std::uint64_t> words);

}  // namespace vecstore
