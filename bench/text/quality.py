#!/usr/bin/env python3
"""How good the answers are on public test collections: VecStore through its program with default settings, bm25s on the same terms.

    pip install bm25s numpy
    cmake --build --preset release --target vecstore_program vecstore_bench
    python bench/text/quality.py npl DIR        # doc-text, query-text, rlv-ass
    python bench/text/quality.py medline DIR    # MED.ALL, MED.QRY, MED.REL of the SMART collections; or one line per query: "1 text", "1 13 14"
    python bench/text/quality.py beir DIR       # corpus.jsonl, queries.jsonl, qrels/test.tsv

The collections are not ours to pass on: DIR is where you have put them. Texts are ingested whole, one record each; the
terms that bm25s ranks are those of VecStore's analyzer `english`. Dense and hybrid answers need a model (VECSTORE_MODELS). Prints nDCG@10
and recall@100 of all queries that have a relevant document.
"""
import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read_npl(folder):
    """Records end with a slash on a line of its own; the first line is the number."""
    def records(name):
        for record in re.split(r"^\s*/\s*$", (folder / name).read_text(errors="replace"), flags=re.M):
            if words := record.split():
                yield words[0], words[1:]
    texts = {i: " ".join(words) for i, words in records("doc-text")}
    queries = {i: " ".join(words).lower() for i, words in records("query-text")}
    return texts, queries, {i: {document: 1 for document in documents} for i, documents in records("rlv-ass")}


def read_medline(folder):
    def find(*names):
        return next(f for f in folder.iterdir() if f.name.lower() in names)

    def smart(text):
        """.I number, then .W and the text."""
        parts = re.split(r"^\.I (\d+)\s*$", text, flags=re.M)
        return {i: " ".join(body.replace(".W", " ", 1).split()) for i, body in zip(parts[1::2], parts[2::2])}

    texts = smart(find("med.all").read_text(errors="replace"))
    raw = find("med.qry", "medline.query").read_text(errors="replace")
    queries = smart(raw) if raw.startswith(".I") else dict(line.split(" ", 1) for line in raw.splitlines())
    qrels = {}
    for line in find("med.rel", "medline.rel").read_text().splitlines():
        numbers = line.split()
        if len(numbers) == 4 and numbers[1] == "0":  # query 0 document 1
            numbers = [numbers[0], numbers[2]]
        qrels.setdefault(numbers[0], {}).update({document: 1 for document in numbers[1:]})
    return texts, queries, qrels


def read_beir(folder):
    def lines(name):
        with open(folder / name) as file:
            return [json.loads(line) for line in file]
    texts = {d["_id"]: f"{d.get('title', '')} {d['text']}".strip() for d in lines("corpus.jsonl")}
    qrels = {}
    for line in (folder / "qrels/test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            qrels.setdefault(query, {})[document] = int(grade)
    return texts, {q["_id"]: q["text"] for q in lines("queries.jsonl") if q["_id"] in qrels}, qrels


READERS = {"npl": read_npl, "medline": read_medline, "beir": read_beir}


def write(folder, texts, queries, qrels):
    for name, rows in (("corpus", texts), ("queries", queries)):
        with open(folder / f"{name}.jsonl", "w") as out:
            for i, text in rows.items():
                print(json.dumps({"_id": i, "text": text}), file=out)
    with open(folder / "qrels.tsv", "w") as out:
        print("query-id\tcorpus-id\tscore", file=out)
        for query, documents in qrels.items():
            for document, grade in documents.items():
                print(query, document, grade, sep="\t", file=out)


class VecStore:
    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder

    def run(self, program, *args):
        return subprocess.run([str(self.programs / program), *args], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    def measure(self, database, mode):
        (self.folder / "run").write_text(self.run("vecstore", "run", database, "--queries", "queries.jsonl", "--mode", mode))
        return json.loads(self.run("vecstore", "eval", "--qrels", "qrels.tsv", "run", "--json"))

    def terms(self):
        """Terms of texts and queries, in the order of the files."""
        self.run("vecstore-bench", "text", "--corpus", "corpus.jsonl", "--queries", "queries.jsonl", "--dump", ".", "--folder", ".",
                 "--turns", "yes")
        return [[[t for t in line.split() if t != "_"] for line in (self.folder / "removed" / name).read_text().split("\n")[:-1]]
                for name in ("terms.txt", "queries.txt")]


def bm25s_measures(texts, queries, qrels, documents, asked):
    """The same measures of bm25s' ranking."""
    import bm25s
    import numpy
    numbers = {}
    ids = [[numbers.setdefault(term, len(numbers)) for term in document] for document in documents]
    index = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
    index.index((ids, numbers), show_progress=False)
    names, ndcg, recall = list(texts), [], []
    for query, terms in zip(queries, asked):
        relevant = qrels.get(query)
        if not relevant:
            continue
        known = [numbers[t] for t in terms if t in numbers]
        scores = index.get_scores_from_ids(known) if known else numpy.zeros(len(names))
        best = [names[i] for i in numpy.argsort(-scores, kind="stable")[:100] if scores[i] > 0]
        gain = sum(relevant.get(d, 0) / math.log2(rank + 2) for rank, d in enumerate(best[:10]))
        ideal = sum(g / math.log2(rank + 2) for rank, g in enumerate(sorted(relevant.values(), reverse=True)[:10]))
        ndcg.append(gain / ideal)
        recall.append(sum(d in relevant for d in best) / len(relevant))
    return {"ndcg@10": sum(ndcg) / len(ndcg), "recall@100": sum(recall) / len(recall), "queries": len(ndcg)}


def has_model():
    places = os.environ.get("VECSTORE_MODELS", str(ROOT / "build/models")).split(":")
    return any((pathlib.Path(place) / "all-MiniLM-L6-v2/model.safetensors").exists() for place in places)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=READERS)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    options = parser.parse_args()
    texts, queries, qrels = READERS[options.kind](options.data)
    qrels = {q: documents for q, documents in qrels.items() if q in queries}
    print(f"{options.kind}: {len(texts)} texts, {len(queries)} queries, {sum(map(len, qrels.values()))} judgements", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder, texts, queries, qrels)
        own = VecStore(options.programs.resolve(), folder)
        results = {"bm25s": bm25s_measures(texts, queries, qrels, *own.terms())}
        own.run("vecstore", "ingest", "text.vdb", "corpus.jsonl", "--embedder", "none")
        results["VecStore text"] = own.measure("text.vdb", "text")
        if has_model():
            own.run("vecstore", "ingest", "model.vdb", "corpus.jsonl")
            for mode in ("dense", "hybrid"):
                results[f"VecStore {mode}"] = own.measure("model.vdb", mode)
        else:
            print("dense and hybrid: skipped, there is no model in VECSTORE_MODELS")
    for name, measures in results.items():
        print(f"{name:16} nDCG@10 {measures['ndcg@10']:.4f}  recall@100 {measures['recall@100']:.4f}  {measures['queries']} queries")


if __name__ == "__main__":
    main()
