// Folders: what is read, where it is looked for, and how damaged ones are refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/error.hpp"
#include "models/model_folder.hpp"
#include "models/safetensors.hpp"
#include "models/text_encoder.hpp"
#include "models/tiny_model_for_tests.hpp"
#include "vecstore/models.hpp"

namespace vecstore::models {
namespace {

namespace fs = std::filesystem;

BertConfig tiny() {
  BertConfig c;
  c.hidden = 32;
  c.inner = 48;
  c.layers = 2;
  c.heads = 2;
  c.vocabulary = 12;
  c.positions = 20;
  c.types = 2;
  return c;
}

class ModelFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() / ("vecstore-models-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    folder_ = root_ / "tiny";
    model_.write_folder(folder_);
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, std::string_view content) {
    TinyModel::write_file(folder_ / name, content);
  }
  std::string read(const std::string& name) {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& name, const std::string& from, const std::string& to) {
    std::string text = read(name);
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
    write(name, text);
  }
  // Loads and expects an error of the code whose message has the words.
  void expect_error(ErrorCode code, std::string_view words) {
    try {
      SentenceTransformer::load(folder_.string());
      ADD_FAILURE() << "loaded; expected: " << words;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code) << e.what();
      EXPECT_NE(std::string_view(e.what()).find(words), std::string_view::npos) << e.what();
    }
  }

  TinyModel model_{tiny(), 21};
  fs::path root_;
  fs::path folder_;
};

TEST_F(ModelFolderTest, EmbedsAsThePlainForwardPass) {
  const auto model = SentenceTransformer::load(folder_.string(), {.precision = Precision::kF32});
  EXPECT_EQ(model.dimension(), 32u);
  EXPECT_EQ(model.max_seq_length(), 16u);
  EXPECT_EQ(model.name(), fs::weakly_canonical(folder_).string());
  EXPECT_EQ(model.count_tokens("ab c a"), 5u);
  const std::vector<std::int32_t> ids = {2, 8, 7, 5, 3};
  const std::vector<double> states = model_.forward(ids);
  std::vector<double> mean(32, 0.0);
  for (std::size_t i = 0; i < states.size(); ++i) mean[i % 32] += states[i] / 5;
  double square = 0;
  for (const double v : mean) square += v * v;
  const std::vector<float> vector = model.embed("ab c a");
  for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(vector[i], mean[i] / std::sqrt(square), 1e-5);
}

TEST_F(ModelFolderTest, BatchesEqualSingleTextsAndLongTextsAreCut) {
  const auto model = SentenceTransformer::load(folder_.string());
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 200; ++i) texts.push_back(std::string(i, "abc \n"[i % 5]) + " a b");
  std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto rows = model.embed_batch(views);
  ASSERT_EQ(rows.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); i += 13) EXPECT_EQ(rows[i], model.embed(texts[i])) << i;
  EXPECT_TRUE(model.embed_batch({}).empty());
  std::string longer = "a";
  for (int i = 0; i < 13; ++i) longer += " a";
  EXPECT_EQ(model.embed(longer), model.embed(longer + " b b b c"))
      << "14 tokens fit between the special ones";
  EXPECT_NE(model.embed(longer), model.embed("b" + longer.substr(1)));
  std::vector<float> small(31);
  EXPECT_THROW(model.embed_batch(std::span(views).first(1), small), Error);
}

TEST_F(ModelFolderTest, FirstTokenPoolingAndNoNormalisation) {
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
  write("modules.json", R"([{"type":"a.Transformer","path":""},{"type":"a.Pooling","path":"1_Pooling"}])");
  const auto model = SentenceTransformer::load(folder_.string(), {.precision = Precision::kF32});
  const std::vector<double> states = model_.forward(std::vector<std::int32_t>{2, 5, 3});
  const std::vector<float> vector = model.embed("a");
  for (std::size_t i = 0; i < 32; ++i) EXPECT_NEAR(vector[i], states[i], 1e-4);
}

