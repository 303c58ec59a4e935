#include "models/model_folder.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "models/json.hpp"

namespace vecstore::models {
namespace {

namespace fs = std::filesystem;

// Reads settings of one file; every message names the file and the key.
class Settings {
 public:
  Settings(const fs::path& file, const Json& root) : file_(file.string()), root_(root) {}

  std::size_t size(const char* key, std::size_t low, std::size_t high,
                   std::optional<std::size_t> fallback = {}) const {
    const Json value = root_.get(key);
    if (!value.exists() || value.is_null()) {
      if (fallback) return *fallback;
      fail(ErrorCode::kCorruption, file_, ": ", key, " is missing");
    }
    const auto n = value.as_unsigned();
    if (!n || *n < low || *n > high) {
      fail(ErrorCode::kCorruption, file_, ": ", key, " must be an integer within ", low, " to ", high);
    }
    return static_cast<std::size_t>(*n);
  }
  bool flag(const char* key, bool fallback) const {
    const Json value = root_.get(key);
    if (!value.exists() || value.is_null()) return fallback;
    const auto b = value.as_bool();
    if (!b) fail(ErrorCode::kCorruption, file_, ": ", key, " must be true or false");
    return *b;
  }
  std::string text(const char* key, const std::string& fallback) const {
    const Json value = root_.get(key);
    if (!value.exists() || value.is_null()) return fallback;
    const auto s = value.as_string();
    if (!s) fail(ErrorCode::kCorruption, file_, ": ", key, " must be a string");
    return *s;
  }
  [[noreturn]] void unsupported(std::string_view key, std::string_view value, std::string_view known) const {
    fail(ErrorCode::kUnsupportedFormat, file_, ": ", key, " is \"", value, "\"; this library computes ",
         known);
  }
  const Json& root() const { return root_; }

