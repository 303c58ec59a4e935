"""One peer of text search in a process of its own: peers.py KIND QUERIES IDS FOLDER... Each FOLDER (kept, removed) holds terms.txt and
queries.txt as `vecstore-bench text --dump` writes them: the terms of VecStore's analyzer between blanks, `_` in the place
of a word that was left out. Builds its indexes, prints {"ready": true}; for each line on standard input it asks every
query once per setting and prints what that took, then {"pass": N}. IDS is ids or none: whether hits have ids beside scores, as
VecStore's have.

One more peer: a class with `build`, `ask` (what is made of a query, outside of the clock; None: it cannot) and `search`,
and a line in KINDS.
"""
import json
import pathlib
import shutil
import sys
import tempfile
import time

FILTERS = {0.1: "tenth", 0.01: "hundredth"}
SETTINGS = [(op, words, k, None) for op in ("or", "and", "phrase") for words in (2, 4, 12) for k in (10, 100)]
SETTINGS += [("or_filtered", words, k, share) for share in FILTERS for words in (2, 4, 12) for k in (10, 100)]


def share_of(record):
    """As vecstore-bench has it: 0 to 99 for each record."""
    return ((record * 2654435761 & 0xFFFFFFFF) * 100) >> 32


class Tantivy:
    """One segment in memory-mapped files, one thread, positions. A filter is a term that costs and scores nothing but the
    look-up, which is the quickest that tantivy has. Hits are addresses and scores; their ids are read from a fast field, a column
    of numbers, for all hits of a query in one call: the quickest documented way. Stored documents are not touched."""

    def __init__(self, with_ids):
        self.with_ids = with_ids

    def build(self, lines, folder):
        import tantivy
        self.lib = tantivy
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", stored=False, tokenizer_name="terms", index_option="position")
        builder.add_text_field("shares", stored=False, tokenizer_name="terms", index_option="basic")
        builder.add_integer_field("id", fast=True)
        index = tantivy.Index(builder.build(), path=str(folder))
        terms = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(tantivy.Filter.custom_stopword(["_"]))
        index.register_tokenizer("terms", terms.build())
        writer = index.writer(heap_size=1_000_000_000, num_threads=1)
        for i, line in enumerate(lines):
            shares = " ".join(name for part, name in FILTERS.items() if share_of(i) < part * 100)
            writer.add_document(tantivy.Document(text=line, shares=shares, id=i))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.schema, self.searcher = index.schema, index.searcher()
        files = {f.suffix: f.stat().st_size for f in folder.iterdir()}
        counted = (".idx", ".pos", ".term", ".fieldnorm") + ((".fast",) if self.with_ids else ())
        return {"bytes": sum(files.get(s, 0) for s in counted), "segments": self.searcher.num_segments}

    def ask(self, terms, op, share):
        q, occur = self.lib.Query, self.lib.Occur
        words = [q.term_query(self.schema, "text", t) for _, t in terms]
        if op == "phrase":
            return words[0] if len(words) == 1 else q.phrase_query(self.schema, "text", [(at - terms[0][0], t) for at, t in terms])
        if op == "and":
            return q.boolean_query([(occur.Must, w) for w in words])
        either = q.boolean_query([(occur.Should, w) for w in words])
        if share is None:
            return either
        among = q.const_score_query(q.term_query(self.schema, "shares", FILTERS[share]), 0.0)
        return q.boolean_query([(occur.Must, either), (occur.Must, among)])

    def search(self, query, k):
        hits = self.searcher.search(query, k, count=False).hits
        if not self.with_ids:
            return hits
        return list(zip(self.searcher.fast_field_values("id", [address for _, address in hits]), hits))


class Bm25s:
    """Scores of all texts at once, in memory; it knows neither AND nor phrases. The numbers of the texts come with the scores."""

    def __init__(self, with_ids):
        pass

    def build(self, lines, folder):
        import bm25s
        import numpy
        self.index = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
        self.index.index([[t for t in line.split() if t != "_"] for line in lines], show_progress=False)
        shares = numpy.array([share_of(i) for i in range(len(lines))])
        self.masks = {share: (shares < share * 100).astype(numpy.float32) for share in FILTERS}
        self.masks[None] = None
        arrays = [a for a in self.index.scores.values() if hasattr(a, "nbytes")]
        return {"bytes": sum(a.nbytes for a in arrays) + sum(len(t) + 8 for t in self.index.vocab_dict)}

    def ask(self, terms, op, share):
        return ([t for _, t in terms], self.masks[share]) if op.startswith("or") else None

    def search(self, query, k):
        terms, mask = query
        ids, scores = self.index.retrieve([terms], k=k, n_threads=1, show_progress=False, weight_mask=mask)
        return [hit for hit in zip(ids[0].tolist(), scores[0].tolist()) if hit[1] > 0]


KINDS = {"tantivy": Tantivy, "bm25s": Bm25s}


class Measured:
    def __init__(self, kind, folder, most, with_ids):
        self.peer, self.stop_words = KINDS[kind](with_ids), folder.name
        lines = (folder / "terms.txt").read_text().split("\n")[:-1]
        self.queries = [[(at, t) for at, t in enumerate(line.split()) if t != "_"]
                        for line in (folder / "queries.txt").read_text().split("\n")[:-1]][:most]
        self.files = pathlib.Path(tempfile.mkdtemp(dir=folder))
        cpu, wall = time.process_time(), time.perf_counter()
        self.built = self.peer.build(lines, self.files)
        self.built |= {"built": self.stop_words, "index_s": round(time.perf_counter() - wall, 3),
                       "index_cpu_s": round(time.process_time() - cpu, 3)}

    def run_pass(self):
        for op, words, k, share in SETTINGS:
            asked = [self.peer.ask(q[:words], op, share) for q in self.queries if q and (len(q) >= words or words > 4)]
            if not asked or asked[0] is None:
                continue
            times, hits = [], 0
            cpu = time.process_time()
            for q in asked:
                start = time.perf_counter()
                found = self.peer.search(q, k)
                times.append(1e3 * (time.perf_counter() - start))
                hits += len(found)
            cpu = time.process_time() - cpu
            times.sort()
            print(json.dumps({"op": op, "words": words, "k": k, "stop_words": self.stop_words, "filter": share,
                              "qps": round(1e3 * len(times) / sum(times), 1), "p50_ms": round(times[len(times) // 2], 4),
                              "p99_ms": round(times[len(times) * 99 // 100], 4), "cpu_qps": round(len(times) / cpu, 1),
                              "queries": len(times), "hits": round(hits / len(times), 2)}))


def main():
    kind, most, ids, folders = sys.argv[1], int(sys.argv[2]), sys.argv[3], [pathlib.Path(f) for f in sys.argv[4:]]
    measured = [Measured(kind, folder, most, ids == "ids") for folder in folders]
    try:
        for m in measured:
            print(json.dumps(m.built))
        print(json.dumps({"ready": True}), flush=True)
        for number, _ in enumerate(sys.stdin):
            for m in measured:
                m.run_pass()
            print(json.dumps({"pass": number + 1}), flush=True)
    finally:
        for m in measured:
            shutil.rmtree(m.files, ignore_errors=True)


if __name__ == "__main__":
    main()
