#!/usr/bin/env python3
"""Filtered vector search: VecStore's Collection beside Qdrant Edge, zvec and LanceDB through Python, one thread each, in turns.

    pip install numpy pyarrow qdrant-edge-py zvec lancedb
    cmake --build --preset release --target bench_filter
    python bench/filter/filter.py --base B.npy --queries Q.npy --texts T.jsonl[.gz] --folder DIR
        [--count 200] [--rounds 3] [--only NAME,...] [--build]

Records have a text, `cat` (100 values), `year` (2000 to 2025), `price` (0 to 100), all uniform, and `cluster` (k-means of the
vectors, 100). Every hit comes with metadata and text, on both sides. VecStore runs in a C++ program; of each peer's time that of the
same call on a collection without records is taken away, so that neither side pays for Python. A peer counts with its fastest
setting whose recall is at least .95; per query the best of the rounds, then the median over the queries; wall time.
DIR keeps data and indexes between runs; --build only makes them.
"""
import argparse
import gzip
import json
import pathlib
import statistics
import subprocess
import time

import numpy as np

from engines import ENGINES

BINARY = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/bench_filter"
CLUSTERS = 100
LEAST_RECALL = 0.95
CASES = {"all records": [], "price < 50": [("price", "<", 50)], "year >= 2023": [("year", ">=", 2023)],
         "cat = 7": [("cat", "=", 7)], "cat = 7 AND price < 50": [("cat", "=", 7), ("price", "<", 50)],
         "cat = 7 AND price < 1": [("cat", "=", 7), ("price", "<", 1)],
         "the farthest cluster": [("cluster", "=", "far")], "all but ten nearest clusters": [("cluster", "not in", "near")]}


def unit(matrix):
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(norms > 0, norms, 1)


