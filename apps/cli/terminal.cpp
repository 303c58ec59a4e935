#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vecstore::cli {

bool is_terminal(int file) { return isatty(file) == 1; }

bool wants_colour(int file) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal(file) && (no_colour == nullptr || *no_colour == 0) && term != nullptr &&
         std::strcmp(term, "dumb") != 0;
}

std::size_t terminal_width() {
  winsize size{};
  for (const int file : {2, 1})
    if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      out += ' ';  // U+0080 to U+009F: control characters as well
      ++i;
    } else {
      out += (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? ' ' : text[i];
    }
  }
  return out;
}

std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fixed(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

Metadata json_number(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double number = 0;
  std::from_chars(text, end, number);
  return Metadata(number);
}

void print_json(const Metadata& document) {
  const std::string line = document.to_json() + "\n";
  std::fwrite(line.data(), 1, line.size(), stdout);
}

namespace {

Metadata dense_json(const std::vector<float>& values) {
  Metadata::Array array;
  array.reserve(values.size());
  for (const float value : values) array.push_back(json_number(value));
  return Metadata(std::move(array));
}

Metadata vector_json(const Vector& vector) {
  if (!vector.sparse()) return dense_json(vector.dense());
  Metadata both;
  if (!vector.dense().empty()) both["dense"] = dense_json(vector.dense());
  both["indices"] = Metadata(vector.sparse()->indices);
  both["values"] = dense_json(vector.sparse()->values);
  return both;
}

}  // namespace

Metadata to_json(const Record& record) {
  Metadata out;
  out["id"] = Metadata(record.id);
  if (!record.text.empty()) out["text"] = Metadata(record.text);
  out["metadata"] = record.metadata;
  if (!record.source.empty()) {
    out["source"] = Metadata(record.source);
    out["part"] = Metadata(record.part);
    out["start"] = Metadata(record.start);
    out["end"] = Metadata(record.end);
  }
  if (!record.vector.empty()) out["vector"] = vector_json(record.vector);
  if (!record.vectors.empty()) {
    Metadata named;
    for (const auto& [name, vector] : record.vectors) named[name] = vector_json(vector);
    out["vectors"] = std::move(named);
  }
  out["sequence"] = Metadata(record.sequence);
  return out;
}

Metadata to_json(const PlanNode& plan) {
  Metadata out;
  out["name"] = Metadata(plan.name);
  for (const auto& [key, value] : plan.properties) out["properties"][key] = Metadata(value);
  for (const auto& [key, value] : plan.counters) out["counters"][key] = Metadata(value);
  out["milliseconds"] = Metadata(plan.milliseconds);
  Metadata::Array children;
  for (const PlanNode& child : plan.children) children.push_back(to_json(child));
  if (!children.empty()) out["children"] = Metadata(std::move(children));
  return out;
}

ProgressBar::ProgressBar(std::uint64_t total, bool enabled)
    : total_(total), enabled_(enabled && is_terminal(2)) {}

void ProgressBar::update(std::uint64_t done, std::uint64_t records) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  drawn_ = true;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double share =
      total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  std::string tail =
      " " + std::to_string(static_cast<int>(share * 100)) + "%  " + grouped(records) + " records";
  if (seconds > 0.5)
    tail += "  " + grouped(static_cast<std::uint64_t>(static_cast<double>(records) / seconds)) + "/s";
  if (share > 0.02 && seconds > 1) {
    const auto left = static_cast<unsigned>(seconds * (1 - share) / share + 0.5);
    tail += "  " + std::to_string(left / 60) + ":" + (left % 60 < 10 ? "0" : "") + std::to_string(left % 60) +
            " left";
  }
  const std::size_t width = terminal_width() - 1;
  const std::size_t bar = width > tail.size() + 4 ? std::min<std::size_t>(width - tail.size() - 2, 40) : 0;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(bar));
  std::string line =
      "\r" + (bar > 0 ? "[" + std::string(full, '=') + std::string(bar - full, ' ') + "]" : std::string());
  line += tail.substr(0, width) + "\x1b[K";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void ProgressBar::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace vecstore::cli
