#!/usr/bin/env python3
"""tantivy on the terms that bench_text_core --dump has written, one thread, one segment.

    pip install tantivy
    build/release/bin/bench_text_core --corpus C.jsonl.gz --queries Q.jsonl --dump DIR
    python bench/text/tantivy_peer.py DIR [--passes 3]

Prints the lines that bench_text_core prints. The terms are those of VecStore's analyzer, split at blanks here; queries are
built from term queries, so that no parser turns words into phrases. `build_raw` is the time to index the raw texts with tantivy's own
tokenizer and English stemmer, for the comparison of building speed. Times are processor time of the process: the
documents' addresses and scores are fetched, their contents are not.
"""
import argparse
import json
import pathlib
import shutil
import tempfile
import time

import tantivy


def build(lines, tokenizer, folder):
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", stored=False, tokenizer_name=tokenizer, index_option="position")
    builder.add_unsigned_field("id", stored=True)
    index = tantivy.Index(builder.build(), path=str(folder))
    whole = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("terms", whole)
    start, wall = time.process_time(), time.perf_counter()
    writer = index.writer(heap_size=1_000_000_000, num_threads=1)
    for i, line in enumerate(lines):
        writer.add_document(tantivy.Document(text=line, id=i))
    writer.commit()
    writer.wait_merging_threads()
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    index.reload()
    size = sum(f.stat().st_size for f in folder.iterdir() if f.suffix in {".idx", ".pos", ".term", ".fieldnorm", ".store", ".fast"})
    print(json.dumps({"op": "build" if tokenizer == "terms" else "build_raw", "passages": len(lines), "cpu_s": round(seconds, 3),
                      "wall_s": round(wall, 3), "passages_per_s": round(len(lines) / seconds), "bytes": size,
                      "files": {f.suffix: f.stat().st_size for f in folder.iterdir()}}), flush=True)
    return index


def query(index, words, op):
    schema = index.schema
    if op == "phrase":
        return tantivy.Query.phrase_query(schema, "text", list(words))
    occur = tantivy.Occur.Must if op == "and" else tantivy.Occur.Should
    return tantivy.Query.boolean_query([(occur, tantivy.Query.term_query(schema, "text", w)) for w in words])


def measure(searcher, queries, k, passes):
    best = None
    for _ in range(passes):
        times, hits, check = [], 0, 0.0
        for q in queries:
            start = time.process_time()
            found = searcher.search(q, k, count=False).hits
            times.append(1e3 * (time.process_time() - start))
            hits += len(found)
            check += sum(score for score, _ in found)
        ms = sum(times) / len(times)
        if best is None or ms < best["ms"]:
            times.sort()
            best = {"ms": round(ms, 4), "p50_ms": round(times[len(times) // 2], 4), "p99_ms": round(times[len(times) * 99 // 100], 4),
                    "hits": round(hits / len(queries), 2), "check": round(check, 3)}
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--raw", action="store_true", help="measure building from raw texts, too")
    options = parser.parse_args()
    lines = (options.folder / "terms.txt").read_text().split("\n")[:-1]
    queries = [q.split() for q in (options.folder / "queries.txt").read_text().split("\n")[:-1]]
    temporary = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        if options.raw:
            (temporary / "raw").mkdir()
            build((options.folder / "texts.txt").read_text().split("\n")[:-1], "en_stem", temporary / "raw")
        (temporary / "terms").mkdir()
        index = build(lines, "terms", temporary / "terms")
        searcher = index.searcher()
        print(json.dumps({"segments": searcher.num_segments}))
        for op in ("or", "and", "phrase"):
            for words in (2, 4, 12):
                asked = [query(index, q[:words], op) for q in queries if len(q) >= words or words > 4]
                for k in (10, 100):
                    print(json.dumps({"op": op, "words": words, "k": k} | measure(searcher, asked, k, options.passes)), flush=True)
    finally:
        shutil.rmtree(temporary)


if __name__ == "__main__":
    main()
