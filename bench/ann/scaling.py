#!/usr/bin/env python3
"""How VecStore's search scales with threads, beside a loop that only computes.

    scaling.py --base B.npy --queries Q.npy [--metric cosine] [--threads 2] [--rounds 5] [--profile balanced]

In each round, in turns: a pass of one searching thread, a pass of N threads that share the queries, and the same with
threads that hash in their first-level cache, which is what the machine's processors can do for N threads at that moment.
Prints, at recall 0.95 and 0.99, the medians over the rounds: speed on one thread, on N, their ratio, the loop's ratio, and
the one divided by the other. All by the wall clock, without binding threads to processors.
"""
import argparse
import hashlib
import os
import tempfile
import threading
import time
from statistics import median

import figures
from ann import Worker


def loop_speed(threads, seconds=1.0):
    """Hashes per second of all threads; the hashing itself runs without Python's lock."""
    done = [0] * threads
    until = time.perf_counter() + seconds

    def work(i):
        while time.perf_counter() < until:
            hashlib.pbkdf2_hmac("sha256", b"benchmark", b"salt", 20_000)
            done[i] += 1
    start = time.perf_counter()
    others = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for t in others:
        t.start()
    for t in others:
        t.join()
    return sum(done) / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--metric", default="cosine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", default="balanced")
    parser.add_argument("--exact-scores", default="no", choices=["yes", "no"])
    parser.add_argument("--vecstore", default="build/release/bin/vecstore-bench")
    args = parser.parse_args()
    counts = (1, args.threads)
    workers = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for n in counts:
                command = [args.vecstore, "ann", "--base", args.base, "--queries", args.queries, "--metric", args.metric,
                           "--threads", str(n), "--profile", args.profile, "--exact-scores", args.exact_scores,
                           "--turns", "yes", "--folder", folder]
                workers[n] = Worker(command, f"{folder}/{n}.log")
                workers[n].lines_until("ready")
            processors = os.sched_getaffinity(0)
            speeds = {n: [] for n in counts}
            loops = {n: [] for n in counts}
            for number in range(args.rounds + 1):
                for n in counts:
                    points = [(p["recall_at_10"], p["qps"]) for p in workers[n].run_pass(processors)]
                    loop = loop_speed(n)
                    if number > 0:  # the first one warms up
                        speeds[n].append(points)
                        loops[n].append(loop)
        finally:
            for worker in workers.values():
                worker.end()
    loop = median(b / a for a, b in zip(loops[1], loops[args.threads]))
    print(f"compute-only loop: {loop:.2f}x on {args.threads} threads")
    for level in figures.LEVELS:
        one, many = (figures.of_rounds(speeds[n], level) for n in counts)
        if None in one or None in many:
            print(f"recall {level}: not reached")
            continue
        ratio = median(b / a for a, b in zip(one, many))
        print(f"recall {level}: {median(one):,.0f} q/s on one thread, {median(many):,.0f} on {args.threads}: {ratio:.2f}x, "
              f"{ratio / loop:.2f}x of the loop's")


if __name__ == "__main__":
    main()
