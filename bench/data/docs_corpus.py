#!/usr/bin/env python3
"""A corpus of documentation passages with embeddings, made from Debian packages.

    docs_corpus.py OUT --cache DIR [--rows 300000] [--queries 2000] [--embed PROGRAM] [--model NAME] [--threads N]

Downloads the documentation packages below with apt-get (by name, into DIR/packages), takes the paragraphs out of their
HTML, embeds them with VecStore's own embedder (`vecstore-bench embed`) and writes

    OUT/base.npy             float32 [rows, dimension], unit length
    OUT/queries.npy          float32 [queries, dimension]: what benchmarks time
    OUT/tuning-queries.npy   as many others: for choosing settings, never timed
    OUT/texts.jsonl.gz       the passages of base.npy: _id (row number), text, metadata.source (package)
    OUT/queries.jsonl        the text of the queries, then of the tuning queries
    OUT/README.md            what was taken, from which version of which package

Queries are the first sentences (at most sixteen words) of passages that are not in the base. Each passage is in the
base once; the order is that of the passages' SHA-1, so that any prefix is a fair sample and a run can be repeated. A run
that was interrupted goes on where it stopped. The texts keep their packages' licences: for tests and benchmarks only.
"""
import argparse
import gzip
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import tarfile

PACKAGES = """git-doc python3.11-doc postgresql-doc-15 sqlite3-doc cmake-doc nodejs-doc llvm-15-doc linux-doc-6.1
    erlang-doc rust-doc openjdk-17-doc ghc-doc racket-doc libboost1.74-doc libstdc++-12-doc libeigen3-doc
    python-django-doc python-sqlalchemy-doc python-scipy-doc python-pandas-doc python-sklearn-doc python-sympy-doc
    python-statsmodels-doc qtbase5-doc-html qtdeclarative5-doc-html libgtk-3-doc libgtk-4-doc libglib2.0-doc wx3.2-doc
    lilypond-doc-html octave-doc maxima-doc postgis-doc slurm-wlm-doc gimp-help-en cppreference-doc-en-html
    libreoffice-help-en-us autoconf-doc nova-doc neutron-doc sagemath-doc""".split()
SLICE = 20_000  # texts per call of the embedder: what an interruption may cost
LEAST_WORDS, MOST_WORDS, QUERY_WORDS = 8, 90, 16

DROPPED = re.compile(r"<(script|style|head|nav|footer|pre|svg|math|form|select|button)\b.*?</\1\s*>|<!--.*?-->",
                     re.S | re.I)
BLOCK = re.compile(r"</?(?:p|div|li|ul|ol|dl|dt|dd|td|th|tr|table|h[1-6]|section|article|blockquote|br|hr|body|html|main"
                   r"|header|aside|figure|figcaption|caption|details|summary|title)\b[^>]*>", re.I)
TAG = re.compile(r"<[^>]*>")
SPACE = re.compile(r"[\s\u00a0\u200b]+")
SENTENCE = re.compile(r"(?<=[.!?:;])\s+")
LETTERS = re.compile(r"[A-Za-z]{2,}")
# Other languages' versions of the same pages, and pages that only list names.
SKIPPED = re.compile(r"/(?:genindex|search|py-modindex|[a-z_-]*index-all|index-files|allclasses[a-z-]*|type-search|"
                     r"deprecated-list|overview-tree|globals[a-z_]*|functions?_[a-z~]*|doc-index[a-zA-Z0-9-]*|fdl|gpl|"
                     r"COPYING|[^/]*-members)[^/]*\.html?$|/(?:de|fr|es|ja|pt|pt_BR|it|ru|zh|cs|ca|hu|nl|pl)/|"
                     r"\.(?:de|fr|es|ja|it|ca|cs|hu|nl|zh)\.html$|/translations/|/src/|_source\.html|/_modules/", re.I)


