// tokenizer.json of Hugging Face's tokenizers, or the older vocab.txt, as a WordPieceConfig.
#include <fstream>

#include "base/error.hpp"
#include "models/json.hpp"
#include "models/model_folder.hpp"

namespace vecstore::models {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxId = 10'000'000;

[[noreturn]] void unsupported(const fs::path& file, std::string_view what, const Json& found,
                              std::string_view known) {
  fail(ErrorCode::kUnsupportedFormat, file.string(), ": ", what, " is ",
       found.is_null() || !found.exists() ? "missing" : "\"" + found.as_string().value_or("?") + "\"",
       "; this library computes ", known);
}

void read_normalizer(const fs::path& file, const Json& normalizer, WordPieceConfig& c) {
  if (normalizer.get("type").as_string() != "BertNormalizer") {
    unsupported(file, "normalizer.type", normalizer.get("type"), "BertNormalizer");
  }
  c.clean = normalizer.get("clean_text").as_bool().value_or(true);
  c.split_cjk = normalizer.get("handle_chinese_chars").as_bool().value_or(true);
  c.lowercase = normalizer.get("lowercase").as_bool().value_or(true);
  c.strip_accents = normalizer.get("strip_accents").as_bool().value_or(c.lowercase);
}

// The sequence of a single text must be one token, the text, one token.
void read_template(const fs::path& file, const Json& processor, WordPieceConfig& c) {
  const auto type = processor.get("type").as_string();
  if (type == "BertProcessing") {
    processor.get("cls").each([&](const Json& v) { c.first = v.as_string().value_or(c.first); });
    processor.get("sep").each([&](const Json& v) { c.last = v.as_string().value_or(c.last); });
    return;
  }
  if (type != "TemplateProcessing") {
    unsupported(file, "post_processor.type", processor.get("type"), "TemplateProcessing, BertProcessing");
  }
  std::vector<std::string> parts;
  processor.get("single").each([&](const Json& part) {
    parts.push_back(part.get("SpecialToken").get("id").as_string().value_or(""));
  });
  if (parts.size() != 3 || parts[0].empty() || !parts[1].empty() || parts[2].empty()) {
    fail(ErrorCode::kUnsupportedFormat, file.string(),
         ": post_processor.single must be a special token, the sequence, a special token");
  }
  c.first = parts[0];
  c.last = parts[2];
}

void read_added(const fs::path& file, const Json& tokens, WordPieceConfig& c) {
  tokens.each([&](const Json& token) {
    const auto content = token.get("content").as_string();
    const auto id = token.get("id").as_unsigned();
    if (!content || content->empty() || !id || *id >= kMaxId) {
      fail(ErrorCode::kCorruption, file.string(), ": added_tokens: content or id is missing or out of range");
    }
    if (token.get("single_word").as_bool().value_or(false) ||
        token.get("normalized").as_bool().value_or(false)) {
      fail(ErrorCode::kUnsupportedFormat, file.string(), ": added token \"", *content,
           "\": single_word and normalized are not computed by this library");
    }
    c.added.push_back({*content, static_cast<std::int32_t>(*id)});
  });
}

WordPieceConfig read_tokenizer_json(const fs::path& file, const JsonDocument& document) {
  const Json& root = document.root();
  const Json model = root.get("model");
  WordPieceConfig c;
  const Json type = model.get("type");
  if (type.exists() && type.as_string() != "WordPiece") unsupported(file, "model.type", type, "WordPiece");
  if (root.get("pre_tokenizer").get("type").as_string() != "BertPreTokenizer") {
    unsupported(file, "pre_tokenizer.type", root.get("pre_tokenizer").get("type"), "BertPreTokenizer");
  }
  read_normalizer(file, root.get("normalizer"), c);
  read_template(file, root.get("post_processor"), c);
  read_added(file, root.get("added_tokens"), c);
  c.unknown = model.get("unk_token").as_string().value_or(c.unknown);
  c.continuation = model.get("continuing_subword_prefix").as_string().value_or(c.continuation);
  c.max_word = static_cast<std::size_t>(model.get("max_input_chars_per_word").as_unsigned().value_or(100));
  model.get("vocab").each_member([&](std::string_view piece, const Json& value) {
    const auto id = value.as_unsigned();
    if (!id || *id >= kMaxId) {
      fail(ErrorCode::kCorruption, file.string(), ": model.vocab: the id of \"", piece,
           "\" must be within 0 to ", kMaxId - 1);
    }
    if (*id >= c.vocabulary.size()) c.vocabulary.resize(static_cast<std::size_t>(*id) + 1);
    if (!c.vocabulary[*id].empty())
      fail(ErrorCode::kCorruption, file.string(), ": model.vocab: id ", *id, " is given twice");
    c.vocabulary[*id] = std::string(piece);
  });
  if (c.vocabulary.empty()) fail(ErrorCode::kCorruption, file.string(), ": model.vocab is missing or empty");
  return c;
}

// A special token is written as a string or as an object with "content".
std::string special(const Json& root, std::string_view key, const std::string& fallback) {
  const Json value = root.get(key);
  if (const auto text = value.as_string()) return *text;
  return value.get("content").as_string().value_or(fallback);
}

WordPieceConfig read_vocabulary_file(const fs::path& folder) {
  const fs::path file = folder / "vocab.txt";
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    fail(ErrorCode::kNotFound, folder.string(), ": neither tokenizer.json nor vocab.txt can be read");
  WordPieceConfig c;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    c.vocabulary.push_back(line);
    if (c.vocabulary.size() > kMaxId)
      fail(ErrorCode::kTooLarge, file.string(), ": more than ", kMaxId, " pieces");
  }
  std::string pad = "[PAD]";
  std::string mask = "[MASK]";
  if (const auto document = JsonDocument::read_if_there(folder / "tokenizer_config.json")) {
    const Json& root = document->root();
    c.lowercase = root.get("do_lower_case").as_bool().value_or(true);
    c.strip_accents = root.get("strip_accents").as_bool().value_or(c.lowercase);
    c.split_cjk = root.get("tokenize_chinese_chars").as_bool().value_or(true);
    c.unknown = special(root, "unk_token", c.unknown);
    c.first = special(root, "cls_token", c.first);
    c.last = special(root, "sep_token", c.last);
    pad = special(root, "pad_token", pad);
    mask = special(root, "mask_token", mask);
  }
  for (const std::string& token : {pad, c.unknown, c.first, c.last, mask}) {
    for (std::size_t id = 0; id < c.vocabulary.size(); ++id) {
      if (!token.empty() && c.vocabulary[id] == token)
        c.added.push_back({token, static_cast<std::int32_t>(id)});
    }
  }
  return c;
}

}  // namespace

WordPieceConfig read_tokenizer(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.json";
  if (const auto document = JsonDocument::read_if_there(file)) return read_tokenizer_json(file, *document);
  return read_vocabulary_file(folder);
}

}  // namespace vecstore::models
