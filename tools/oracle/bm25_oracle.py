#!/usr/bin/env python3
"""Writes documents, queries and the scores that bm25s (method="lucene", k1=1.2, b=0.75) gives them.

Run by hand, in a virtual environment with the PyPI packages bm25s and numpy:
    python tools/oracle/bm25_oracle.py golden tests/data/bm25/golden.txt
    python tools/oracle/bm25_oracle.py eval TERMS QRELS     # nDCG@10 with bm25s of the terms that the test
                                                            # TextQuality.Cranfield writes (VECSTORE_DUMP_TERMS=TERMS)
"""
import argparse
import collections
import math
import pathlib
import random

import bm25s
import numpy


def scores_of(documents, queries):
    """One array of scores per query. Words without a document are left out, as they score nothing."""
    numbers = {}
    ids = [[numbers.setdefault(word, len(numbers)) for word in document] for document in documents]
    retriever = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
    retriever.index((ids, numbers), show_progress=False)
    for query in queries:
        known = [numbers[word] for word in query if word in numbers]
        yield retriever.get_scores_from_ids(known) if known else numpy.zeros(len(documents))


def write_golden(path):
    rng = random.Random(42)
    words = [f"w{i}" for i in range(120)]
    weights = [1 / (i + 1) for i in range(len(words))]
    documents = [rng.choices(words, weights, k=rng.randrange(1, 40)) for _ in range(150)]
    queries = [rng.choices(words + ["unknown"], k=rng.randrange(1, 8)) for _ in range(40)]
    queries += [["w0"], ["w0", "w0", "w1"], ["unknown"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        for document in documents:
            out.write(" ".join(["doc", *document]) + "\n")
        for query, scores in zip(queries, scores_of(documents, queries)):
            out.write(" ".join(["query", *query]) + "\n")
            for row in numpy.flatnonzero(scores):
                out.write(f"score {row} {scores[row]:.9g}\n")


def evaluate(terms, qrels):
    relevant = collections.defaultdict(dict)
    for line in open(qrels, encoding="utf-8").read().splitlines()[1:]:
        query, document, grade = line.split("\t")
        relevant[query][document] = int(grade)
    lines = [line.rstrip("\n").split("\t") for line in open(terms, encoding="utf-8")]
    documents = [(name, words.split(" ") if words else []) for kind, name, words in lines if kind == "doc"]
    queries = [(name, words.split(" ") if words else []) for kind, name, words in lines if kind == "query"]
    values = []
    for (name, _), scores in zip(queries, scores_of([w for _, w in documents], [w for _, w in queries])):
        best = numpy.argsort(-scores, kind="stable")[:10]
        gain = sum(relevant[name].get(documents[row][0], 0) / math.log2(rank + 2) for rank, row in enumerate(best))
        ideal = sorted(relevant[name].values(), reverse=True)[:10]
        values.append(gain / sum(g / math.log2(rank + 2) for rank, g in enumerate(ideal)))
    print(f"nDCG@10 {sum(values) / len(values):.6f} over {len(values)} queries")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["golden", "eval"])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    write_golden(args.files[0]) if args.mode == "golden" else evaluate(*args.files)


if __name__ == "__main__":
    main()
