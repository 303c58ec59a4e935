// The terms of a part, sorted by their bytes, and where their postings are.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vecstore::inverted {

struct TermEntry {
  std::uint32_t doc_freq = 0;
  std::uint64_t first_posting = 0;  ///< Postings of all terms before.
  std::uint64_t list_offset = 0;    ///< In the lists section.
  std::uint32_t posting_bytes = 0;
  std::uint64_t position_bytes = 0;  ///< Behind the postings.
};

/// Terms come in ascending order.
class DictionaryWriter {
 public:
  void add(std::string_view term, const TermEntry& entry);
  std::uint32_t terms() const { return terms_; }
  const std::string& bytes() const { return bytes_; }
  std::span<const std::uint64_t> blocks() const { return blocks_; }

 private:
  std::string bytes_, last_;
  std::vector<std::uint64_t> blocks_;
  std::uint32_t terms_ = 0;
};

/// Over the bytes of a file. Damage that the bytes show is kCorruption, with `name` in the message.
class Dictionary {
 public:
  Dictionary() = default;
  Dictionary(std::span<const std::byte> bytes, std::span<const std::uint64_t> blocks, std::uint32_t terms,
             std::string name);

  std::uint32_t size() const { return terms_; }
  std::optional<TermEntry> find(std::string_view term) const;

  /// Walks terms in ascending order.
  class Cursor {
   public:
    /// False at the end.
    bool next();
    std::string_view term() const { return term_; }
    const TermEntry& entry() const { return entry_; }
    /// How many leading bytes the term shares with the one before; 0 at the first.
    std::size_t shared() const { return shared_; }
    /// Leaves out what is easy to leave out of the terms that begin with this one's first `bytes` bytes.
    void skip(std::size_t bytes);

   private:
    friend class Dictionary;
    explicit Cursor(const Dictionary& d) : d_(&d) {}
    void begin_block(std::uint64_t block);
    std::uint64_t number();
    const Dictionary* d_;
    std::uint64_t term_number_ = 0, at_ = 0;
    std::string term_;
    TermEntry entry_;
    std::size_t shared_ = 0;
  };
  Cursor begin() const { return Cursor(*this); }
  /// next() gives the first term >= `term`.
  Cursor seek(std::string_view term) const;

 private:
  std::string_view first_term(std::uint64_t block) const;
  std::uint64_t block_of(std::string_view term) const;
  [[noreturn]] void damaged() const;
  std::span<const std::byte> bytes_;
  std::span<const std::uint64_t> blocks_;
  std::uint32_t terms_ = 0;
  std::string name_;
};

}  // namespace vecstore::inverted
