#!/usr/bin/env python3
"""Text search: VecStore beside its peers, in one run, in turns, one thread each.

    text.py --corpus C.jsonl.gz --queries Q.jsonl --out DIR [--peers tantivy,bm25s] [--count 300] [--rounds 3] [--clock cpu] [--without-ids]

VecStore is asked through its Collection API (vecstore-bench text): from the text of the query to ids and scores. The peers
return ids and scores as well: tantivy reads them from a fast field, which holds numbers, where VecStore's ids are strings of any
kind. With --without-ids tantivy returns its own addresses and scores; VecStore returns what it always does. The peers get
the same terms, made by VecStore's analyzer beforehand, and queries that are built outside of the clock. Each lives in
a process of its own; in each round they are asked one after the other, every query once per setting. Ratios are taken
within a round, then medians. Prints a table and writes DIR/text.json.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
KEYS = ("stop_words", "op", "filter", "words", "k")


class Worker:
    """A process that answers each line on its standard input with the lines of one pass."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def lines_until(self, key):
        lines = []
        for line in self.process.stdout:
            lines.append(json.loads(line))
            if key in lines[-1]:
                return lines[:-1]
        raise RuntimeError(f"ended with status {self.process.wait()}")

    def run_pass(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return {tuple(line[k] for k in KEYS): line for line in self.lines_until("pass")}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def table(rounds, built, peers, clock):
    """Lines for a person, and the same for programs."""
    head = f"{'':44}{'VecStore':>12}" + "".join(f"{p:>12}{'ratio':>8}" for p in peers)
    lines, data = [head], []
    for stop_words in built["vecstore"]:
        for what, unit in (("index_cpu_s", "s"), ("bytes", "bytes")):
            row = [built[p][stop_words][what] if p in built else None for p in ("vecstore", *peers)]
            text = "".join(f"{x:>12,.2f}{x / row[0]:>8.2f}" for x in row[1:])
            lines.append(f"{'stop words ' + stop_words + ', ' + what + ' (' + unit + ')':44}{row[0]:>12,.2f}{text}")
            data.append({"stop_words": stop_words, "what": what, "vecstore": row[0], **dict(zip(peers, row[1:]))})
    name = "cpu_qps" if clock == "cpu" else "qps"
    for key in rounds[0]["vecstore"]:
        own = statistics.median(r["vecstore"][key][name] for r in rounds)
        entry = dict(zip(KEYS, key)) | {"vecstore": own, "hits": rounds[0]["vecstore"][key]["hits"],
                                        "p50_ms": statistics.median(r["vecstore"][key]["p50_ms"] for r in rounds)}
        label = f"stop words {key[0]}, {key[1]}{'' if key[2] is None else f' {key[2]:g}'}, {key[3]} words, top {key[4]}"
        text = f"{label:44}{own:>12,.0f}"
        for p in peers:
            if any(key not in r[p] for r in rounds):
                text += f"{'-':>12}{'':8}"
                continue
            other = statistics.median(r[p][key][name] for r in rounds)
            ratio = statistics.median(r["vecstore"][key][name] / r[p][key][name] for r in rounds)
            # Equal terms find equally many; phrases may differ where a query repeats a word.
            same = abs(entry["hits"] - rounds[0][p][key]["hits"]) < 0.02
            entry |= {p: other, f"{p}_ratio": round(ratio, 3), f"{p}_hits": rounds[0][p][key]["hits"]}
            text += f"{other:>12,.0f}{ratio:>8.2f}{'' if same else ' hits differ'}"
        lines.append(text)
        data.append(entry)
    return lines, data


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--queries", required=True)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--peers", default="tantivy,bm25s", type=lambda s: s.split(","))
    parser.add_argument("--count", type=int, default=300, help="queries")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    parser.add_argument("--without-ids", action="store_true", help="tantivy returns addresses, no ids")
    parser.add_argument("--folder", help="for databases and indexes")
    parser.add_argument("--vecstore", default=str(HERE.parents[1] / "build/release/bin/vecstore-bench"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        workers = {"vecstore": Worker([options.vecstore, "text", "--corpus", options.corpus, "--queries", options.queries, "--count",
                                       str(options.count), "--dump", folder, "--folder", folder, "--turns", "yes"])}
        built = {"vecstore": {b["built"]: b for b in workers["vecstore"].lines_until("ready")}}
        for peer in options.peers:  # one builds at a time
            ids = "none" if options.without_ids else "ids"
            command = [sys.executable, str(HERE / "peers.py"), peer, str(options.count), ids, *(f"{folder}/{s}" for s in built["vecstore"])]
            worker = Worker(command)
            try:
                built[peer] = {b["built"]: b for b in worker.lines_until("ready")}
                workers[peer] = worker
            except RuntimeError as error:
                print(f"{peer}: skipped, {error}", file=sys.stderr)
        for worker in workers.values():
            worker.run_pass()  # warms up, not counted
        rounds = [{name: worker.run_pass() for name, worker in workers.items()} for _ in range(options.rounds)]
        for worker in workers.values():
            worker.end()
    lines, data = table(rounds, built, [p for p in options.peers if p in workers], options.clock)
    print("\n".join(lines))
    (options.out / "text.json").write_text(json.dumps({"options": {k: str(v) for k, v in vars(options).items()}, "built": built,
                                                       "medians": data, "rounds": [{n: list(p.values()) for n, p in r.items()} for r in rounds]}, indent=1))


if __name__ == "__main__":
    main()
