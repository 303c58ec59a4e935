#!/usr/bin/env python3
"""The questions of bench_aggregate (aggregate.cpp) to DuckDB, in turns with it; medians of processor time of one thread.

  aggregate.py --program build/release/bin/bench_aggregate --folder DIR [--rounds 3]

DuckDB (PyPI: duckdb) is asked through Python with one thread, all rows fetched; what an empty question (SELECT 1) takes is
subtracted.
"""
import argparse
import json
import subprocess
import time

QUESTIONS = {
    "count": "SELECT count(*) FROM t WHERE price < 30",
    "facet": "SELECT cat, count(*) AS n FROM t WHERE price < 30 GROUP BY cat ORDER BY n DESC",
    "sum and average": "SELECT cat, count(*) AS n, sum(price), avg(price), min(price), max(price) FROM t WHERE price < 30 "
                       "GROUP BY cat ORDER BY n DESC",
    "sums of two": "SELECT cat, count(*) AS n, sum(price), avg(price), min(price), max(price), sum(stock), avg(stock), min(stock), "
                   "max(stock) FROM t WHERE price < 30 GROUP BY cat ORDER BY n DESC",
}


def duckdb_times(times):
    import duckdb
    db = duckdb.connect()
    db.execute("SET threads = 1")
    db.execute("""CREATE TABLE t AS SELECT m // 7 % 100 AS cat, (m % 100000) / 1000.0::DOUBLE AS price, m // 100000 % 1000 AS stock
                  FROM (SELECT i * 2654435761 % 4294967296 AS m FROM range(300000) r(i))""")

    def p50(sql):
        taken = []
        for _ in range(times):
            begin = time.process_time()
            rows = db.execute(sql).fetchall()
            taken.append(time.process_time() - begin)
        return sorted(taken)[times // 2] * 1e6, rows

    empty, _ = p50("SELECT 1")
    out = {}
    for name, sql in QUESTIONS.items():
        taken, rows = p50(sql)
        out[name] = (taken - empty, sum(r[6] for r in rows) if name == "sums of two" else rows[0][0] if name == "count" else None)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    ours, theirs = {}, {}
    for _ in range(args.rounds):
        for line in subprocess.run([args.program, args.folder + "/aggregate.vdb"], capture_output=True, text=True,
                                   check=True).stdout.splitlines():
            result = json.loads(line)
            ours.setdefault(result["question"], []).append((result["p50_us"], result["answer"]))
        for name, result in duckdb_times(200).items():
            theirs.setdefault(name, []).append(result)
    for name in QUESTIONS:
        a, b = sorted(r[0] for r in ours[name])[args.rounds // 2], sorted(r[0] for r in theirs[name])[args.rounds // 2]
        same = theirs[name][0][1] is None or abs(float(theirs[name][0][1]) - ours[name][0][1]) < 1e-3
        print(f"{name:16s} VecStore {a:8.1f} us   DuckDB {b:8.1f} us   {b / a:5.1f}x{'' if same else '   ANSWERS DIFFER'}")


if __name__ == "__main__":
    main()