def k_means(vectors, rng):
    sample = vectors[np.sort(rng.choice(len(vectors), min(20_000, len(vectors)), replace=False))]
    centres = sample[:: len(sample) // CLUSTERS][:CLUSTERS].copy()
    for _ in range(12):
        nearest = (sample @ centres.T).argmax(1)
        centres = unit(np.stack([sample[nearest == c].mean(0) if (nearest == c).any() else centres[c] for c in range(CLUSTERS)]))
    return centres


class Data:
    def __init__(self, options):
        self.base = unit(np.load(options.base)[:options.rows].astype(np.float32))
        self.queries = unit(np.load(options.queries)[:options.count].astype(np.float32))
        self.rows, self.dimension = self.base.shape
        opened = gzip.open if options.texts.endswith("gz") else open
        with opened(options.texts, "rt") as lines:
            self.texts = [json.loads(line)["text"] for _, line in zip(range(self.rows), lines)]
        rng = np.random.default_rng(1)
        self.fields = {"cat": rng.integers(0, 100, self.rows), "year": rng.integers(2000, 2026, self.rows),
                       "price": rng.random(self.rows) * 100}
        centres = k_means(self.base, rng)
        self.fields["cluster"] = np.concatenate([(self.base[i:i + 20_000] @ centres.T).argmax(1)
                                                 for i in range(0, self.rows, 20_000)])
        self.nearest = np.argsort(-(self.queries @ centres.T), 1)

    def vector(self, i):
        return self.base[i].tolist()

    def metadata(self, i):
        return {name: values[i].item() for name, values in self.fields.items()}

    def terms(self, case, q):
        """The condition of one query."""
        meant = {"far": int(self.nearest[q, -1]), "near": [int(c) for c in self.nearest[q, :10]]}
        return [(field, op, meant.get(value, value)) for field, op, value in CASES[case]]

    def mask(self, terms):
        mask = np.ones(self.rows, bool)
        for field, op, value in terms:
            column = self.fields[field]
            mask &= {"=": lambda: column == value, "<": lambda: column < value, ">=": lambda: column >= value,
                     "not in": lambda: ~np.isin(column, value)}[op]()
        return mask

    def truth(self):
        out = {case: [] for case in CASES}
        for q, query in enumerate(self.queries):
            scores = self.base @ query
            for case in CASES:
                rows = np.flatnonzero(self.mask(self.terms(case, q)))
                out[case].append(set(rows[np.argsort(-scores[rows], kind="stable")[:10]].tolist()))
        return out

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.base.tofile(folder / "base.f32")
        self.queries.tofile(folder / "queries.f32")
        for name, values in self.fields.items():
            values.astype(np.float64).tofile(folder / f"{name}.f64")
        with open(folder / "texts", "wb") as out:
            for text in self.texts:
                raw = text.encode()
                out.write(len(raw).to_bytes(4, "little") + raw)


class VecStore:
    """bench_filter: lines of queries' conditions in, times and ids out."""
    efforts = [16, 20, 24, 28, 32, 40, 48, 64, 80, 96, 128, 256]

    def __init__(self, folder, data):
        if not (folder / "data").exists():
            data.write(folder / "data")
        self.process = subprocess.Popen([BINARY, folder / "data", folder / "vecstore", str(data.dimension)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        print("vecstore", self.process.stdout.readline().strip(), flush=True)

    @staticmethod
    def condition(terms):
        parts = [f"{field} NOT IN ({', '.join(map(str, value))})" if op == "not in" else f"{field} {op} {value}"
                 for field, op, value in terms]
        return " AND ".join(parts)

    def run(self, conditions, effort):
        print(effort, file=self.process.stdin)
        for condition in conditions:
            print(condition, file=self.process.stdin)
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["seconds"], answer["ids"], answer["plan"]


def run_peer(engine, queries, conditions, effort):
    seconds, empty, ids = [], [], []
    for vector, condition in zip(queries, conditions):
        begin = time.perf_counter()
        engine.empty(vector, condition, effort)
        middle = time.perf_counter()
        found = engine.search(vector, condition, effort)
        seconds.append(time.perf_counter() - middle)
        empty.append(middle - begin)
        ids.append(found)
    return seconds, empty, ids


def recall(found, truth):
    wanted = sum(map(len, truth))
    return sum(len(want & set(ids)) for ids, want in zip(found, truth)) / wanted if wanted else 1.0


def least_effort(engine, measure, truth):
    """The first setting that finds enough, and what it finds; the last one where none does."""
    for effort in engine.efforts:
        found = recall(measure(effort), truth)
        if found >= LEAST_RECALL:
            break
    return effort, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="vecstore," + ",".join(ENGINES))
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--build", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    data = Data(options)
    engines = {}
    for name in options.only.split(","):
        try:
            made = ENGINES.get(name)
            engines[name] = made[0](options.folder, data, made[1]) if made else VecStore(options.folder, data)
        except ImportError as e:
            print(f"{name}: skipped ({e})", flush=True)
    if options.build:
        return
    truth = data.truth()
    queries = [query.tolist() for query in data.queries]
    for case in options.case or CASES:
        terms = [data.terms(case, q) for q in range(len(queries))]
        best, efforts = {}, {}
        for name, engine in engines.items():
            conditions = [engine.condition(t) for t in terms]
            if name == "vecstore":
                efforts[name] = least_effort(engine, lambda e: engine.run(conditions, e)[1], truth[case])
            else:
                efforts[name] = least_effort(engine, lambda e: run_peer(engine, queries, conditions, e)[2], truth[case])
        for _ in range(options.rounds):
            for name, engine in engines.items():
                conditions = [engine.condition(t) for t in terms]
                if name == "vecstore":
                    seconds, _, plan = engine.run(conditions, efforts[name][0])
                    empty = [0.0] * len(seconds)
                else:
                    seconds, empty, _ = run_peer(engine, queries, conditions, efforts[name][0])
                    plan = None
                known = best.setdefault(name, (seconds, empty, plan))
                best[name] = tuple([min(a, b) for a, b in zip(x, y)] for x, y in zip(known[:2], (seconds, empty))) + (plan,)
        peers = {}
        for name, (seconds, empty, plan) in best.items():
            whole, nothing = statistics.median(seconds), statistics.median(empty)
            result = {"case": case, "engine": name, "effort": efforts[name][0], "recall": round(efforts[name][1], 4),
                      "p50_us": round(1e6 * (whole - nothing), 1), "with_call_us": round(1e6 * whole, 1)}
            if plan:
                result["plan"] = plan
            print(json.dumps(result), flush=True)
            if name != "vecstore" and efforts[name][1] >= LEAST_RECALL:
                peers[name] = whole - nothing
        if peers and "vecstore" in best:
            fastest = min(peers, key=peers.get)
            ratio = peers[fastest] / statistics.median(best["vecstore"][0])
            print(f"{case}: {ratio:.2f} times the queries per second of {fastest}", flush=True)


if __name__ == "__main__":
    main()