 private:
  std::string file_;
  const Json& root_;
};

BertConfig read_bert(const fs::path& file) {
  const JsonDocument document = JsonDocument::read(file);
  const Settings s(file, document.root());
  if (const std::string type = s.text("model_type", "bert"); type != "bert")
    s.unsupported("model_type", type, "bert");
  if (const std::string kind = s.text("position_embedding_type", "absolute"); kind != "absolute") {
    s.unsupported("position_embedding_type", kind, "absolute");
  }
  BertConfig c;
  c.hidden = s.size("hidden_size", 1, 16'384);
  c.inner = s.size("intermediate_size", 1, 65'536);
  c.layers = s.size("num_hidden_layers", 1, 512);
  c.heads = s.size("num_attention_heads", 1, 1'024);
  c.vocabulary = s.size("vocab_size", 1, 10'000'000);
  c.positions = s.size("max_position_embeddings", 3, 65'536);
  c.types = s.size("type_vocab_size", 1, 1'024, 2);
  if (c.hidden % c.heads != 0) {
    fail(ErrorCode::kCorruption, file.string(), ": hidden_size ", c.hidden,
         " is not a multiple of num_attention_heads ", c.heads);
  }
  const auto epsilon = document.root().get("layer_norm_eps").as_number();
  c.epsilon = static_cast<float>(epsilon.value_or(1e-12));
  if (!(c.epsilon >= 0 && c.epsilon < 1))
    fail(ErrorCode::kCorruption, file.string(), ": layer_norm_eps must be within 0 to 1");
  const std::string act = s.text("hidden_act", "gelu");
  if (act == "gelu") {
    c.activation = Activation::kGelu;
  } else if (act == "gelu_new" || act == "gelu_pytorch_tanh") {
    c.activation = Activation::kGeluTanh;
  } else if (act == "relu") {
    c.activation = Activation::kRelu;
  } else {
    s.unsupported("hidden_act", act, "gelu, gelu_new, gelu_pytorch_tanh, relu");
  }
  return c;
}

Pooling read_pooling(const fs::path& file) {
  const JsonDocument document = JsonDocument::read(file);
  const Settings s(file, document.root());
  std::vector<std::string> modes;
  document.root().each_member([&](std::string_view key, const Json& value) {
    if (key.starts_with("pooling_mode") && value.as_bool().value_or(false)) modes.emplace_back(key);
  });
  if (const auto mode = document.root().get("pooling_mode").as_string())
    modes.push_back("pooling_mode_" + *mode);
  if (modes.size() == 1) {
    if (modes[0] == "pooling_mode_mean_tokens" || modes[0] == "pooling_mode_mean") return Pooling::kMean;
    if (modes[0] == "pooling_mode_cls_token" || modes[0] == "pooling_mode_cls") return Pooling::kFirst;
  }
  std::string all;
  for (const std::string& mode : modes) all += (all.empty() ? "" : " + ") + mode;
  s.unsupported("pooling", all.empty() ? "none" : all,
                "pooling_mode_mean_tokens or pooling_mode_cls_token, one of them");
}

// The path of a module inside the folder: no way out of it.
fs::path module_path(const fs::path& folder, const std::string& path) {
  const fs::path relative(path);
  const bool leaves =
      std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part == ".."; });
  if (relative.is_absolute() || leaves) {
    fail(ErrorCode::kCorruption, (folder / "modules.json").string(), ": the path \"", path,
         "\" leads out of the folder");
  }
  return folder / relative;
}

struct Modules {
  fs::path transformer;
  fs::path pooling;
  bool normalize = false;
};

// Without modules.json: a plain encoder, mean pooling, no normalisation, as sentence-transformers takes it.
Modules read_modules(const fs::path& folder) {
  Modules m{folder, {}, false};
  const auto document = JsonDocument::read_if_there(folder / "modules.json");
  if (!document) return m;
  std::size_t index = 0;
  document->root().each([&](const Json& module) {
    const std::string type = module.get("type").as_string().value_or("");
    const std::string kind = type.substr(type.rfind('.') + 1);
    const fs::path path = module_path(folder, module.get("path").as_string().value_or(""));
    if (kind == "Transformer" && index == 0) {
      m.transformer = path;
    } else if (kind == "Pooling" && index == 1) {
      m.pooling = path;
    } else if (kind == "Normalize" && index == 2) {
      m.normalize = true;
    } else {
      fail(ErrorCode::kUnsupportedFormat, (folder / "modules.json").string(), ": module ", index, " is \"",
           type, "\"; this library computes Transformer, Pooling, Normalize, in this order");
    }
    ++index;
  });
  if (index < 2)
    fail(ErrorCode::kCorruption, (folder / "modules.json").string(),
         ": a Transformer and a Pooling module are needed");
  return m;
}

std::size_t read_max_seq_length(const fs::path& folder, const BertConfig& bert) {
  for (const auto& [name, key] : {std::pair{"sentence_bert_config.json", "max_seq_length"},
                                  std::pair{"tokenizer_config.json", "model_max_length"}}) {
    const auto document = JsonDocument::read_if_there(folder / name);
    if (!document) continue;
    const Json value = document->root().get(key);
    if (!value.exists() || value.is_null()) continue;
    const auto n = value.as_number();  // Some folders write "no limit" as 1e30.
    if (!n || !(*n >= 3))
      fail(ErrorCode::kCorruption, (folder / name).string(), ": ", key, " must be a number of at least 3");
    return *n < static_cast<double>(bert.positions) ? static_cast<std::size_t>(*n) : bert.positions;
  }
  return bert.positions;
}

}  // namespace

ModelFolder read_model_folder(const fs::path& folder) {
  const Modules modules = read_modules(folder);
  ModelFolder m;
  m.bert = read_bert(modules.transformer / "config.json");
  m.tokenizer = read_tokenizer(modules.transformer);
  if (!modules.pooling.empty()) m.pooling = read_pooling(modules.pooling / "config.json");
  m.normalize = modules.normalize;
  m.max_seq_length = read_max_seq_length(modules.transformer, m.bert);
  if (const auto document = JsonDocument::read_if_there(modules.transformer / "sentence_bert_config.json")) {
    const Settings s(modules.transformer / "sentence_bert_config.json", document->root());
    if (s.flag("do_lower_case", false)) m.tokenizer.lowercase = true;
  }
  m.weights = modules.transformer / "model.safetensors";
  std::error_code error;
  if (!fs::exists(m.weights, error)) {
    fail(ErrorCode::kNotFound, m.weights.string(),
         ": missing; only weights in the safetensors format are read");
  }
  const auto check_id = [&](std::size_t id) {
    if (id >= m.bert.vocabulary) {
      fail(ErrorCode::kCorruption, folder.string(), ": the tokenizer has the id ", id,
           ", the model's vocabulary ", m.bert.vocabulary, " entries");
    }
  };
  for (std::size_t id = m.bert.vocabulary; id < m.tokenizer.vocabulary.size(); ++id) {
    if (!m.tokenizer.vocabulary[id].empty()) check_id(id);
  }
  for (const AddedToken& token : m.tokenizer.added) check_id(static_cast<std::size_t>(token.id));
  return m;
}

}  // namespace vecstore::models
