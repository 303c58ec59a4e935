// The checked handle to a model; see vecstore/models.hpp. Here and not in models/, so that a build without
// models still takes the program's own.
#include <cmath>
#include <limits>
#include <new>

#include "base/error.hpp"
#include "vecstore/models.hpp"

namespace vecstore {
namespace {

constexpr std::size_t kMaxDimension = 65'536;
constexpr std::size_t kMaxName = 512;

// Runs a call of foreign code; whatever it throws leaves as an Error.
template <class F>
auto guarded(const std::string& name, F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    fail(ErrorCode::kOutOfMemory, "embedder \"", name, "\": out of memory");
  } catch (const std::exception& e) {
    fail(ErrorCode::kIo, "embedder \"", name, "\" failed: ", e.what());
  } catch (...) {
    fail(ErrorCode::kIo, "embedder \"", name, "\" failed with an exception that is not a std::exception");
  }
}

[[noreturn]] void fail_item(std::size_t item, const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message, item);
}

}  // namespace

Embedder::Embedder(Erased erased) : model_(std::move(erased.model)) {
  if (!model_) invalid("embedder: the pointer to the model is null");
  guarded("?", [&] {
    name_ = model_->name();
    fingerprint_ = model_->fingerprint();
    dimension_ = model_->dimension();
  });
  if (name_.empty() || name_.size() > kMaxName) {
    invalid("embedder: the model's name has ", name_.size(), " bytes; it must have 1 to ", kMaxName);
  }
  if (fingerprint_.empty()) invalid("embedder \"", name_, "\": the fingerprint is empty");
  if (dimension_ == 0 || dimension_ > kMaxDimension) {
    invalid("embedder \"", name_, "\": dimension ", dimension_, " is not within 1 to ", kMaxDimension);
  }
}

std::vector<float> Embedder::embed(std::string_view text) const {
  std::vector<float> out(dimension_);
  embed_batch(std::span(&text, 1), out);
  return out;
}

std::vector<std::vector<float>> Embedder::embed_batch(std::span<const std::string_view> texts) const {
  std::vector<float> flat(texts.size() * dimension_);
  embed_batch(texts, flat);
  std::vector<std::vector<float>> rows;
  rows.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    rows.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i * dimension_),
                      flat.begin() + static_cast<std::ptrdiff_t>((i + 1) * dimension_));
  }
  return rows;
}

void Embedder::embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
  if (!model_) invalid("embedder: none is set");
  if (out.size() % dimension_ != 0 || out.size() / dimension_ != texts.size()) {
    invalid("embedder \"", name_, "\": room for ", out.size(), " floats does not fit ", texts.size(),
            " texts of dimension ", dimension_);
  }
  // A component that the model leaves unwritten shows up as not finite.
  std::fill(out.begin(), out.end(), std::numeric_limits<float>::quiet_NaN());
  const std::size_t dimension_now = guarded(name_, [&] {
    model_->embed_batch(texts, out);
    return model_->dimension();
  });
  if (dimension_now != dimension_) {
    invalid("embedder \"", name_, "\": its dimension was ", dimension_, " and is ", dimension_now, " now");
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(out[i])) {
      fail_item(i / dimension_, concat("embedder \"", name_, "\" returned a vector whose component ",
                                       i % dimension_, " is missing or not finite"));
    }
  }
}

std::string_view to_string(Precision precision) { return precision == Precision::kF32 ? "f32" : "fast"; }

Precision parse_precision(std::string_view name) {
  if (name == "fast") return Precision::kFast;
  if (name == "f32") return Precision::kF32;
  invalid("precision: \"", name, "\" is not one of fast, f32");
}

}  // namespace vecstore
