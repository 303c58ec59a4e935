#!/usr/bin/env python3
"""The query language beside tantivy: random queries over the same words must find the same records.

    pip install tantivy
    cmake --build --preset release --target vecstore_program
    python tools/oracle/text_query_tantivy.py [--queries 10000] [--seed 1] [--program build/release/bin/vecstore]

Words, phrases with slop, prefixes, fuzzy words (distance 1 and 2) and groups of them with must, should and must not. VecStore
answers through its program (`vecstore run --syntax query`), tantivy gets the same tree of query objects; all hits
are compared. First some texts are in a segment, some behind it, and some of each are replaced or erased, then everything is
merged: from then on scores are compared, too, where both define them alike (words, exact phrases, groups). tantivy keeps lengths
below 40 as they are, and the texts are shorter; its scores have a factor k1 + 1 = 2.2 more.

What is asked of tantivy in another way, since it has nothing of the kind or means something else by it:
- a prefix is a regular expression: its phrase_prefix_query stops at 50 terms;
- the slop of two words is the same in both. Of three words and more VecStore allows so much between the first and the last
  displacement; tantivy counts moves from word to word. The script asks tantivy for all choices of that measure
  instead: the phrase matches where some shift of its words (all of them, at most slop apart) does exactly;
- of three words and more, phrases that repeat one are asked for without slop (in both, one occurrence may stand for two of the
  words then, which that way of asking cannot say);
- a group of nothing but forbidden words finds nothing in tantivy and forbids them in VecStore; it is not asked for.
"""
import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import tantivy

TEXTS, MOST_WORDS = 1500, 30


def make_words(rng, count):
    """Words that are near each other, some frequent, most rare."""
    words = set()
    while len(words) < count:
        words.add("".join(rng.choice(["ba", "na", "ra", "to", "ti", "ko", "s", "lu"]) for _ in range(rng.randrange(2, 5))))
    return rng.sample(sorted(words), count)


def pick(rng, words):
    return words[int(rng.random() ** 3 * len(words))]


class Queries:
    """Makes queries: the text for VecStore and a function from tantivy's schema to its query."""

    def __init__(self, rng, words, texts):
        self.rng, self.words, self.texts = rng, words, [t.split() for t in texts]

    def word(self):
        word = pick(self.rng, self.words)
        return word, True, lambda t, w=word: t.term(w)

    def prefix(self):
        beginning = pick(self.rng, self.words)[:self.rng.randrange(1, 6)]
        return f"{beginning}*", False, lambda t: t.regex(beginning + ".*")

    def fuzzy(self):
        word = list(pick(self.rng, self.words))
        for _ in range(self.rng.randrange(3)):
            at = self.rng.randrange(len(word))
            change = self.rng.randrange(4)
            if change == 0:
                word[at] = self.rng.choice("abnortiksluxyz")
            elif change == 1:
                word.insert(at, self.rng.choice("abnortiksluxyz"))
            elif change == 2 and len(word) > 3:
                del word[at]
            elif at > 0:
                word[at - 1], word[at] = word[at], word[at - 1]
        word, distance = "".join(word), self.rng.choice((1, 2))
        return f"{word}~{distance}", False, lambda t: t.fuzzy(word, distance)

    def phrase(self):
        count = self.rng.choice((2, 2, 2, 3, 4))
        words = [pick(self.rng, self.words) for _ in range(count)]
        text = self.rng.choice(self.texts)
        if self.rng.random() < 0.8 and len(text) > count + 2:  # from a text, sometimes with gaps or out of order
            start = self.rng.randrange(len(text) - count - 1)
            places = range(count) if self.rng.random() < 0.5 else self.rng.sample(range(count + 2), count)
            words = [text[start + p] for p in places]
        slop = self.rng.choice((0, 0, 1, 2, 3)) if count == 2 or len(set(words)) == count else 0
        return f'"{" ".join(words)}"' + (f"~{slop}" if slop else ""), slop == 0, lambda t: t.phrase(words, slop)

    def leaf(self, plain):
        if plain:
            return self.rng.choice((self.word, self.phrase))()
        return self.rng.choice((self.word, self.word, self.word, self.phrase, self.prefix, self.fuzzy))()

    def group(self, depth, plain=False):
        """Clauses with signs, joined by AND, or by OR. `plain`: words and phrases only."""
        rng, clauses = self.rng, []
        form = rng.choice(("signs", "signs", " AND ", " OR "))
        for i in range(rng.randrange(1, 5)):
            written, scored, made = self.group(depth - 1, plain) if depth and rng.random() < 0.3 else self.leaf(plain)
            written = f"({written})" if made.__name__ == "group" else written
            sign = rng.choice(("+", "-", "", "")) if form == "signs" else ""
            if sign == "-" and not i:
                sign = ""  # something has to be wanted
            occur = {"+": "must", "-": "not", "": "must" if form == " AND " else "should"}[sign]
            clauses.append((sign + written, scored, occur, made))

        def group(t):
            return t.boolean([(occur, made(t)) for _, _, occur, made in clauses])

        return (" " if form == "signs" else form).join(c[0] for c in clauses), all(c[1] or c[2] == "not" for c in clauses), group


