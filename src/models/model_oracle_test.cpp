// The real model against the reference: golden texts, tokens and vectors (ONNX Runtime, float32), and the
// dump that tools/oracle/embed_oracle.py compares in full. Both need the model: they say so and skip without
// it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "models/json.hpp"
#include "models/text_encoder.hpp"
#include "vecstore/models.hpp"

namespace vecstore::models {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

struct Row {
  std::string text;
  std::vector<std::int32_t> ids;
};

std::vector<Row> read_rows(const fs::path& file) {
  std::vector<Row> rows;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const JsonDocument document(line, file.string());
    Row row{document.root().get("text").as_string().value(), {}};
    document.root().get("ids").each(
        [&](const Json& id) { row.ids.push_back(static_cast<std::int32_t>(*id.as_unsigned())); });
    rows.push_back(std::move(row));
  }
  return rows;
}

float from_half(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const float value = exponent == 0 ? std::ldexp(static_cast<float>(h & 1023), -24)
                                    : std::ldexp(static_cast<float>(1024 + (h & 1023)), exponent - 25);
  return (h & 0x8000) != 0 ? -value : value;
}

// The values of a little-endian float16 .npy file of version 1.
std::vector<float> read_npy_f16(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_GT(bytes.size(), 10u);
  std::vector<float> out;
  for (std::size_t at = 10 + bytes[8] + 256u * bytes[9]; at + 1 < bytes.size(); at += 2) {
    out.push_back(from_half(static_cast<std::uint16_t>(bytes[at] | bytes[at + 1] << 8)));
  }
  return out;
}

double cosine(const float* a, const float* b, std::size_t n) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

bool have_model() {
  try {
    if (!environment("VECSTORE_MODELS").empty()) {
      models::read_model_folder(fs::path(environment("VECSTORE_MODELS")) / "all-MiniLM-L6-v2");
      return true;
    }
  } catch (const Error&) {
  }
  std::cout << "skipped: VECSTORE_MODELS names no folder that holds all-MiniLM-L6-v2\n";
  return false;
}

TEST(ModelOracle, GoldenTextsHaveTheReferencesTokensAndVectors) {
  if (!have_model()) GTEST_SKIP();
  const fs::path data = fs::path(VECSTORE_SOURCE_DIR) / "tests/data/models";
  const std::vector<Row> rows = read_rows(data / "minilm_golden.jsonl");
  const std::vector<float> expected = read_npy_f16(data / "minilm_golden.npy");
  const fs::path folder = fs::path(environment("VECSTORE_MODELS")) / "all-MiniLM-L6-v2";
  ASSERT_GE(rows.size(), 40u);
  ASSERT_EQ(expected.size(), rows.size() * 384);
  std::vector<std::string_view> texts;
  for (const Row& row : rows) texts.push_back(row.text);
  std::vector<float> vectors(expected.size());
  for (const Kernels* kernels : supported_kernels()) {
    const TextEncoder encoder(folder, *kernels, 2);
    EXPECT_EQ(encoder.fingerprint(), "bert1-d7c4f7c3782b9a4ad1343141305f5c62");
    EXPECT_EQ(encoder.max_seq_length(), 256u);
    encoder.embed(texts, vectors);
    const double least = kernels->step == 1 ? 0.99999 : 0.9995;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<std::int32_t> ids;
      encoder.tokenizer().encode(rows[i].text, 256, ids);
      EXPECT_EQ(ids, rows[i].ids) << rows[i].text;
      EXPECT_GE(cosine(&vectors[i * 384], &expected[i * 384], 384), least)
          << kernels->name << ": " << rows[i].text;
    }
  }
}

TEST(ModelOracle, LoadsByNameAndRanksSentences) {
  if (!have_model()) GTEST_SKIP();
  const SentenceTransformer model = SentenceTransformer::load("all-MiniLM-L6-v2");
  EXPECT_EQ(model.name(), "all-MiniLM-L6-v2");
  EXPECT_EQ(model.dimension(), 384u);
  const auto query = model.embed("Who owns a value in Rust?");
  const auto near = model.embed("Ownership moves values in the Rust language.");
  const auto far = model.embed("The cake needs forty minutes in the oven.");
  EXPECT_GT(cosine(query.data(), near.data(), 384), cosine(query.data(), far.data(), 384) + 0.3);
}

TEST(ModelOracle, Dump) {
  const fs::path out = environment("VECSTORE_ORACLE_OUT");
  if (out.empty()) {
    std::cout << "skipped: runs for tools/oracle/embed_oracle.py only\n";
    GTEST_SKIP();
  }
  const std::string precision = environment("VECSTORE_ORACLE_PRECISION");
  const std::vector<Row> rows = read_rows(environment("VECSTORE_ORACLE_TEXTS"));
  const fs::path folder = environment("VECSTORE_ORACLE_MODEL");
  const WordPiece tokenizer(read_tokenizer(folder));
  std::ofstream lengths(out / "lengths.i32", std::ios::binary);
  std::ofstream flat(out / "ids.i32", std::ios::binary);
  std::vector<std::string_view> texts;
  for (const Row& row : rows) {
    std::vector<std::int32_t> ids;
    tokenizer.encode(row.text, 1u << 30, ids);
    const auto length = static_cast<std::int32_t>(ids.size());
    lengths.write(reinterpret_cast<const char*>(&length), sizeof length);
    flat.write(reinterpret_cast<const char*>(ids.data()),
               static_cast<std::streamsize>(ids.size() * sizeof ids[0]));
    texts.push_back(row.text);
  }
  if (precision.empty()) return;
  const TextEncoder encoder(folder, choose_kernels(precision == "fast"), 0);
  std::vector<float> vectors(texts.size() * encoder.dimension());
  encoder.embed(texts, vectors);
  std::ofstream(out / "vectors.f32", std::ios::binary)
      .write(reinterpret_cast<const char*>(vectors.data()),
             static_cast<std::streamsize>(vectors.size() * sizeof(float)));
}

}  // namespace
}  // namespace vecstore::models
