#include "text_corpus.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <random>
#include <stdexcept>
#include <unordered_map>

#include "cli/json_rows.hpp"
#include "index/corpus_stats.hpp"

namespace vecstore::bench {
namespace {

constexpr std::array kFrequent = {"the",  "of",  "and",  "to",   "a",     "in",  "is",   "that",
                                  "for",  "it",  "as",   "with", "be",    "on",  "by",   "not",
                                  "this", "are", "from", "or",   "which", "at",  "have", "an",
                                  "was",  "but", "all",  "can",  "if",    "they"};
constexpr std::size_t kMadeWords = 40'000;
constexpr std::size_t kQueryWords = 16;

/// Draws words: the r-th most frequent with a share of 1 / r.
class Words {
 public:
  Words() {
    constexpr std::array kSyllables = {"ba", "ce", "di", "fo",  "gu",   "ha",  "ki",  "lo",
                                       "mu", "ne", "pi", "ra",  "so",   "tu",  "ve",  "wi",
                                       "xa", "yo", "zu", "qua", "stra", "ble", "kor", "ment"};
    for (std::size_t i = 0; i < kMadeWords; ++i) {
      std::string word;
      for (std::size_t n = i + kSyllables.size(); n > 0; n /= kSyllables.size())
        word += kSyllables[n % kSyllables.size()];
      made_.push_back(std::move(word));
    }
    double sum = 0;
    for (std::size_t r = 1; r <= kMadeWords; ++r) shares_.push_back(sum += 1.0 / static_cast<double>(r));
  }
  std::string next(std::mt19937_64& random) {
    const double at = std::ldexp(static_cast<double>(random() >> 11), -53);
    if (random() % 2 == 0) {
      const double rank = std::pow(static_cast<double>(kFrequent.size()), at) - 1;
      return kFrequent[std::min(static_cast<std::size_t>(rank), kFrequent.size() - 1)];
    }
    const auto found = std::lower_bound(shares_.begin(), shares_.end(), at * shares_.back());
    return made_[static_cast<std::size_t>(std::min<std::ptrdiff_t>(found - shares_.begin(), kMadeWords - 1))];
  }

 private:
  std::vector<std::string> made_;
  std::vector<double> shares_;
};

std::string quoted(std::string_view words) {
  std::string out = "\"";
  for (const char c : words) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::vector<std::string> read_texts(const std::string& path, std::size_t most) {
  std::vector<std::string> out;
  cli::JsonRows rows(path);
  for (Record record; out.size() < most && rows.next(record);) out.push_back(std::move(record.text));
  if (out.empty()) throw std::runtime_error(path + " has no texts");
  return out;
}

TextCorpus make_corpus(std::size_t count, std::size_t queries) {
  TextCorpus out;
  Words words;
  std::mt19937_64 random(20240229);
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (std::size_t left = 20 + random() % 81; left > 0; --left)
      (text += words.next(random)) += left > 1 ? ' ' : '.';
    out.texts.push_back(std::move(text));
  }
  for (std::size_t i = 0; i < queries; ++i) {
    std::string text;
    if (i % 2 == 0) {
      const std::string& source = out.texts[random() % count];
      std::size_t end = 0;
      for (std::size_t w = 0; w < kQueryWords && end != std::string::npos; ++w)
        end = source.find(' ', end + 1);
      text = source.substr(0, end);
    } else {
      for (std::size_t w = 0; w < kQueryWords; ++w) (text += words.next(random)) += ' ';
    }
    out.queries.push_back(std::move(text));
  }
  return out;
}

TextField measured_field(bool stop_words_kept) {
  TextField field;
  if (stop_words_kept) field.analysis.stop_words.emplace();
  return field;
}

Asked ask_for(text::Analyzer& analyzer, const std::string& query, std::string_view op, std::size_t words) {
  Asked out;
  std::size_t begin = 0, end = 0;
  std::string all;
  auto stream = analyzer.stream(query);
  for (text::Token token; out.terms.size() < words && stream.next(token);) {
    if (out.terms.empty()) begin = token.start_byte;
    end = token.end_byte;
    out.terms.emplace_back(token.term);
    all += (all.empty() ? "+" : " +") +
           quoted(std::string_view(query).substr(token.start_byte, end - token.start_byte));
  }
  if (out.terms.empty() || (out.terms.size() < words && words <= 4)) return {};
  const std::string_view text = std::string_view(query).substr(begin, end - begin);
  out.text = op == "or" ? std::string(text) : op == "and" ? all : quoted(text);
  return out;
}

void dump_terms(const std::filesystem::path& folder, const TextCorpus& corpus, bool stop_words_kept) {
  const TextField field = measured_field(stop_words_kept);
  text::Analyzer analyzer(text::make_analyzer_spec(field.analyzer, field.analysis));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::vector<std::string>& texts) {
    std::ofstream out(folder / name);
    for (const std::string& text : texts) {
      std::uint32_t position = 0;
      analyzer.analyze(text, [&](const text::Token& token) {
        for (; position < token.position; ++position) out << "_ ";
        out << token.term << ' ';
        ++position;
      });
      out << '\n';
      analyzer.trim();
    }
    out.close();
    if (!out) throw std::runtime_error("cannot write " + (folder / name).string());
  };
  write("terms.txt", corpus.texts);
  write("queries.txt", corpus.queries);
}

std::vector<std::vector<double>> score_all(const TextCorpus& corpus, const TextField& field,
                                           const std::vector<Asked>& queries) {
  text::Analyzer analyzer(text::make_analyzer_spec(field.analyzer, field.analysis));
  std::unordered_map<std::string, std::size_t> numbers;
  for (const Asked& q : queries)
    for (const std::string& term : q.terms) numbers.try_emplace(term, numbers.size());
  std::vector<std::vector<std::pair<std::uint32_t, double>>> postings(numbers.size());  // text, times
  std::vector<double> lengths;
  double total = 0, documents = 0;
  for (std::uint32_t i = 0; i < corpus.texts.size(); ++i) {
    double length = 0;
    analyzer.analyze(corpus.texts[i], [&](const text::Token& token) {
      ++length;
      const auto known = numbers.find(std::string(token.term));
      if (known == numbers.end()) return;
      auto& list = postings[known->second];
      if (list.empty() || list.back().first != i) list.emplace_back(i, 0);
      ++list.back().second;
    });
    analyzer.trim();
    lengths.push_back(length);
    total += length;
    documents += !corpus.texts[i].empty();
  }
  const Bm25 bm25;
  std::vector<std::vector<double>> out;
  for (const Asked& q : queries) {
    auto& scores = out.emplace_back(corpus.texts.size());
    for (const std::string& term : q.terms) {
      const auto& list = postings[numbers.at(term)];
      const auto df = static_cast<double>(list.size());
      const double idf = std::log(1 + (documents - df + 0.5) / (df + 0.5));
      for (const auto& [i, times] : list) {
        const double norm = bm25.k1 * (1 - bm25.b + bm25.b * lengths[i] / (total / documents));
        scores[i] += idf * times / (times + norm);
      }
    }
  }
  return out;
}

}  // namespace vecstore::bench