class Tantivy:
    def __init__(self, texts):
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("text", stored=False, tokenizer_name="words", index_option="position")
        builder.add_integer_field("id", fast=True)
        index = tantivy.Index(builder.build())
        index.register_tokenizer("words", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        writer = index.writer(heap_size=50_000_000, num_threads=1)
        for i, text in texts.items():
            writer.add_document(tantivy.Document(text=text, id=int(i)))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self.schema, self.searcher = index.schema, index.searcher()

    def term(self, word):
        return tantivy.Query.term_query(self.schema, "text", word)

    def regex(self, pattern):
        return tantivy.Query.regex_query(self.schema, "text", pattern)

    def fuzzy(self, word, distance):
        return tantivy.Query.fuzzy_term_query(self.schema, "text", word, distance, transposition_cost_one=True)

    def phrase(self, words, slop):
        if slop == 0 or len(words) == 2:
            return tantivy.Query.phrase_query(self.schema, "text", words, slop)
        choices = []
        for shifts in itertools.product(range(slop + 1), repeat=len(words)):
            places = [i + s for i, s in enumerate(shifts)]
            # Two different words never stand at one place.
            if min(shifts) == 0 and len(set(places)) == len(places):
                by_place = sorted(zip(places, words))
                choices.append(self.exact([(place - by_place[0][0], word) for place, word in by_place]))
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, c) for c in choices])

    def exact(self, placed):
        return tantivy.Query.phrase_query(self.schema, "text", placed)

    def boolean(self, clauses):
        occur = {"must": tantivy.Occur.Must, "should": tantivy.Occur.Should, "not": tantivy.Occur.MustNot}
        return tantivy.Query.boolean_query([(occur[o], q) for o, q in clauses])

    def find(self, query):
        hits = self.searcher.search(query, TEXTS, count=False).hits
        ids = self.searcher.fast_field_values("id", [address for _, address in hits])
        return {str(i): score / 2.2 for i, (score, _) in zip(ids, hits)}


class VecStore:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.run("create", "db", "default", "--analyzer", "neutral")

    def run(self, command, *args):
        done = subprocess.run([self.program, command, *args], cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def write(self, texts):
        with open(self.folder / "rows.jsonl", "w") as out:
            for i, text in texts.items():
                print(json.dumps({"_id": i, "text": text}), file=out)
        self.run("ingest", "db", "rows.jsonl", "--embedder", "none")

    def find(self, queries):
        with open(self.folder / "queries.jsonl", "w") as out:
            for i, query in enumerate(queries):
                print(json.dumps({"_id": str(i), "text": query}), file=out)
        return json.loads(self.run("run", "db", "--queries", "queries.jsonl", "--mode", "text", "--syntax", "query", "-k", "10000",
                                   "--format", "json"))


def compare(made, found, peer, with_scores):
    """How many queries differ; the first of them are shown."""
    wrong = scored = hits = 0
    for i, (written, comparable, make) in enumerate(made):
        own, other = found[str(i)], peer.find(make(peer))
        hits += len(own)
        message = None
        if own.keys() != other.keys():
            message = f"only VecStore {sorted(own.keys() - other.keys())[:5]}, only tantivy {sorted(other.keys() - own.keys())[:5]}"
        elif with_scores and comparable:
            scored += 1
            far = [(own[k], other[k]) for k in own if abs(own[k] - other[k]) > 1e-5 * max(1, other[k])]
            message = f"scores {far[:3]}" if far else None
        if message:
            wrong += 1
            if wrong <= 10:
                print(f"{written}\n    {message}")
    print(f"{len(made)} queries, {hits} hits, {scored} queries with scores compared: {wrong} differ", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(pathlib.Path(__file__).resolve().parents[2] / "build/release/bin/vecstore"))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    words = make_words(rng, 400)

    def text():
        return " ".join(pick(rng, words) for _ in range(rng.randrange(1, MOST_WORDS + 1)))

    texts = {str(i): text() for i in range(TEXTS)}
    with tempfile.TemporaryDirectory() as folder:
        own = VecStore(pathlib.Path(options.program).resolve(), pathlib.Path(folder))
        ids = list(texts)
        own.write({i: texts[i] for i in ids[:900]})
        own.run("optimize", "db")
        own.write({i: texts[i] for i in ids[900:]})
        changed = {i: text() for i in rng.sample(ids, 200)}
        own.write(changed)
        texts |= changed
        for i in (erased := rng.sample(ids, 150)):
            del texts[i]
        own.run("erase", "db", *erased)
        peer, queries, wrong = Tantivy(texts), Queries(rng, words, list(texts.values())), 0
        for merged in (False, True):
            if merged:
                own.run("optimize", "db")
            made = [queries.group(2, plain=merged and i % 2 == 0) for i in range(options.queries // 2)]
            wrong += compare(made, own.find([m[0] for m in made]), peer, merged)
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
