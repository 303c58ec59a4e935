// vecstore-bench embed: how many passages and tokens per second the native embedder takes on this machine;
// with
// --out also a program that turns a file of passages into a matrix of embeddings.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "bench.hpp"
#include "vecstore/models.hpp"

namespace vecstore::bench {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model = "all-MiniLM-L6-v2";
  std::string texts;
  std::string out;
  std::string precision = "both";
  std::size_t threads = 0;
  double seconds = 30;
};

bool parse(std::span<const std::string> args, Options& o) {
  for (std::size_t i = 0; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return false;
    const std::string& value = args[i + 1];
    if (args[i] == "--model") {
      o.model = value;
    } else if (args[i] == "--texts") {
      o.texts = value;
    } else if (args[i] == "--out") {
      o.out = value;
    } else if (args[i] == "--precision" && (value == "f32" || value == "fast" || value == "both")) {
      o.precision = value;
    } else if (args[i] == "--threads") {
      o.threads = std::strtoul(value.c_str(), nullptr, 10);
    } else if (args[i] == "--seconds" && std::atof(value.c_str()) > 0) {
      o.seconds = std::atof(value.c_str());
    } else {
      return false;
    }
  }
  // One file holds one model's embeddings of one precision, of texts that were given.
  return o.out.empty() || (o.precision != "both" && !o.texts.empty());
}

// The value of the key "text" of a JSON object in one line: enough for files of passages.
std::string text_of_line(std::string_view line) {
  std::size_t at = line.find("\"text\"");
  if (at == std::string_view::npos) return {};
  at = line.find('"', at + 6) + 1;
  std::string out;
  for (; at < line.size() && line[at] != '"'; ++at) {
    if (line[at] != '\\' || at + 1 == line.size()) {
      out += line[at];
    } else if (line[++at] == 'u') {
      out += '?';
      at += 4;
    } else {
      out += line[at] == 'n' || line[at] == 't' || line[at] == 'r' ? ' ' : line[at];
    }
  }
  return out;
}

// Words of one to three syllables with a skewed frequency; lengths as of short passages.
std::vector<std::string> seeded_texts(std::size_t count) {
  static constexpr const char* kSyllables[] = {"ta",  "mor", "lin", "ser", "ve",  "con",
                                               "dex", "pla", "ri",  "to",  "gen", "al"};
  std::mt19937 random(42);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  std::vector<std::string> words;
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (unsigned n = 1 + below(3); n > 0; --n) word += kSyllables[below(12)];
    words.push_back(word);
  }
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    for (unsigned n = 8 + below(40); n > 0; --n) text += words[below(1 + below(3000))] + " ";
  }
  return texts;
}

std::vector<std::string> read_texts(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> texts;
  for (std::string line; std::getline(stream, line);) texts.push_back(text_of_line(line));
  return texts;
}

