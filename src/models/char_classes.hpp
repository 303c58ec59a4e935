// Classes of code points as the reference tokenizer of BERT models sees them.
#pragma once
#include <cstdint>

namespace vecstore::models {

bool is_bert_control(char32_t c);      ///< Dropped when the text is cleaned.
bool is_bert_space(char32_t c);        ///< Separates words.
bool is_bert_punctuation(char32_t c);  ///< A word of its own.
bool is_bert_ideograph(char32_t c);    ///< A word of its own where ideographs are split.
bool is_bert_accent(char32_t c);       ///< Dropped where accents are stripped.
char32_t bert_lower(char32_t c);

/// Canonical decomposition and combining class.
int decompose(char32_t c, char32_t out[4]);
int combining_class(char32_t c);

}  // namespace vecstore::models
