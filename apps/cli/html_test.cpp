// HTML to text: what is visible, in blocks, at places that stay the same.
#include <gtest/gtest.h>

#include <random>

#include "base/utf8.hpp"
#include "cli/document.hpp"
#include "seed.hpp"
#include "vecstore/error.hpp"

namespace vecstore::cli {
namespace {

std::string text_of(std::string_view html) { return extract_html(html).text; }

TEST(Html, ParagraphsAndWhiteSpace) {
  EXPECT_EQ(text_of("<p>One\n   two</p><p> three </p>"), "One two\n\nthree\n");
  EXPECT_EQ(text_of("a<b>b</b> <i>c</i>d"), "ab cd\n");
  EXPECT_EQ(text_of("one<br>two<br/>three"), "one\ntwo\nthree\n");
  EXPECT_EQ(text_of("<div>a</div><div>b<div>c</div></div>"), "a\nb\nc\n");
  EXPECT_EQ(text_of(""), "");
  EXPECT_EQ(text_of("<p> \n </p><div></div>"), "");
}

TEST(Html, Entities) {
  EXPECT_EQ(text_of("<p>a &lt;b&gt; &amp;amp; &eacute; &#8230; &#x1F600; &nosuch; x&nbsp;y"),
            "a <b> &amp; é … 😀 &nosuch; x y\n");
  EXPECT_EQ(text_of("in&shy;visible zero\u200bwidth"), "invisible zerowidth\n");
}

TEST(Html, WhatIsNotSeen) {
  EXPECT_EQ(
      text_of("<head><title>T</title><style>p{}</style></head><body><script>var x = '<p>no</p>';</script>"
              "<nav><a>Menu</a></nav><noscript>no</noscript><p hidden>no</p><p style='Display : "
              "NONE'>no</p><!-- no --><p>yes</p>"),
      "yes\n");
  EXPECT_EQ(extract_html("<title> A &amp;\n B </title>x").title, "A & B");
  EXPECT_EQ(extract_html("<svg><title>no</title></svg><p>x").title, "");
}

TEST(Html, HeadingsKeepTheirPlace) {
  const Document document =
      extract_html("<h1>Guide</h1><p>intro<h2 id=x>Set <em>up</em></h2><p>first<h3></h3><h2>Use</h2>text");
  EXPECT_EQ(document.text, "# Guide\n\nintro\n\n## Set up\n\nfirst\n\n## Use\n\ntext\n");
  ASSERT_EQ(document.headings.size(), 3u);
  EXPECT_EQ(document.headings[1].text, "Set up");
  EXPECT_EQ(document.headings[1].level, 2);
  for (const Heading& heading : document.headings) {
    const std::string line = std::string(static_cast<std::size_t>(heading.level), '#') + " " + heading.text;
    EXPECT_EQ(document.text.substr(heading.offset, line.size()), line);
  }
  EXPECT_EQ(heading_path(document, document.text.find("intro")), "Guide");
  EXPECT_EQ(heading_path(document, document.text.find("first")), "Guide > Set up");
  EXPECT_EQ(heading_path(document, document.text.find("text")), "Guide > Use");
}

TEST(Html, Lists) {
  EXPECT_EQ(text_of("<p>x</p><ul><li>a<li><p>b</p><p>more</p></li></ul><p>y"),
            "x\n\n- a\n- b\n\n  more\n\ny\n");
  EXPECT_EQ(text_of("<ol><li>a<ul><li>deep</li></ul></li><li></li><li>c</li></ol>"),
            "1. a\n  - deep\n3. c\n");
  EXPECT_EQ(
      text_of("<dl><dt>--hard</dt><dd><p>Resets.</p><p>All.</p></dd><dt>--soft</dt><dd>Keeps.</dd></dl>"),
      "--hard\n  Resets.\n\n  All.\n\n--soft\n  Keeps.\n");
}

TEST(Html, CodeKeepsItsLines) {
  EXPECT_EQ(text_of("<p>Run:</p><pre><code>\n$ git stash\n\n  indented &amp; kept   \n</code></pre><p>done"),
            "Run:\n\n    $ git stash\n\n      indented & kept   \n\ndone\n");
}

TEST(Html, Tables) {
  EXPECT_EQ(text_of("<table><tr><th>a<th>b<tr><td><p>1</p></td><td><p>2</p></td></tr></table>"),
            "a | b\n1 | 2\n");
  EXPECT_EQ(text_of("<table><tr><td>Note</td><td><p>one</p><p>two</p></td><td>three</td></tr></table>x"),
            "Note | one\n\ntwo\n\nthree\n\nx\n");
}

TEST(Html, SurvivesDamage) {
  EXPECT_EQ(text_of("<p>a<b>b<p>c</b></div></span>d"), "ab\n\ncd\n");
  EXPECT_TRUE(valid_utf8(text_of("<p>\xff\xfe caf\xe9 \xc3</p>")));
  EXPECT_EQ(text_of("no tags at all"), "no tags at all\n");
  std::string deep;
  for (int i = 0; i < 900; ++i) deep += i % 3 == 0 ? "<ul><li>" : "<div>";
  EXPECT_EQ(text_of(deep + "bottom").substr(0, 4), "- - ");
  EXPECT_THROW(text_of(deep + deep + "bottom"), Error);
  std::string flat;
  for (int i = 0; i < 20'000; ++i) flat += i % 2 == 0 ? "<p>a<br>" : "<!-- <div> --><b>b</b>";
  EXPECT_GT(text_of(flat).size(), 30'000u);
}

/// Damaged documents give UTF-8, the same text twice, and headings that stand where they say.
TEST(Html, RandomDamage) {
  constexpr std::string_view kPieces[] = {
      "<h1>",    "</h1>",    "<h2>",      "<p>",    "</p>",  "<li>",
      "<ul>",    "</ul>",    "<pre>",     "</pre>", "<td>",  "<tr>",
      "<table>", "</table>", "word ",     "\n",     "  ",    "&amp;",
      "&#0;",    "\xc3\xa9", "\xff",      "<",      ">",     "\"",
      "<br>",    "<dd>",     "<dt>",      "<dl>",   "</dl>", "<b>",
      "</b>",    "<script>", "</script>", "<!--",   "-->",   std::string_view("\0", 1)};
  const unsigned seed = test::seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string html;
    for (unsigned i = random() % 60; i > 0; --i) html += kPieces[random() % std::size(kPieces)];
    const Document document = extract_html(html);
    ASSERT_TRUE(valid_utf8(document.text)) << html;
    ASSERT_EQ(extract_html(html).text, document.text);
    std::size_t before = 0;
    for (const Heading& heading : document.headings) {
      ASSERT_GE(heading.offset, before);
      ASSERT_LT(heading.offset, document.text.size());
      before = heading.offset;
      const std::size_t mark =
          document.text.find(std::string(static_cast<std::size_t>(heading.level), '#') + " ", heading.offset);
      ASSERT_NE(mark, std::string::npos) << html;
      ASSERT_EQ(document.text.substr(heading.offset, mark - heading.offset).find('\n'), std::string::npos)
          << html;
    }
  }
}

}  // namespace
}  // namespace vecstore::cli
