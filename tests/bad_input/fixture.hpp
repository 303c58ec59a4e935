// The invariant of all bad inputs: nothing changes, nothing is lost, the handle stays usable, the message
// says what is wrong and gives nothing away.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <initializer_list>
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "scratch.hpp"
#include "vecstore/vecstore.hpp"

namespace vecstore {

inline constexpr std::string_view kSecret = "hunter2-secret";

class BadInput : public ::testing::Test {
 protected:
  BadInput() : db_(VecDatabase::open(dir())), docs_(make_docs()) {}

  std::string dir() const { return scratch_ / "db"; }

  /// Three records in a cosine collection of dimension 3, with a named vector "title" (Euclidean, 2).
  Collection make_docs() {
    auto docs =
        db_.create_collection("docs", {.dimension = 3, .vectors = {{"title", {Metric::kEuclidean, 2}}}});
    docs.upsert({.id = "a",
                 .vector = {1, 0, 0},
                 .text = "alpha words",
                 .metadata = {{"n", 1}, {"password", std::string(kSecret)}}});
    docs.upsert({.id = "b", .vector = {0, 1, 0}, .text = "beta words", .metadata = {{"n", 2}}});
    docs.upsert({.id = "c", .vector = {0, 0, 1}, .text = "gamma words", .metadata = {{"n", 3}}});
    return docs;
  }

  /// What must not change.
  std::string state() {
    const CollectionStats s = docs_.stats();
    return concat("sequence ", db_.stats().sequence, ", records ", s.count, ", digest ", s.digest, ", bytes ",
                  s.live_bytes);
  }

  void usable() {
    EXPECT_EQ(docs_.query({1, 0, 0}, 1)[0].id, "a");
    EXPECT_EQ(docs_.query_text("beta", 1)[0].id, "b");
    EXPECT_EQ(docs_.get("c")->text, "gamma words");
  }

  /// `call` is refused with `code`, in words that contain all of `words`.
  void refused(ErrorCode code, std::initializer_list<std::string_view> words,
               const std::function<void()>& call, std::optional<std::size_t> item = std::nullopt) {
    const std::string before = state();
    try {
      call();
      ADD_FAILURE() << "was accepted, expected " << to_string(code);
    } catch (const Error& e) {
      const std::string message = e.what();
      EXPECT_EQ(to_string(e.code()), to_string(code)) << message;
      for (std::string_view word : words)
        EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' is missing in: " << message;
      EXPECT_EQ(message.find(kSecret), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 2000u) << message;
      EXPECT_EQ(e.item(), item) << message;
    } catch (const std::exception& e) {
      ADD_FAILURE() << "threw something else: " << e.what();
    }
    EXPECT_EQ(state(), before);
    usable();
  }
  void invalid(std::initializer_list<std::string_view> words, const std::function<void()>& call,
               std::optional<std::size_t> item = std::nullopt) {
    refused(ErrorCode::kInvalidArgument, words, call, item);
  }

  test::Scratch scratch_;
  VecDatabase db_;
  Collection docs_;
};

/// The code of the error that `call` throws; kIo and a failure when it throws none.
inline ErrorCode code_of(const std::function<void()>& call, std::string* message = nullptr) {
  try {
    call();
  } catch (const Error& e) {
    if (message) *message = e.what();
    return e.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kIo;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Runs `work` in a child process and returns what went wrong in it; "" when nothing did. "skip: ..." passes
/// through.
inline std::string in_child(const std::function<std::string()>& work) {
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return "pipe failed";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      text = work();
    } catch (const std::exception& e) {
      text = std::string("threw: ") + e.what();
    }
    const bool written = text.empty() || ::write(pipe_ends[1], text.data(), text.size()) >= 0;
    ::_exit(written ? 0 : 1);
  }
  ::close(pipe_ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(pipe_ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) text += concat(" the child ended with status ", status);
  return text;
}

}  // namespace vecstore
