#!/usr/bin/env python3
"""Sparse vectors: VecStore's Collection and Qdrant Edge, one search thread each, in turns; ids and scores are returned.

`vecstore` keeps exact values in its index, `int8` codes alone (sparse_codes); `int8-codes` is the latter without exact scores,
`int8-exact` with exact().

    pip install qdrant-edge-py numpy
    cmake --build --preset release --target bench_sparse
    python bench/sparse/sparse.py --folder DIR [--records 300000] [--queries 200] [--rounds 3] [--only ENGINE,ENGINE]

Terms Zipf(1.0) over 30,000, 200 per record and 40 per query without replacement, weights log-normal(0, 0.7), seed 7.
Milliseconds per query are processor time of the process (ms) and wall time, the best of all passes; `check` is the sum of all scores.
DIR keeps data and indexes between runs.
"""
import argparse
import json
import os
import pathlib
import subprocess
import time

import numpy as np

TERMS, PER_RECORD, PER_QUERY = 30_000, 200, 40
BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/bench_sparse"


def draw(rng, rows, width, path):
    """Without replacement: what was drawn before is drawn again."""
    shares = np.cumsum(1 / np.arange(1, TERMS + 1))
    with open(path, "wb") as out:
        for first in range(0, rows, 1000):
            n = min(1000, rows - first)
            draws = np.searchsorted(shares, rng.random((n, 8 * width)) * shares[-1]).astype(np.uint32)
            indices = np.empty((n, width), dtype=np.uint32)
            for i, row in enumerate(draws):
                terms, at = np.unique(row, return_index=True)
                indices[i] = np.sort(terms[np.argsort(at)[:width]])
            weights = rng.lognormal(0, 0.7, (n, width)).astype(np.float32)
            out.write(np.concatenate([indices, weights.view(np.uint32)], axis=1).tobytes())


def read(path, width):
    raw = np.fromfile(path, dtype=np.uint32).reshape(-1, 2 * width)
    return raw[:, :width], raw[:, width:].copy().view(np.float32)


class VecStore:
    processes = {}

    def __init__(self, folder, codes, mode):
        self.mode = mode
        if codes not in self.processes:
            path = folder / f"vecstore-{codes}"
            fresh = not path.exists()
            self.processes[codes] = subprocess.Popen([BINARY, folder, path, codes], stdin=subprocess.PIPE,
                                                     stdout=subprocess.PIPE, text=True)
            if fresh:
                print(path.name, self.processes[codes].stdout.readline().strip(), flush=True)
        self.process = self.processes[codes]

    def run(self, k, mode=None):
        print(k, 1, mode or self.mode, file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


class Qdrant:
    def __init__(self, folder):
        import qdrant_edge as q
        self.q = q
        path = folder / "qdrant"
        config = q.EdgeConfig(sparse_vectors={"s": q.EdgeSparseVectorParams(full_scan_threshold=1)}, max_search_threads=1)
        if path.exists():
            self.shard = q.EdgeShard.load(str(path), config)
        else:
            os.makedirs(path)
            self.shard = q.EdgeShard.create(str(path), config)
            self.build(folder)
        indices, weights = read(folder / "queries.bin", PER_QUERY)
        self.queries = [q.Query.Nearest(q.SparseVector(i.tolist(), w.tolist()), using="s") for i, w in zip(indices, weights)]

    def build(self, folder):
        q = self.q
        indices, weights = read(folder / "records.bin", PER_RECORD)
        cpu, wall = time.process_time(), time.perf_counter()
        for first in range(0, len(indices), 5000):
            self.shard.update(q.UpdateOperation.upsert_points(
                [q.Point(i, {"s": q.SparseVector(indices[i].tolist(), weights[i].tolist())}, {})
                 for i in range(first, min(first + 5000, len(indices)))]))
        self.shard.flush()
        self.shard.optimize()
        print("qdrant", json.dumps({"wall_s": round(time.perf_counter() - wall, 1), "cpu_s": round(time.process_time() - cpu, 1)}),
              flush=True)

    def run(self, k):
        check, cpu, wall = 0.0, time.process_time(), time.perf_counter()
        for query in self.queries:
            check += sum(p.score for p in self.shard.query(self.q.QueryRequest(limit=k, query=query)))
        n = len(self.queries)
        return {"k": k, "ms": 1e3 * (time.process_time() - cpu) / n, "wall_ms": 1e3 * (time.perf_counter() - wall) / n,
                "check": check}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="engines, with commas; or data")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / "queries.bin").exists():
        rng = np.random.default_rng(7)
        draw(rng, options.records, PER_RECORD, options.folder / "records.bin")
        draw(rng, options.queries, PER_QUERY, options.folder / "queries.bin")
    makers = {"vecstore": lambda folder: VecStore(folder, "f32", "best"), "int8": lambda folder: VecStore(folder, "int8", "best"),
              "int8-codes": lambda folder: VecStore(folder, "int8", "codes"),
              "int8-exact": lambda folder: VecStore(folder, "int8", "exact"), "qdrant": Qdrant}
    engines = {name: make(options.folder) for name, make in makers.items()
               if options.only is None or name in options.only.split(",")}
    best = {}
    for _ in range(options.rounds):
        for k in (10, 100):
            for name, engine in engines.items():
                result = engine.run(k)
                known = best.setdefault((name, k), result)
                for clock in ("ms", "wall_ms"):
                    known[clock] = round(min(known[clock], result[clock]), 4)
                known["check"] = round(result["check"], 1)
    for (name, k), result in best.items():
        print(name, json.dumps(result), flush=True)
    for k in (10, 100):
        for name in engines:
            if "qdrant" in engines and name != "qdrant":
                print(f"{name} at {k}: {best['qdrant', k]['ms'] / best[name, k]['ms']:.2f} times as many queries (processor time)")
        if "int8" in engines:
            print("int8", json.dumps(engines["int8"].run(k, "recall")), flush=True)


if __name__ == "__main__":
    main()