// A folder with a model of the shape of all-MiniLM-L6-v2 and random weights; removed at the end.
class RandomModel {
 public:
  RandomModel()
      : folder_(fs::temp_directory_path() / ("vecstore-bench-" + std::to_string(std::random_device()()))) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "config.json")
        << R"({"model_type":"bert","hidden_size":384,"intermediate_size":1536,"num_hidden_layers":6,)"
           R"("num_attention_heads":12,"vocab_size":30522,"max_position_embeddings":512,"hidden_act":"gelu"})";
    std::ofstream vocabulary(folder_ / "vocab.txt");
    vocabulary << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
    for (char c = 'a'; c <= 'z'; ++c) {
      for (char d = 'a'; d <= 'z'; ++d) vocabulary << c << d << "\n##" << c << d << "\n";
      vocabulary << c << "\n##" << c << "\n";
    }
    plan();
    write();
  }
  ~RandomModel() {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  std::string path() const { return folder_.string(); }

 private:
  void tensor(const std::string& name, std::size_t rows, std::size_t columns) {
    const std::size_t bytes = rows * (columns == 0 ? 1 : columns) * sizeof(float);
    header_ += (header_.size() > 1 ? ",\"" : "\"") + name + R"(":{"dtype":"F32","shape":[)" +
               std::to_string(rows) + (columns == 0 ? "" : "," + std::to_string(columns)) +
               R"(],"data_offsets":[)" + std::to_string(size_) + "," + std::to_string(size_ + bytes) + "]}";
    size_ += bytes;
  }
  void pair(const std::string& name, std::size_t rows, std::size_t columns) {
    tensor(name + ".weight", rows, columns);
    tensor(name + ".bias", rows, 0);
  }
  void plan() {
    tensor("embeddings.word_embeddings.weight", 30'522, 384);
    tensor("embeddings.position_embeddings.weight", 512, 384);
    tensor("embeddings.token_type_embeddings.weight", 2, 384);
    pair("embeddings.LayerNorm", 384, 0);
    for (int i = 0; i < 6; ++i) {
      const std::string p = "encoder.layer." + std::to_string(i) + ".";
      for (const char* part : {"query", "key", "value"}) pair(p + "attention.self." + part, 384, 384);
      pair(p + "attention.output.dense", 384, 384);
      pair(p + "attention.output.LayerNorm", 384, 0);
      pair(p + "intermediate.dense", 1'536, 384);
      pair(p + "output.dense", 384, 1'536);
      pair(p + "output.LayerNorm", 384, 0);
    }
    header_ += "}";
  }
  void write() const {
    std::ofstream out(folder_ / "model.safetensors", std::ios::binary);
    const std::uint64_t length = header_.size();
    for (int i = 0; i < 8; ++i) out.put(static_cast<char>(length >> (8 * i)));
    out << header_;
    std::mt19937 random(7);
    std::vector<float> block(4096);
    for (std::size_t done = 0; done < size_; done += block.size() * sizeof(float)) {
      for (float& v : block) v = (static_cast<float>(random() % 20'001) - 10'000.0f) * 6e-6f;
      out.write(reinterpret_cast<const char*>(block.data()),
                static_cast<std::streamsize>(std::min(block.size() * sizeof(float), size_ - done)));
    }
  }

  fs::path folder_;
  std::string header_ = "{";
  std::size_t size_ = 0;
};

// A float32 matrix in NumPy's format 1.0, written row block by row block.
class NpyWriter {
 public:
  NpyWriter(const std::string& path, std::size_t rows, std::size_t columns)
      : path_(path), stream_(path, std::ios::binary | std::ios::trunc) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                         std::to_string(columns) + "), }";
    header.resize(117, ' ');
    stream_ << std::string_view("\x93NUMPY\x01\x00\x76\x00", 10) << header << '\n';
  }
  void write(std::span<const float> values) {
    stream_.write(reinterpret_cast<const char*>(values.data()),
                  static_cast<std::streamsize>(values.size_bytes()));
  }
  void close() {
    stream_.close();
    if (!stream_) throw std::runtime_error("cannot write " + path_);
  }

 private:
  std::string path_;
  std::ofstream stream_;
};

void measure(const std::string& shown, const std::string& path, Precision precision, const Options& o,
             const std::vector<std::string>& texts) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const auto load_start = Clock::now();
  const SentenceTransformer model =
      SentenceTransformer::load(path, {.precision = precision, .threads = o.threads});
  const double load_seconds = since(load_start);

  constexpr std::size_t kBatch = 256;
  std::vector<std::string_view> batch;
  std::vector<float> out(kBatch * model.dimension());
  std::optional<NpyWriter> writer;
  if (!o.out.empty()) writer.emplace(o.out, texts.size(), model.dimension());
  std::size_t done = 0;
  const std::clock_t cpu_start = std::clock();
  const auto start = Clock::now();
  while (done < texts.size() && (writer || since(start) < o.seconds)) {
    batch.assign(texts.begin() + static_cast<std::ptrdiff_t>(done),
                 texts.begin() + static_cast<std::ptrdiff_t>(std::min(texts.size(), done + kBatch)));
    const std::span<float> values = std::span(out).first(batch.size() * model.dimension());
    model.embed_batch(batch, values);
    if (writer) writer->write(values);
    done += batch.size();
  }
  if (writer) writer->close();
  const double seconds = since(start);
  // Of all threads: what a busy machine leaves comparable.
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < done; ++i)
    tokens += std::min(model.max_seq_length(), model.count_tokens(texts[i]));
  std::printf(
      "{\"bench\": \"embed\", \"model\": \"%s\", \"precision\": \"%s\", \"kernels\": \"%s\", \"threads\": "
      "%zu, "
      "\"load_seconds\": %.3f, \"passages\": %zu, \"tokens\": %zu, \"seconds\": %.3f, \"cpu_seconds\": %.3f, "
      "\"passages_per_second\": %.1f, \"tokens_per_second\": %.0f}\n",
      shown.c_str(), std::string(to_string(precision)).c_str(), model.kernels().c_str(), o.threads,
      load_seconds, done, tokens, seconds, cpu_seconds, static_cast<double>(done) / seconds,
      static_cast<double>(tokens) / seconds);
  std::fflush(stdout);
}

}  // namespace

int run_embed(std::span<const std::string> args) {
  Options o;
  if (!parse(args, o)) {
    std::fprintf(
        stderr,
        "options: --model NAME --texts FILE.jsonl --threads N --precision f32|fast|both --seconds S\n"
        "         --out FILE.npy   writes the embeddings of all texts; wants --texts and one precision\n");
    return 2;
  }
  const std::vector<std::string> texts = o.texts.empty() ? seeded_texts(20'000) : read_texts(o.texts);
  if (texts.empty()) {
    std::fprintf(stderr, "no texts in %s\n", o.texts.c_str());
    return 1;
  }
  try {
    std::string path = o.model;
    std::unique_ptr<RandomModel> random;
    try {
      SentenceTransformer::load(path);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kNotFound || !o.out.empty()) throw;
      std::fprintf(stderr, "%s\nmeasured with random weights of the same shape instead\n", e.what());
      random = std::make_unique<RandomModel>();
      path = random->path();
    }
    const std::string shown = random ? "random" : fs::path(o.model).filename().string();
    for (const Precision precision : {Precision::kF32, Precision::kFast}) {
      if (o.precision == "both" || o.precision == to_string(precision))
        measure(shown, path, precision, o, texts);
    }
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}

}  // namespace vecstore::bench