TEST_F(ModelFolderTest, FingerprintFollowsContentNotPlaceOrPrecision) {
  const std::string original = SentenceTransformer::load(folder_.string()).fingerprint();
  EXPECT_EQ(original.size(), 6 + 32u);
  EXPECT_EQ(SentenceTransformer::load(folder_.string(), {.precision = Precision::kF32}).fingerprint(),
            original);
  const fs::path copy = root_ / "copy";
  fs::copy(folder_, copy, fs::copy_options::recursive);
  EXPECT_EQ(SentenceTransformer::load(copy.string()).fingerprint(), original);
  std::vector<std::string> seen = {original};
  const auto changed = [&](const std::function<void()>& change) {
    fs::remove_all(folder_);
    fs::copy(copy, folder_, fs::copy_options::recursive);
    change();
    seen.push_back(SentenceTransformer::load(folder_.string()).fingerprint());
  };
  changed([&] { replace("sentence_bert_config.json", "16", "15"); });
  changed([&] { replace("vocab.txt", "ab\n", "bb\n"); });
  changed([&] { replace("config.json", "gelu", "relu"); });
  changed([&] { replace("config.json", "\"num_attention_heads\":2", "\"num_attention_heads\":4"); });
  changed([&] {
    replace("1_Pooling/config.json", R"("pooling_mode_mean_tokens":true,"pooling_mode_cls_token":false)",
            R"("pooling_mode_cls_token":true)");
  });
  changed([&] {
    std::string bytes = read("model.safetensors");
    bytes[bytes.size() - 4] = static_cast<char>(bytes[bytes.size() - 4] ^ 1);
    write("model.safetensors", bytes);
  });
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
}

TEST_F(ModelFolderTest, SearchOrderAndMissingModels) {
  const auto keep = [](const char* name) {
    return std::string(std::getenv(name) == nullptr ? "" : std::getenv(name));
  };
  const std::string models = keep("VECSTORE_MODELS");
  const std::string cache = keep("XDG_CACHE_HOME");
  setenv("VECSTORE_MODELS", (root_ / "nothing").c_str(), 1);
  setenv("XDG_CACHE_HOME", (root_ / "cache").c_str(), 1);
  const std::vector<std::string> dirs = {(root_ / "empty").string(), root_.string()};
  EXPECT_EQ(SentenceTransformer::load("tiny", {.search_dirs = dirs}).name(), "tiny");
  EXPECT_EQ(load_embedder("tiny", dirs).dimension(), 32u);
  EXPECT_EQ(load_embedder((root_ / "gone" / "tiny").string(), dirs).name(), "tiny")
      << "a path that is gone: its last part";
  try {
    SentenceTransformer::load("tiny");
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
    for (const fs::path& place :
         {fs::current_path() / "tiny", root_ / "nothing/tiny", root_ / "cache/vecstore/models/tiny"}) {
      EXPECT_NE(std::string_view(e.what()).find(place.string()), std::string_view::npos) << e.what();
    }
  }
  EXPECT_THROW(SentenceTransformer::load("../tiny", {.search_dirs = {folder_.string()}}), Error);
  EXPECT_THROW(SentenceTransformer::load("..", {.search_dirs = {(folder_ / "1_Pooling").string()}}), Error);
  EXPECT_THROW(SentenceTransformer::load(""), Error);
  EXPECT_THROW(SentenceTransformer::load(std::string_view("tiny\0x", 6)), Error);
  setenv("VECSTORE_MODELS", ((root_ / "nothing").string() + "::" + root_.string()).c_str(), 1);
  EXPECT_EQ(SentenceTransformer::load("tiny").name(), "tiny");
  setenv("VECSTORE_MODELS", models.c_str(), 1);
  setenv("XDG_CACHE_HOME", cache.c_str(), 1);
}

