#include "cli/document.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/error.hpp"
#include "base/utf8.hpp"

namespace vecstore::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;

constexpr std::string_view kHtmlNames[] = {".html", ".htm", ".xhtml"};
constexpr std::string_view kMarkdownNames[] = {".md", ".markdown", ".mdown", ".mkd"};
constexpr std::string_view kTextNames[] = {".txt", ".text", ".rst", ".adoc", ".asciidoc",
                                           ".org", ".tex",  ".log", ".csv",  ".tsv"};
constexpr std::string_view kSourceNames[] = {
    ".c",   ".h",    ".cc",   ".cpp",   ".cxx",  ".hh",    ".hpp",    ".hxx",   ".ipp",   ".m",   ".mm",
    ".py",  ".pyi",  ".rs",   ".go",    ".java", ".kt",    ".kts",    ".scala", ".swift", ".js",  ".mjs",
    ".cjs", ".jsx",  ".ts",   ".tsx",   ".rb",   ".php",   ".pl",     ".pm",    ".lua",   ".sh",  ".bash",
    ".zsh", ".fish", ".sql",  ".r",     ".jl",   ".hs",    ".ml",     ".mli",   ".ex",    ".exs", ".erl",
    ".clj", ".el",   ".lisp", ".scm",   ".cs",   ".fs",    ".vb",     ".d",     ".zig",   ".nim", ".dart",
    ".vue", ".css",  ".scss", ".cmake", ".mk",   ".proto", ".thrift", ".toml",  ".yaml",  ".yml", ".ini",
    ".cfg", ".conf", ".tf",   ".nix",   ".s",    ".asm"};
constexpr std::string_view kBareTextNames[] = {"readme",    "license", "copying",     "authors",
                                               "changelog", "changes", "news",        "install",
                                               "notice",    "todo",    "contributing"};
constexpr std::string_view kBareSourceNames[] = {"makefile", "dockerfile", "cmakelists.txt", "gnumakefile"};

template <std::size_t N>
bool among(const std::string_view (&names)[N], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string lower(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

/// The first `limit` bytes at most, cut between code points.
std::string_view shortened(std::string_view s, std::size_t limit) {
  if (s.size() <= limit) return s;
  while (limit > 0 && (static_cast<unsigned char>(s[limit]) & 0xC0) == 0x80) --limit;
  return s.substr(0, limit);
}

/// Of a text that is not UTF-8; lines begin at 1.
std::size_t first_bad_line(std::string_view text) {
  for (std::size_t line = 1;; ++line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !valid_utf8(text.substr(0, end))) return line;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string_view to_string(DocumentKind kind) {
  constexpr std::array<std::string_view, 4> names = {"text", "markdown", "html", "source"};
  return names[static_cast<std::size_t>(kind)];
}

bool kind_of(std::string_view path, DocumentKind& kind) {
  const fs::path file{std::string(path)};
  const std::string name = lower(file.filename().string());
  const std::string extension = lower(file.extension().string());
  if (among(kBareSourceNames, name)) return kind = DocumentKind::kSource, true;
  if (among(kHtmlNames, extension)) return kind = DocumentKind::kHtml, true;
  if (among(kMarkdownNames, extension)) return kind = DocumentKind::kMarkdown, true;
  if (among(kSourceNames, extension)) return kind = DocumentKind::kSource, true;
  if (among(kTextNames, extension) || among(kBareTextNames, name)) return kind = DocumentKind::kText, true;
  return false;
}

std::string read_file(const std::string& path, std::size_t limit) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) fail(ErrorCode::kNotFound, path, ": no such file");
  if (fs::is_directory(status)) invalid(path, ": is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ErrorCode::kIo, path, ": ", std::strerror(errno));
  std::string bytes;
  std::array<char, 65536> block;
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    bytes.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (bytes.size() > limit)
      fail(ErrorCode::kTooLarge, path, ": larger than the limit of ", limit, " bytes");
  }
  if (in.bad()) fail(ErrorCode::kIo, path, ": could not be read");
  return bytes;
}

Document extract(DocumentKind kind, std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  if (kind == DocumentKind::kHtml) return extract_html(bytes);
  if (!valid_utf8(bytes)) invalid("not UTF-8 text (line ", first_bad_line(bytes), ")");
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos)
    invalid("not a text: byte ", nul, " is 0");
  if (kind == DocumentKind::kMarkdown) return extract_markdown(bytes);
  Document document;
  document.kind = kind;
  document.text = bytes;
  return document;
}

Document read_document(const std::string& path) {
  DocumentKind kind = DocumentKind::kText;
  kind_of(path, kind);
  const std::string bytes = read_file(path, kMostBytes);
  try {
    return extract(kind, bytes);
  } catch (const Error& error) {
    fail(error.code(), path, ": ", error.what());
  }
}

std::string heading_path(const Document& document, std::size_t byte) {
  std::array<const Heading*, 7> open{};
  for (const Heading& heading : document.headings) {
    if (heading.offset > byte) break;
    const auto level = static_cast<std::size_t>(std::clamp(heading.level, 1, 6));
    open[level] = &heading;
    std::fill(open.begin() + static_cast<std::ptrdiff_t>(level) + 1, open.end(), nullptr);
  }
  std::string path;
  for (const Heading* heading : open) {
    if (heading == nullptr || heading->text.empty()) continue;
    if (!path.empty()) path += " > ";
    path += shortened(heading->text, 200);
  }
  return path;
}

Metadata chunk_metadata(const Document& document, std::size_t begin, std::size_t end) {
  // A chunk often begins with the blank line above its heading; the heading is its own all the same.
  std::size_t first = document.text.find_first_not_of(" \t\r\n", begin);
  if (first == std::string::npos || first >= end) first = begin;
  Metadata metadata;
  if (!document.title.empty()) metadata["title"] = Metadata(shortened(document.title, 200));
  if (std::string path = heading_path(document, first); !path.empty())
    metadata["heading"] = Metadata(std::move(path));
  return metadata;
}

FileList list_files(const std::vector<std::string>& paths) {
  FileList list;
  for (const std::string& given : paths) {
    std::error_code error;
    const fs::path path = fs::path(given).lexically_normal();
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) fail(ErrorCode::kNotFound, given, ": no such file or folder");
    if (!fs::is_directory(status)) {
      list.files.push_back(path.generic_string());
      continue;
    }
    std::vector<std::string> found;
    fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, error), end;
    if (error) fail(ErrorCode::kIo, given, ": ", error.message());
    for (; it != end; it.increment(error)) {
      if (error) fail(ErrorCode::kIo, given, ": ", error.message());
      const bool hidden = it->path().filename().string().starts_with('.');
      const auto type = it->symlink_status(error).type();
      if (type == fs::file_type::directory) {
        if (hidden) it.disable_recursion_pending();
        continue;
      }
      DocumentKind kind;
      if (!hidden && type == fs::file_type::regular && kind_of(it->path().string(), kind)) {
        found.push_back(it->path().lexically_normal().generic_string());
      } else {
        ++list.ignored;
      }
    }
    std::sort(found.begin(), found.end());
    list.files.insert(list.files.end(), found.begin(), found.end());
  }
  return list;
}

}  // namespace vecstore::cli
