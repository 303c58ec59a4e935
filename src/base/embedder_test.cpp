// The checked handle to a model of the program's own.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <new>

#include "vecstore/models.hpp"

namespace vecstore {
namespace {

struct LengthModel {
  std::size_t dimension_ = 2;
  std::function<void(std::span<float>)> spoil = [](std::span<float>) {};
  std::string name_ = "length";

  std::string name() const { return name_; }
  std::string fingerprint() const { return "v1"; }
  std::size_t dimension() const { return dimension_; }
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      out[2 * i] = static_cast<float>(texts[i].size());
      out[2 * i + 1] = 1;
    }
    spoil(out);
  }
};

struct Options {
  Embedder embedder = {};
};

ErrorCode code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kClosed;
}

TEST(Embedder, WrapsModelsByValueAndShared) {
  const LengthModel model;
  const auto shared = std::make_shared<LengthModel>();
  const Options all[] = {
      {.embedder = model}, {.embedder = shared}, {.embedder = std::make_shared<const LengthModel>()}};
  for (const Options& options : all) {
    const Embedder copy = options.embedder;
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy.name(), "length");
    EXPECT_EQ(copy.fingerprint(), "v1");
    EXPECT_EQ(copy.dimension(), 2u);
    EXPECT_EQ(copy.embed("abc"), (std::vector<float>{3, 1}));
    const std::string_view texts[] = {"", "x"};
    EXPECT_EQ(copy.embed_batch(texts), (std::vector<std::vector<float>>{{0, 1}, {1, 1}}));
  }
}

TEST(Embedder, NoneIsFalseAndRefuses) {
  const Embedder none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.dimension(), 0u);
  EXPECT_EQ(code_of([&] { none.embed("x"); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { none.embed_batch({}); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Embedder(std::shared_ptr<LengthModel>()); }), ErrorCode::kInvalidArgument);
}

TEST(Embedder, RefusesModelsWithoutNameOrDimension) {
  LengthModel model;
  model.name_ = "";
  EXPECT_EQ(code_of([&] { Embedder{model}; }), ErrorCode::kInvalidArgument);
  model.name_ = "x";
  for (const std::size_t dimension : {std::size_t{0}, std::size_t{65'537}}) {
    model.dimension_ = dimension;
    EXPECT_EQ(code_of([&] { Embedder{model}; }), ErrorCode::kInvalidArgument);
  }
}

// Bad input, row 62: what a model returns is checked before anything of it is used.
TEST(Embedder, BadInput62ResultsAreChecked) {
  const std::string_view texts[] = {"a", "b", "c"};
  const auto spoiled = [&](std::function<void(std::span<float>)> spoil) {
    LengthModel model;
    model.spoil = std::move(spoil);
    return Embedder(model);
  };
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const Embedder embedder = spoiled([bad](std::span<float> out) { out[3] = bad; });
    try {
      embedder.embed_batch(texts);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
      EXPECT_EQ(e.item(), 1u);
    }
  }
  std::vector<float> narrow(5);
  EXPECT_EQ(code_of([&] { Embedder(LengthModel{}).embed_batch(texts, narrow); }),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      code_of([&] { spoiled([](std::span<float>) { throw std::runtime_error("HTTP 502"); }).embed("x"); }),
      ErrorCode::kIo);
  EXPECT_EQ(code_of([&] { spoiled([](std::span<float>) { throw std::bad_alloc(); }).embed("x"); }),
            ErrorCode::kOutOfMemory);
  EXPECT_EQ(code_of([&] { spoiled([](std::span<float>) { throw 7; }).embed("x"); }), ErrorCode::kIo);
  EXPECT_EQ(code_of([&] {
              spoiled([](std::span<float>) { throw Error(ErrorCode::kDeadline, "late"); }).embed("x");
            }),
            ErrorCode::kDeadline);
}

struct Forgetful : LengthModel {
  void embed_batch(std::span<const std::string_view>, std::span<float> out) const { out[0] = 1; }
};

struct Growing : LengthModel {
  mutable std::size_t calls = 0;
  std::size_t dimension() const { return 2 + calls; }
  void embed_batch(std::span<const std::string_view> texts, std::span<float> out) const {
    LengthModel::embed_batch(texts, out);
    ++calls;
  }
};

TEST(Embedder, BadInput62MissingComponentsAndChangedDimension) {
  EXPECT_EQ(code_of([] { Embedder(Forgetful{}).embed("x"); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Embedder(Growing{}).embed("x"); }), ErrorCode::kInvalidArgument);
}

TEST(Precision, Names) {
  for (const Precision p : {Precision::kFast, Precision::kF32}) EXPECT_EQ(parse_precision(to_string(p)), p);
  EXPECT_EQ(code_of([] { parse_precision("f64"); }), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace vecstore