TEST_F(ModelFolderTest, RefusesConfigurationsThatItCannotCompute) {
  const auto each = [&](const std::string& file, const std::string& from, const std::string& to,
                        ErrorCode code, std::string_view words) {
    SCOPED_TRACE(file + ": " + to);
    const std::string before = read(file);
    replace(file, from, to);
    expect_error(code, words);
    write(file, before);
  };
  const auto corrupt = ErrorCode::kCorruption;
  const auto unsupported = ErrorCode::kUnsupportedFormat;
  each("config.json", "\"bert\"", "\"t5\"", unsupported, "model_type is \"t5\"");
  each("config.json", "gelu", "swish", unsupported, "hidden_act is \"swish\"");
  each("config.json", "\"hidden_size\":32", "\"hidden_size\":33", corrupt, "not a multiple");
  each("config.json", "\"hidden_size\":32", "\"hidden_size\":-1", corrupt,
       "hidden_size must be an integer within");
  each("config.json", "\"hidden_size\":32", "\"hidden_size\":1e9", corrupt, "hidden_size");
  each("config.json", "\"hidden_size\":32", "\"hidden_size\":64", corrupt,
       "has the shape [12, 32], the configuration needs [12, 64]");
  each("config.json", "\"num_hidden_layers\":2", "\"num_hidden_layers\":3", corrupt, "encoder.layer.2");
  each("config.json", "\"num_hidden_layers\":2", "\"other\":2", corrupt, "num_hidden_layers is missing");
  each("config.json", "\"vocab_size\":12", "\"vocab_size\":11", corrupt, "the tokenizer has the id 11");
  each("config.json", "{", "{{", corrupt, "not valid JSON");
  each("modules.json", "2_Normalize\"}", "2_Normalize\"},{\"type\":\"x.Dense\",\"path\":\"3\"}", unsupported,
       "x.Dense");
  each("modules.json", "1_Pooling", "../1_Pooling", corrupt, "leads out of the folder");
  each("modules.json", "1_Pooling", "/1_Pooling", corrupt, "leads out of the folder");
  each("modules.json", "1_Pooling", "9_Pooling", ErrorCode::kNotFound, "9_Pooling");
  each("1_Pooling/config.json", "pooling_mode_mean_tokens", "pooling_mode_max_tokens", unsupported,
       "pooling_mode_max_tokens");
  each("sentence_bert_config.json", "16", "2", corrupt, "max_seq_length");
  each("vocab.txt", "[SEP]", "[sep]", corrupt, "\"[SEP]\" is missing");
  fs::remove(folder_ / "model.safetensors");
  expect_error(ErrorCode::kNotFound, "model.safetensors");
}

TEST_F(ModelFolderTest, ReadsTokenizerJson) {
  write(
      "tokenizer.json",
      R"({"added_tokens":[{"id":3,"content":"[SEP]","single_word":false,"normalized":false}],)"
      R"("normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":false},)"
      R"("pre_tokenizer":{"type":"BertPreTokenizer"},)"
      R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"[SEP]","type_id":0}}]},)"
      R"("model":{"type":"WordPiece","unk_token":"[UNK]","max_input_chars_per_word":7,)"
      R"("vocab":{"[UNK]":1,"[CLS]":2,"[SEP]":3,"a":9}}})");
  const WordPieceConfig c = read_tokenizer(folder_);
  EXPECT_EQ(c.vocabulary.at(9), "a");
  EXPECT_EQ(c.max_word, 7u);
  EXPECT_FALSE(c.lowercase);
  EXPECT_FALSE(c.strip_accents) << "follows lowercase";
  ASSERT_EQ(c.added.size(), 1u);
  const auto each = [&](const std::string& from, const std::string& to, ErrorCode code,
                        std::string_view words) {
    const std::string before = read("tokenizer.json");
    replace("tokenizer.json", from, to);
    expect_error(code, words);
    write("tokenizer.json", before);
  };
  each("WordPiece", "BPE", ErrorCode::kUnsupportedFormat, "model.type is \"BPE\"");
  each("BertNormalizer", "NFC", ErrorCode::kUnsupportedFormat, "normalizer.type");
  each("BertPreTokenizer", "ByteLevel", ErrorCode::kUnsupportedFormat, "pre_tokenizer.type");
  each("\"a\":9", "\"a\":-9", ErrorCode::kCorruption, "the id of \"a\"");
  each("\"a\":9", "\"a\":99999999999", ErrorCode::kCorruption, "the id of \"a\"");
  each("\"a\":9", "\"a\":3", ErrorCode::kCorruption, "given twice");
  each("\"single_word\":false", "\"single_word\":true", ErrorCode::kUnsupportedFormat, "single_word");
  each("\"a\":9", "\"a\":12", ErrorCode::kCorruption, "the tokenizer has the id 12");
}

