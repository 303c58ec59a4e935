#!/usr/bin/env python3
"""Plain durable insert of the same files into VecStore and its peers.

    ingest.py make DIR [--rows 300000] [--base base.npy --texts texts.jsonl.gz]   writes DIR/vectors.npy and DIR/rows.jsonl
    ingest.py run DIR --vecstore PROGRAM [--peers sqlite-vec,zvec,qdrant,lancedb] [--rounds 3]

Everybody reads vectors.npy and rows.jsonl (_id, text, cat, year, price), inserts in batches of 10,000 (the peer's own
limit where that is lower) and ends with what makes it durable. No peer builds a vector index in the measured time; those
that build one while inserting cannot be told not to. Each run is a process of its own on a fresh directory.
"""
import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

BATCH = 10_000
SYNC = os.environ.get("LANCEDB_SYNC", "1") == "1"  # 0: its plain insert, which is not durable
DIMENSION = 384


def make(args):
    import numpy as np
    os.makedirs(args.dir, exist_ok=True)
    rng = np.random.default_rng(7)
    if args.base:
        base = np.load(args.base, mmap_mode="r")
        opener = gzip.open if args.texts.endswith("gz") else open
        texts = [json.loads(line)["text"] for line in opener(args.texts, "rt")]
    else:
        base = rng.standard_normal((10_000, DIMENSION), dtype=np.float32)
        words = ["w%d" % i for i in range(5_000)]
        texts = [" ".join(rng.choice(words, 25)) for _ in range(10_000)]
    out = np.lib.format.open_memmap(f"{args.dir}/vectors.npy", "w+", np.float32, (args.rows, DIMENSION))
    for start in range(0, args.rows, BATCH):
        rows = np.arange(start, min(start + BATCH, args.rows))
        part = np.asarray(base[rows % len(base)], dtype=np.float32)
        # Later rounds through a smaller base are moved a little, so that no two rows are equal.
        part = part + (rows // len(base))[:, None] * 0.01 * rng.standard_normal(part.shape, dtype=np.float32)
        out[start:start + len(rows)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    out.flush()
    with open(f"{args.dir}/rows.jsonl", "w") as f:
        for i in range(args.rows):
            f.write(json.dumps({"_id": str(i), "title": "", "text": texts[i % len(texts)], "cat": int(rng.integers(100)),
                                "year": int(rng.integers(2000, 2026)), "price": round(float(rng.random() * 100), 2)}) + "\n")


def batches(directory):
    import numpy as np
    vectors = np.load(f"{directory}/vectors.npy", mmap_mode="r")
    with open(f"{directory}/rows.jsonl") as f:
        start = 0
        while True:
            rows = [json.loads(line) for line in (f.readline() for _ in range(BATCH)) if line]
            if not rows:
                return
            yield start, rows, np.ascontiguousarray(vectors[start:start + len(rows)])
            start += len(rows)


def insert_sqlite_vec(source, target):
    import pysqlite3 as sqlite3
    import sqlite_vec
    db = sqlite3.connect(target)
    db.enable_load_extension(True)
    sqlite_vec.load(db)
    db.execute(f"create virtual table b using vec0(id integer primary key, v float[{DIMENSION}] distance_metric=cosine, "
               "cat integer, year integer, price float, +text text)")
    for start, rows, x in batches(source):
        with db:
            db.executemany("insert into b(id,v,cat,year,price,text) values(?,?,?,?,?,?)",
                           ((start + i, x[i].tobytes(), r["cat"], r["year"], r["price"], r["text"]) for i, r in enumerate(rows)))
    db.close()


def insert_zvec(source, target):
    import zvec
    from zvec import (CollectionSchema, DataType, Doc, FieldSchema, FlatIndexParam, MetricType, VectorSchema)
    schema = CollectionSchema(name="b", fields=[FieldSchema("cat", DataType.INT64), FieldSchema("year", DataType.INT64),
                                                FieldSchema("price", DataType.DOUBLE), FieldSchema("text", DataType.STRING)],
                              vectors=VectorSchema("v", DataType.VECTOR_FP32, DIMENSION, FlatIndexParam(metric_type=MetricType.COSINE)))
    c = zvec.create_and_open(target, schema)
    for start, rows, x in batches(source):
        for s in range(0, len(rows), 1000):
            c.insert([Doc(id=str(start + s + i), fields={k: r[k] for k in ("cat", "year", "price", "text")}, vectors={"v": x[s + i].tolist()})
                      for i, r in enumerate(rows[s:s + 1000])])
    c.flush()


def insert_qdrant(source, target):
    import qdrant_edge as q
    os.makedirs(target)
    shard = q.EdgeShard.create(target, q.EdgeConfig(vectors=q.EdgeVectorParams(size=DIMENSION, distance=q.Distance.Cosine)))
    for start, rows, x in batches(source):
        shard.update(q.UpdateOperation.upsert_points(
            [q.Point(start + i, x[i].tolist(), {k: r[k] for k in ("cat", "year", "price", "text")}) for i, r in enumerate(rows)]))
    shard.flush()
    shard.close()


def insert_lancedb(source, target):
    import lancedb
    import pyarrow as pa
    db = lancedb.connect(target)
    table = None
    for start, rows, x in batches(source):
        part = pa.table({"id": pa.array(range(start, start + len(rows))), "v": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), DIMENSION),
                         "text": [r["text"] for r in rows], "cat": [r["cat"] for r in rows], "year": [r["year"] for r in rows],
                         "price": [r["price"] for r in rows]})
        if table is None:
            table = db.create_table("b", part)
        else:
            table.add(part)
    if SYNC:
        # LanceDB itself syncs nothing: without this its rows are in the page cache when the insert returns.
        for folder, _, files in os.walk(target):
            for path in [folder] + [f"{folder}/{name}" for name in files]:
                fd = os.open(path, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)


