#!/usr/bin/env python3
"""Writes texts and how LangChain splits them, as the expected results of RecursiveTextSplitter.

Run by hand, in a virtual environment with the PyPI package langchain-text-splitters:
    python tools/oracle/splitter_oracle.py tests/data/splitter            # the golden files of the repository
    python tools/oracle/splitter_oracle.py --cases 10000 --seed 7 DIR     # a large comparison; then
    VECSTORE_SPLITTER_GOLDEN=DIR splitter_golden_test
One JSON object per line: preset or separators, chunk_size, overlap, text, chunks as [start_char, end_char].
"""
import argparse
import json
import pathlib
import random

from langchain_text_splitters import Language, RecursiveCharacterTextSplitter

WORDS = ["a", "of", "the", "wing", "lift", "vector", "naïve", "Ärzte", "größe", "検索", "データ", "поиск", "🙂", "👩‍🔬",
         "e\u0301", "x_y", "don't", "3.14", "supercalifragilistic", "http://example.org/a/b", "\U0001F1E9\U0001F1EA"]
GLUE = [" ", " ", " ", " ", "  ", ", ", ". ", "\n", "\n\n", "\n\n\n", "\t", "。", "|", "ab", ""]
MARKDOWN = ["\n# ", "\n## ", "\n####### ", "\n###### ", "\n#", "```\n", "\n```\n", "\n***\n", "\n****\n", "\n**\n", "\n---\n",
            "\n-----\n", "\n___\n", "\n- ", "\n\n", "\n"]
LISTS = [["\n\n", "\n", " ", ""], ["\n", ""], [" ", ""], [""], ["\n\n", ""], ["\n\n", "\n", ". ", ", ", " ", ""], ["。", "\n", ""],
         ["ab", "a", ""], ["aa", "a", "b", ""], ["\n\n", "|", "", " "], ["🙂", " ", ""], ["\u0301", ""], [".", " ", ""],
         ["the", "of ", ""], ["\n\n\n", "\n\n", "\n", ""], ["[", "(.*)", "\\", "^", ""]]


def make_text(rng, markdown):
    parts = []
    glue = GLUE + MARKDOWN * 2 if markdown else GLUE
    weights = [rng.random() ** 2 for _ in glue]
    for _ in range(rng.randrange(0, 80)):
        parts.append(rng.choice(WORDS))
        parts.append(rng.choices(glue, weights)[0])
        if rng.random() < 0.02:
            parts.append(rng.choice("ab \n🙂é") * rng.randrange(1, 60))
    return "".join(parts)


def split(text, separators, is_regex, size, overlap):
    splitter = RecursiveCharacterTextSplitter(separators=separators, is_separator_regex=is_regex, chunk_size=size,
                                              chunk_overlap=overlap, strip_whitespace=False)
    return splitter.split_text(text)


def places(text, chunks, overlap):
    """[start, end] of each chunk. Each begins where the last one ended, less the text that both share."""
    out = []
    for chunk in chunks:
        low = max(out[-1][1] - overlap, out[-1][0]) if out else 0
        found = [s for s in range(low, (out[-1][1] if out else 0) + 1) if text.startswith(chunk, s)]
        out.append([[s, s + len(chunk)] for s in found])
        if len(found) != 1:
            return None
        out[-1] = out[-1][0]
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    args.folder.mkdir(parents=True, exist_ok=True)
    regexes = RecursiveCharacterTextSplitter.get_separators_for_language(Language.MARKDOWN)
    for name in ("plain", "markdown"):
        with open(args.folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
            for number in range(args.cases):
                markdown = name == "markdown"
                case = {"preset": "markdown"} if markdown else {"separators": LISTS[number % len(LISTS)]}
                separators = regexes if markdown else case["separators"]
                size = rng.choice([1, 2, 3, 5, 8, 13, 20, 40, 80, 200, 1000])
                overlap = rng.choice([0, 0, 1, 2, size // 4, size // 2, size - 1])
                overlap = min(overlap, size - 1)
                text = make_text(rng, markdown)
                chunks = split(text, separators, markdown, size, overlap)
                case |= {"chunk_size": size, "overlap": overlap, "text": text}
                # Where a repetitive text leaves the place of a chunk open, the texts themselves are compared.
                where = places(text, chunks, overlap)
                case |= {"places": where} if where is not None else {"chunks": chunks}
                out.write(json.dumps(case, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