std::string with_header(std::string_view header, std::string_view data = "") {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i));
  return out.append(header).append(data);
}

TEST_F(ModelFolderTest, SafetensorsReadsTypes) {
  const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x3c\x01\x00\x00\xfc\x80\x3f\x00\xc0", 18);
  write(
      "t",
      with_header(
          R"({"__metadata__":{"a":"b"},"f":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
          R"("h":{"dtype":"F16","shape":[3,1],"data_offsets":[8,14]},)"
          R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[14,18]},)"
          R"("i":{"dtype":"I16","shape":[],"data_offsets":[0,2]},"z":{"dtype":"F32","shape":[0,5],"data_offsets":[18,18]}})",
          data));
  Safetensors file(folder_ / "t");
  EXPECT_EQ(file.floats("f", std::array<std::size_t, 1>{2}), (std::vector<float>{1, -2}));
  EXPECT_EQ(file.floats("h", std::array<std::size_t, 2>{3, 1}), (std::vector<float>{1, 0x1p-24f, -INFINITY}));
  EXPECT_EQ(file.floats("b", std::array<std::size_t, 1>{2}), (std::vector<float>{1, -2}));
  EXPECT_TRUE(file.floats("z", std::array<std::size_t, 2>{0, 5}).empty());
  EXPECT_THROW(file.floats("i", {}), Error);
  EXPECT_THROW(file.floats("none", {}), Error);
  EXPECT_THROW(file.floats("f", std::array<std::size_t, 2>{2, 1}), Error);
  fs::resize_file(folder_ / "t", fs::file_size(folder_ / "t") - 10);
  EXPECT_THROW(file.floats("b", std::array<std::size_t, 1>{2}), Error) << "shortened after it was opened";
}

TEST_F(ModelFolderTest, SafetensorsRefusesDamage) {
  const auto tensor = [](const char* rest) {
    return with_header(std::string(R"({"t":{)") + rest + "}}", "01234567");
  };
  const std::string bad[] = {
      "",
      "1234567",
      std::string(8, '\xff'),
      std::string("\x09\0\0\0\0\0\0\0{}", 10),
      with_header("[]"),
      with_header("{"),
      with_header(R"({"t":1})"),
      tensor(R"("shape":[2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[2])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,8])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[1,9])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"),
      tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615])"),
      tensor(R"("dtype":7,"shape":[2],"data_offsets":[0,8])"),
      with_header(
          R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          "0")};
  for (const std::string& content : bad) {
    write("bad", content);
    try {
      Safetensors file(folder_ / "bad");
      ADD_FAILURE() << "accepted: " << content;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kCorruption) << e.what();
    }
  }
}

TEST_F(ModelFolderTest, WeightsThatAreNotFiniteAreRefused) {
  std::string bytes = read("model.safetensors");
  const std::uint32_t nan = 0x7fc00000;
  std::memcpy(bytes.data() + bytes.size() - 4, &nan, 4);
  write("model.safetensors", bytes);
  expect_error(ErrorCode::kCorruption, "not finite");
}

// Cuts and flips: whatever happens to the header's bytes is an Error or a model, never a crash.
TEST_F(ModelFolderTest, RandomDamageOfTheWeightsNeverCrashes) {
  const std::string good = read("model.safetensors");
  std::mt19937 random(77);
  for (int round = 0; round < 150; ++round) {
    std::string bytes = good;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      bytes[random() % 3000] ^= static_cast<char>(1u << random() % 8);
    }
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    write("model.safetensors", bytes);
    try {
      SentenceTransformer::load(folder_.string()).embed("a b c");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace vecstore::models