def download(packages, folder):
    """Fetches what is missing; packages that this Debian does not have are left out, with a word."""
    os.makedirs(folder, exist_ok=True)
    have = {}
    for package in packages:
        found = sorted(f for f in os.listdir(folder) if f.startswith(package + "_") and f.endswith(".deb"))
        if not found:
            # apt's sandbox user may not be able to write here; it is told to stay the user that runs this.
            command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"left out: {package}: {done.stderr.strip().splitlines()[-1:]}", flush=True)
                continue
            found = sorted(f for f in os.listdir(folder) if f.startswith(package + "_") and f.endswith(".deb"))
        have[package] = os.path.join(folder, found[-1])
    return have


def paragraphs(page):
    """The running text of a page, paragraph by paragraph; short neighbours are joined, long ones cut at sentences."""
    waiting = ""
    for block in BLOCK.split(DROPPED.sub("\n", page)):
        text = SPACE.sub(" ", html.unescape(TAG.sub("", block))).replace("¶", "").strip()
        if not text:
            continue
        words = text.count(" ") + 1
        if words < LEAST_WORDS:
            # A heading, a term or a short item belongs to what follows; a row of them is a menu.
            waiting = "" if waiting.count(" ") > LEAST_WORDS else f"{waiting} {text}".strip()
            continue
        text, waiting = f"{waiting} {text}".strip(), ""
        if words <= MOST_WORDS:
            yield text
            continue
        part = ""
        for sentence in SENTENCE.split(text):
            if part and part.count(" ") + sentence.count(" ") + 2 > MOST_WORDS:
                yield part
                part = ""
            part = f"{part} {sentence}".strip()
        yield part


def is_prose(text):
    letters = sum(len(w) for w in LETTERS.findall(text))
    return letters >= 0.6 * len(text) and LEAST_WORDS <= text.count(" ") + 1 <= 2 * MOST_WORDS and len(text) < 1_200


def pages(deb):
    """(path, text) of the package's HTML pages, in the order of their paths."""
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    found = {}
    with tarfile.open(fileobj=tar.stdout, mode="r|") as archive:
        for member in archive:
            name = member.name
            plain = name.removesuffix(".gz")
            if not member.isfile() or not plain.endswith((".html", ".htm", ".xhtml")) or SKIPPED.search(name):
                continue
            if member.size > 8 << 20:
                continue
            data = archive.extractfile(member).read()
            found[name] = gzip.decompress(data) if name.endswith(".gz") else data
    if tar.wait() != 0:
        sys.exit(f"{deb}: dpkg-deb ended with {tar.returncode}")
    for name in sorted(found):
        yield name, found[name].decode("utf-8", "replace")


def extract(package, deb, folder, most):
    """The package's passages, each once: a list of (key, text); kept in a file beside the packages."""
    kept = os.path.join(folder, os.path.basename(deb) + ".jsonl")
    if not os.path.exists(kept):
        seen = {}
        for _, page in pages(deb):
            for text in paragraphs(page):
                if is_prose(text):
                    seen.setdefault(hashlib.sha1(text.encode()).hexdigest(), text)
        with open(kept + ".new", "w") as out:
            for key in sorted(seen)[:most]:
                out.write(json.dumps([key, seen[key]], ensure_ascii=False) + "\n")
        os.replace(kept + ".new", kept)
    with open(kept) as lines:
        return [json.loads(line) for line in lines]


