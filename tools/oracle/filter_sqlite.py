#!/usr/bin/env python3
"""Writes tests/data/filter/sqlite.json: random records and filters with the answers of SQLite.

Run by hand when the language changes (python3 tools/oracle/filter_sqlite.py); the test reads the file alone. Each
predicate becomes an EXISTS over json_each of the field, which yields an array's elements or the value itself: the
same "one element is enough" rule, and no three-valued logic. Covered: comparisons, IN, BETWEEN, LIKE, IS NULL,
nested paths, [*], ANY, AND, OR, NOT. Numbers, strings and bools may meet in one field.
"""
import json
import random
import sqlite3
from pathlib import Path

SEED = 20260228
RECORDS = 96
CASES = 700
STRINGS = ["", "a", "ab", "abc", "b%c", "a_c", "é", "aéz", "日本語", "it's", "Z", "2024-01-01"]
INTEGERS = [0, 1, 2, 3, -1, 2024, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
REALS = [0.5, 1.0, 2.0, -1.5, 9007199254740992.0, 1e300]
FIELDS = ["a", "b", "tags", "o.a", "o.b", "never"]
TYPES = {"number": "{v}.type IN ('integer','real')", "string": "{v}.type = 'text'", "bool": "{v}.type IN ('true','false')"}


def scalar(rng):
    kind = rng.random()
    if kind < 0.1:
        return None
    if kind < 0.2:
        return rng.random() < 0.5
    if kind < 0.5:
        return rng.choice(INTEGERS)
    if kind < 0.6:
        return rng.choice(REALS)
    return rng.choice(STRINGS)


def value(rng):
    if rng.random() < 0.7:
        return scalar(rng)
    return [scalar(rng) for _ in range(rng.randrange(4))]


def obj(rng):
    return {key: value(rng) for key in ("a", "b") if rng.random() < 0.7}


def record(rng):
    doc = obj(rng)
    if rng.random() < 0.7:
        doc["tags"] = [scalar(rng) for _ in range(rng.randrange(4))]
    if rng.random() < 0.7:
        doc["o"] = obj(rng)
    if rng.random() < 0.8:
        doc["items"] = [obj(rng) for _ in range(rng.randrange(4))]
    return doc


def literal(rng):
    while (v := scalar(rng)) is None:
        pass
    return v


def kind_of(v):
    return "bool" if isinstance(v, bool) else "string" if isinstance(v, str) else "number"


def text(v):
    """The literal in both languages, which agree but for bools (json_each gives 1 and 0)."""
    if isinstance(v, bool):
        return ("TRUE", "1") if v else ("FALSE", "0")
    if isinstance(v, str):
        quoted = "'" + v.replace("'", "''") + "'"
        return quoted, quoted
    return repr(v), f"({repr(v)})" if v != -(2**63) else "(-9223372036854775807 - 1)"


class Maker:
    def __init__(self, rng):
        self.rng = rng
        self.names = 0

    def alias(self):
        self.names += 1
        return f"e{self.names}"

    def test(self, v):
        """A predicate on one value: what follows the path, and the SQL on json_each's row v."""
        rng = self.rng
        kind = rng.randrange(6)
        if kind <= 1:
            x = literal(rng)
            op = rng.choice(["=", "!="] if isinstance(x, bool) else ["=", "!=", "<", "<=", ">", ">="])
            ours, sql = text(x)
            same = TYPES[kind_of(x)].format(v=v)
            if op == "!=":
                return f"!= {ours}", f"{v}.type <> 'null' AND NOT ({same} AND {v}.value = {sql})"
            return f"{op} {ours}", f"{same} AND {v}.value {op} {sql}"
        if kind <= 3:
            xs = [literal(rng) for _ in range(rng.randrange(1, 4))]
            ours = ", ".join(text(x)[0] for x in xs)
            found = " OR ".join(f"({TYPES[kind_of(x)].format(v=v)} AND {v}.value IN ({text(x)[1]}))" for x in xs)
            if rng.random() < 0.5:
                return f"IN ({ours})", found
            return f"NOT IN ({ours})", f"{v}.type <> 'null' AND NOT ({found})"
        if kind == 4:
            pool = rng.choice([STRINGS, INTEGERS + REALS])
            low, high = sorted((rng.choice(pool), rng.choice(pool)), key=lambda x: x.encode() if isinstance(x, str) else x)
            same = TYPES[kind_of(low)].format(v=v)
            return (f"BETWEEN {text(low)[0]} AND {text(high)[0]}", f"{same} AND {v}.value BETWEEN {text(low)[1]} AND {text(high)[1]}")
        pattern = rng.choice(["%", "a%", "%c", "_", "__", "%b%", "a_c", "a!_c", "%!%%", "a%z", "é", "_本_", "A%"])
        return f"LIKE '{pattern}' ESCAPE '!'", f"{v}.type = 'text' AND {v}.value LIKE '{pattern}' ESCAPE '!'"

    def leaf(self, doc, fields=FIELDS):
        """`doc` is the SQL of the JSON that paths begin in."""
        rng = self.rng
        path = rng.choice(fields)
        sql_path = "$." + path
        kind = rng.random()
        if kind < 0.15:
            missing = f"coalesce(json_type({doc}, '{sql_path}'), 'null') = 'null'"
            return (f"{path} IS NULL", f"({missing})") if rng.random() < 0.5 else (f"{path} IS NOT NULL", f"(NOT {missing})")
        v = self.alias()
        ours, sql = self.test(v)
        return f"{path} {ours}", f"EXISTS (SELECT 1 FROM json_each({doc}, '{sql_path}') AS {v} WHERE {sql})"

    def items(self):
        v = self.alias()
        if self.rng.random() < 0.5:
            ours, sql = self.node(f"{v}.value", 1, ["a", "b"])
            return f"ANY(items, {ours})", f"EXISTS (SELECT 1 FROM json_each(doc, '$.items') AS {v} WHERE {sql})"
        w = self.alias()
        ours, sql = self.test(w)
        inner = f"EXISTS (SELECT 1 FROM json_each({v}.value, '$.a') AS {w} WHERE {sql})"
        return f"items[*].a {ours}", f"EXISTS (SELECT 1 FROM json_each(doc, '$.items') AS {v} WHERE {inner})"

    def node(self, doc, depth, fields=FIELDS):
        rng = self.rng
        if depth == 0 or rng.random() < 0.3:
            return self.items() if doc == "doc" and rng.random() < 0.25 else self.leaf(doc, fields)
        if rng.random() < 0.25:
            ours, sql = self.node(doc, depth - 1, fields)
            return f"NOT ({ours})", f"(NOT {sql})"
        word = rng.choice(["AND", "OR"])
        parts = [self.node(doc, depth - 1, fields) for _ in range(rng.randrange(2, 4))]
        return "(" + f" {word} ".join(p[0] for p in parts) + ")", "(" + f" {word} ".join(p[1] for p in parts) + ")"


def main():
    rng = random.Random(SEED)
    db = sqlite3.connect(":memory:")
    db.execute("PRAGMA case_sensitive_like = ON")
    db.execute("CREATE TABLE records (id INTEGER PRIMARY KEY, doc TEXT)")
    records = [record(rng) for _ in range(RECORDS)]
    db.executemany("INSERT INTO records VALUES (?, ?)", [(i, json.dumps(r, ensure_ascii=False)) for i, r in enumerate(records)])
    maker = Maker(rng)
    lines = []
    while len(lines) < CASES:
        ours, sql = maker.node("doc", rng.randrange(3))
        if len(ours) > 160:
            continue
        ids = [row[0] for row in db.execute(f"SELECT id FROM records WHERE {sql} ORDER BY id")]
        bits = sum(1 << i for i in ids)
        lines.append(json.dumps([ours, f"{bits:0{RECORDS // 4}x}"], ensure_ascii=False))
    out = Path(__file__).resolve().parents[2] / "tests/data/filter/sqlite.json"
    rows = ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records)
    out.write_text(f'{{"sqlite":"{sqlite3.sqlite_version}","seed":{SEED},"records":[\n{rows}\n],"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    print(out, out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