PEERS = {"sqlite-vec": insert_sqlite_vec, "zvec": insert_zvec, "qdrant": insert_qdrant, "lancedb": insert_lancedb}


def peak_anon_mb(process):
    """Polls RssAnon of a running child until it ends; the peak in MB."""
    peak = 0
    while process.poll() is None:
        try:
            for line in open(f"/proc/{process.pid}/status"):
                if line.startswith("RssAnon"):
                    peak = max(peak, int(line.split()[1]))
        except OSError:
            pass
        time.sleep(0.02)
    return peak // 1024


def disk_mb(path):
    return int(subprocess.run(["du", "-sm", path], capture_output=True, text=True, check=True).stdout.split()[0])


def measure(name, args, rows):
    base = tempfile.mkdtemp(dir=args.scratch)
    target = f"{base}/db"
    if name == "vecstore":
        command = [args.vecstore, "ingest", target, f"{args.dir}/rows.jsonl", "--vectors", f"{args.dir}/vectors.npy", "--embedder", "none"]
    else:
        command = [sys.executable, __file__, "one", args.dir, name, target]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    anon = peak_anon_mb(process)
    seconds = time.perf_counter() - begin
    if process.returncode != 0:
        raise SystemExit(f"{name} failed with {process.returncode}")
    result = {"peer": name, "rows": rows, "seconds": round(seconds, 2), "rows_per_s": round(rows / seconds), "rss_anon_mb": anon,
              "disk_mb": disk_mb(base)}
    shutil.rmtree(base)
    print(json.dumps(result), flush=True)
    return result


def run(args):
    rows = sum(1 for _ in open(f"{args.dir}/rows.jsonl"))
    names = ["vecstore"] + args.peers.split(",")
    rates = {name: [] for name in names}
    for _ in range(args.rounds):
        for name in names:
            rates[name].append(measure(name, args, rows)["rows_per_s"])
    ours = sorted(rates["vecstore"])[args.rounds // 2]
    for name in names[1:]:
        theirs = sorted(rates[name])[args.rounds // 2]
        print(json.dumps({"ratio": f"vecstore / {name}", "median": round(ours / theirs, 2)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="command", required=True)
    p = sub.add_parser("make")
    p.add_argument("dir")
    p.add_argument("--rows", type=int, default=300_000)
    p.add_argument("--base")
    p.add_argument("--texts")
    p = sub.add_parser("run")
    p.add_argument("dir")
    p.add_argument("--vecstore", required=True)
    p.add_argument("--peers", default=",".join(PEERS))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--scratch", default=None)
    p = sub.add_parser("one")
    p.add_argument("dir")
    p.add_argument("peer")
    p.add_argument("target")
    args = parser.parse_args()
    if args.command == "make":
        make(args)
    elif args.command == "run":
        run(args)
    else:
        PEERS[args.peer](args.dir, args.target)


if __name__ == "__main__":
    main()