def embed(args, texts, name):
    """Embeddings of the texts; slices that are there already are not made again."""
    import numpy as np
    folder = os.path.join(args.cache, "embedded")
    os.makedirs(folder, exist_ok=True)
    parts = []
    for start in range(0, len(texts), SLICE):
        lines = "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts[start:start + SLICE])
        key = hashlib.sha1((args.model + args.precision + lines).encode()).hexdigest()[:20]
        part = os.path.join(folder, key + ".npy")
        if not os.path.exists(part):
            source = os.path.join(folder, key + ".jsonl")
            with open(source, "w") as out:
                out.write(lines)
            command = [args.embed, "embed", "--model", args.model, "--texts", source, "--out", part + ".new",
                       "--precision", args.precision]
            command += ["--threads", str(args.threads)] if args.threads else []
            done = subprocess.run(command, capture_output=True, text=True)
            os.remove(source)
            if done.returncode != 0:
                sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
            os.replace(part + ".new", part)
            rate = json.loads(done.stdout.splitlines()[-1])
            print(f"{name}: {min(start + SLICE, len(texts)):,} of {len(texts):,} embedded, "
                  f"{rate['passages_per_second']:.0f} per second", flush=True)
        parts.append(part)
    return np.concatenate([np.load(part) for part in parts])


def first_sentence(text):
    return " ".join(re.split(r"(?<=[.!?])\s", text)[0].split(" ")[:QUERY_WORDS])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--cache", required=True, help="packages and half-done work; may be removed afterwards")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--queries", type=int, default=2_000)
    parser.add_argument("--per-package", type=int, default=40_000, help="most passages of one package")
    parser.add_argument("--embed", default="build/release/bin/vecstore-bench")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--precision", default="fast", choices=["fast", "f32"])
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    import numpy as np

    passages, origin, taken = {}, {}, []
    for package, deb in download(PACKAGES, os.path.join(args.cache, "packages")).items():
        before = len(passages)
        for key, text in extract(package, deb, os.path.dirname(deb), args.per_package):
            if key not in passages:
                passages[key], origin[key] = text, package
        taken.append((os.path.basename(deb), len(passages) - before))
        print(f"{taken[-1][0]}: {taken[-1][1]:,} passages", flush=True)
    # Held out before anything is cut off, so that the queries stay the same when --rows changes.
    order, queries = sorted(passages), []
    held_out, asked = set(), set()
    for key in order:
        question = first_sentence(passages[key])
        if len(queries) < 2 * args.queries and question.count(" ") >= 4 and question not in asked:
            queries.append(question)
            asked.add(question)
            held_out.add(key)
    base = [key for key in order if key not in held_out][:args.rows]
    if len(base) < args.rows:
        print(f"only {len(base):,} passages of the {args.rows:,} that were asked for", flush=True)

    os.makedirs(args.out, exist_ok=True)
    asked = embed(args, queries, "queries")
    np.save(os.path.join(args.out, "queries.npy"), asked[:args.queries])
    np.save(os.path.join(args.out, "tuning-queries.npy"), asked[args.queries:])
    with open(os.path.join(args.out, "queries.jsonl"), "w") as out:
        for i, text in enumerate(queries):
            out.write(json.dumps({"_id": str(i), "text": text}, ensure_ascii=False) + "\n")
    matrix = embed(args, [passages[key] for key in base], "passages")
    np.save(os.path.join(args.out, "base.npy"), matrix)
    with gzip.open(os.path.join(args.out, "texts.jsonl.gz"), "wt", compresslevel=6) as out:
        for i, key in enumerate(base):
            out.write(json.dumps({"_id": str(i), "text": passages[key], "metadata": {"source": origin[key]}},
                                 ensure_ascii=False) + "\n")
    with open(os.path.join(args.out, "README.md"), "w") as out:
        out.write(f"{len(base):,} passages of Debian documentation packages, embedded with {args.model} "
                  f"(precision {args.precision}), {args.queries:,} queries and as many for tuning: first sentences, at "
                  f"most {QUERY_WORDS} words, of\nother passages. Made by bench/data/docs_corpus.py. The texts keep "
                  f"their packages' licences: for tests and benchmarks only.\n\n| package | passages |\n|---|---|\n")
        out.writelines(f"| {name} | {count:,} |\n" for name, count in taken)
    print(f"{args.out}: base {matrix.shape}, queries {asked[:args.queries].shape}", flush=True)


if __name__ == "__main__":
    main()
