#!/usr/bin/env python3
"""Qdrant Edge on the sparse vectors that bench_text_core --sparse --dump has written, one search thread.

    pip install qdrant-edge-py numpy
    build/release/bin/bench_text_core --sparse --dump DIR
    python bench/text/sparse_peer.py DIR [--passes 3]

Prints time per query (wall, and processor time of the process: its search may use a thread of its own), ids and scores only.
"""
import argparse
import json
import os
import pathlib
import shutil
import tempfile
import time

import numpy as np
import qdrant_edge as q


def read(path, width):
    raw = np.fromfile(path, dtype=np.uint32).reshape(-1, 2 * width)
    return raw[:, :width], raw[:, width:].copy().view(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    dimensions, weights = read(options.folder / "records.bin", 200)
    ask_dimensions, ask_weights = read(options.folder / "queries.bin", 40)
    temporary = tempfile.mkdtemp()
    try:
        config = q.EdgeConfig(sparse_vectors={"s": q.EdgeSparseVectorParams(full_scan_threshold=1)}, max_search_threads=1)
        os.makedirs(temporary + "/shard")
        shard = q.EdgeShard.create(temporary + "/shard", config)
        start, wall = time.process_time(), time.perf_counter()
        for first in range(0, len(dimensions), 5000):
            shard.update(q.UpdateOperation.upsert_points(
                [q.Point(i, {"s": q.SparseVector(dimensions[i].tolist(), weights[i].tolist())}, {})
                 for i in range(first, min(first + 5000, len(dimensions)))]))
        shard.flush()
        inserted = time.perf_counter() - wall
        shard.optimize()
        total = sum(f.stat().st_size for f in pathlib.Path(temporary).rglob("*") if f.is_file())
        print(json.dumps({"op": "sparse_build", "records": len(dimensions), "insert_s": round(inserted, 1),
                          "wall_s": round(time.perf_counter() - wall, 1), "cpu_s": round(time.process_time() - start, 1), "bytes": total}), flush=True)
        asks = [q.Query.Nearest(q.SparseVector(d.tolist(), w.tolist()), using="s") for d, w in zip(ask_dimensions, ask_weights)]
        for k in (10, 100):
            best, used = 1e9, 1e9
            for _ in range(options.passes):
                check = 0.0
                start, wall = time.process_time(), time.perf_counter()
                for a in asks:
                    check += sum(p.score for p in shard.query(q.QueryRequest(limit=k, query=a)))
                best = min(best, time.perf_counter() - wall)
                used = min(used, time.process_time() - start)
            print(json.dumps({"op": "sparse", "k": k, "wall_ms": round(1e3 * best / len(asks), 4),
                              "ms": round(1e3 * used / len(asks), 4), "check": round(check, 3)}), flush=True)
    finally:
        shutil.rmtree(temporary)


if __name__ == "__main__":
    main()
