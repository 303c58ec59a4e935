// Documents: what a file becomes before it is cut into chunks.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vecstore/metadata.hpp"

namespace vecstore::cli {

enum class DocumentKind { kText, kMarkdown, kHtml, kSource };
std::string_view to_string(DocumentKind kind);

/// A heading and the byte of the extracted text where its line begins.
struct Heading {
  std::size_t offset = 0;
  int level = 1;  ///< 1 to 6.
  std::string text;
};

/// Citations are byte offsets in `text`, so the same bytes of a file give the same `text`, always.
struct Document {
  DocumentKind kind = DocumentKind::kText;
  std::string title;  ///< Of HTML and Markdown, where there is one.
  std::string text;
  std::vector<Heading> headings;  ///< In the order of their offsets.
};

/// HTML to text: what a reader sees, in blocks, with Markdown's marks for headings, lists and code. Scripts,
/// styles, navigation and hidden elements are left out. Damaged HTML is repaired as browsers do; the only
/// refusal is nesting deeper than 1,000 elements (kInvalidArgument).
Document extract_html(std::string_view html);
/// The text is the file itself; headings are ATX and setext, outside of fenced code.
Document extract_markdown(std::string_view markdown);
/// By kind. Throws kInvalidArgument that names the line when a text is not UTF-8 (HTML is repaired instead).
Document extract(DocumentKind kind, std::string_view bytes);

/// The kind by the file's name; false when the name belongs to no kind of document.
bool kind_of(std::string_view path, DocumentKind& kind);
/// Reads and extracts a file. kNotFound, kIo, kTooLarge (above 64 MiB), kInvalidArgument; messages name the
/// file.
Document read_document(const std::string& path);
std::string read_file(const std::string& path, std::size_t limit);

/// The headings above a byte of the text, outermost first, joined by " > "; empty when there is none.
std::string heading_path(const Document& document, std::size_t byte);
/// {"title": ..., "heading": ...} of the chunk [begin, end), without what is empty.
Metadata chunk_metadata(const Document& document, std::size_t begin, std::size_t end);

/// The files to ingest: a folder gives its documents in the order of their names (hidden files, links and
/// files of other kinds are left out and counted), a file gives itself. kNotFound.
struct FileList {
  std::vector<std::string> files;
  std::size_t ignored = 0;
};
FileList list_files(const std::vector<std::string>& paths);

}  // namespace vecstore::cli
