#!/usr/bin/env python3
"""End to end: the program on small documents."""
import gzip
import json
import os
import pty
import random
import signal
import struct
import subprocess
import time
import unittest

from support import PROGRAM, ProgramTest, extracted_bytes

COMMANDS = ["ingest", "query", "run", "eval", "get", "scroll", "count", "erase", "collections", "create", "alter", "drop", "stats", "compact", "optimize", "verify",
            "extract", "completion"]


def npy(rows, kind="<f4", letter="f"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"".join(struct.pack(f"<{len(r)}{letter}", *r) for r in rows)


class Documents(ProgramTest):
    def ingest(self, *args):
        return self.run_program.json("ingest", "x.vdb", "docs", "--embedder", "none", *args)

    def test_ingest_query_and_citations(self):
        done = self.ingest()
        self.assertEqual(sorted(done), sorted(["collection", "files", "records", "unchanged", "skipped", "ignored", "bytes", "seconds", "embedder"]))
        self.assertEqual((done["collection"], done["files"], done["skipped"], done["embedder"]), ("default", 4, 0, None))
        self.assertGreaterEqual(done["records"], 4)
        found = self.run_program.json("query", "x.vdb", "mooring fees for a vessel", "-k", "3")
        self.assertEqual(found["mode"], "text")
        self.assertEqual(found["hits"][0]["source"], "docs/guide/harbour.html")
        for query in ["mooring fees", "fog signals horn", "smugglers cave", "rule of twelfths", "Grüße Möwe"]:
            hits = self.run_program.json("query", "x.vdb", query)["hits"]
            self.assertTrue(hits, query)
            for hit in hits:
                text = extracted_bytes(self.run_program, hit["source"])
                self.assertEqual(text[hit["start"]:hit["end"]].decode(), hit["text"])

    def test_small_chunks_know_their_heading(self):
        self.ingest("--chunk-size", "150", "--overlap", "0")
        hit = self.run_program.json("query", "x.vdb", "three crowns a day")["hits"][0]
        self.assertEqual(hit["heading"], "The harbour > Mooring fees")
        self.assertEqual(hit["metadata"]["title"], "Harbour & quay")
        hit = self.run_program.json("query", "x.vdb", "close the shutters")["hits"][0]
        self.assertEqual(hit["heading"], "Lighthouse keeper's guide > Storms")
        plain = self.run_program("query", "x.vdb", "close", "the", "shutters", "-k", "1")
        self.assertRegex(plain, r"^1\. docs/guide/lighthouse\.md:\d+-\d+  \d+\.\d{4}  Lighthouse keeper's guide > Storms\n   .*shutters")
        self.assertNotIn("\x1b", plain)
        self.assertIn("nothing found", self.run_program("query", "x.vdb", "xylophone"))
        self.assertEqual(len(self.run_program.lines("scroll", "x.vdb", "--where", "heading = 'The harbour > Mooring fees'")), 1)

    def test_second_ingest_changes_nothing(self):
        first = self.ingest()
        digest = self.run_program.json("stats", "x.vdb")["each"]
        second = self.ingest()
        self.assertEqual((second["records"], second["unchanged"]), (0, first["records"]))
        self.assertEqual(self.run_program.json("stats", "x.vdb")["each"], digest)

    def test_changed_file_is_replaced_whole(self):
        self.ingest("--chunk-size", "100", "--overlap", "0")
        path = self.folder / "docs/notes.txt"
        before = self.run_program.json("count", "x.vdb")["count"]
        old = len([r for r in self.run_program.lines("scroll", "x.vdb", "--limit", "0") if r["source"] == "docs/notes.txt"])
        self.assertGreater(old, 1)
        path.write_text("One line about zeppelins.\n")
        done = self.ingest("--chunk-size", "100", "--overlap", "0")
        self.assertEqual(done["records"], 1)
        self.assertEqual(self.run_program.json("count", "x.vdb")["count"], before - old + 1)
        self.assertEqual(self.run_program.json("query", "x.vdb", "zeppelins")["hits"][0]["id"], "docs/notes.txt#0")
        self.assertEqual([h for h in self.run_program.json("query", "x.vdb", "smugglers")["hits"]], [])
        path.write_text("")
        self.ingest()
        self.assertEqual([r for r in self.run_program.lines("scroll", "x.vdb", "--limit", "0") if r["source"] == "docs/notes.txt"], [])

    def test_errors_stop_or_skip(self):
        self.write("docs/bad.txt", b"fine\n\xff\xfe broken\n")
        self.write("docs/picture.png", b"\x89PNG")
        error = self.run_program.json("ingest", "x.vdb", "docs", "--embedder", "none", code=1)["error"]
        self.assertEqual(error["code"], "invalid_argument")
        self.assertIn("docs/bad.txt", error["message"])
        self.assertEqual(self.run_program.errors, f"vecstore: {error['message']}\n")
        done = self.ingest("--on-error", "skip")
        self.assertEqual((done["files"], done["skipped"], done["ignored"]), (4, 1, 1))
        self.assertIn("skipped docs/bad.txt", self.run_program.errors)

    def test_erase_a_source(self):
        first = self.ingest("--chunk-size", "100", "--overlap", "0")
        erased = self.run_program.json("erase", "x.vdb", "--source", "docs/guide/lighthouse.md")["erased"]
        self.assertGreater(erased, 2)
        self.assertEqual(self.run_program.json("count", "x.vdb")["count"], first["records"] - erased)

    def test_extract(self):
        out = self.run_program.json("extract", "docs/guide/harbour.html")
        self.assertEqual((out["kind"], out["title"]), ("html", "Harbour & quay"))
        self.assertEqual([h["text"] for h in out["headings"]], ["The harbour", "Mooring fees", "Unloading cargo"])
        for heading in out["headings"]:
            self.assertTrue(out["text"].encode()[heading["offset"]:].decode().startswith("#" * heading["level"] + " " + heading["text"]))
        self.assertIn("pilot’s boat", out["text"])
        self.assertIn("North | 7 m", out["text"])
        for unseen in ["never seen", "Index of", "color"]:
            self.assertNotIn(unseen, out["text"])
        self.assertEqual(out["text"].encode(), extracted_bytes(self.run_program, "docs/guide/harbour.html"))
        self.assertEqual((self.folder / "docs/notes.txt").read_bytes(), extracted_bytes(self.run_program, "docs/notes.txt"))
        self.run_program("extract", "docs/nothing.txt", code=3)

    def test_documents_cannot_drive_the_terminal(self):
        self.write("evil.txt", "harmless words \x1b]0;owned\x07 and \x1b[31mred")
        self.run_program("ingest", "x.vdb", "evil.txt", "--embedder", "none")
        for command in [("query", "x.vdb", "harmless"), ("query", "x.vdb", "harmless", "--full"), ("scroll", "x.vdb"), ("get", "x.vdb", "evil.txt#0")]:
            self.assertNotIn("\x1b", self.run_program(*command))


class Rows(ProgramTest):
    def test_rows_are_records(self):
        done = self.run_program.json("ingest", "x.vdb", "rows.jsonl", "-c", "rows", "--embedder", "none")
        self.assertEqual((done["records"], done["collection"]), (5, "rows"))
        record = self.run_program.lines("get", "x.vdb", "r5")[0]
        self.assertEqual(record["text"], "Weather Red sky at night is the sailor's delight; a falling glass means wind.")
        self.assertEqual(record["metadata"], {"year": 2001, "lang": "en", "tags": ["sea", "weather"], "deep": {"level": 9007199254740993}})
        self.assertEqual(self.run_program.lines("get", "x.vdb", "r4")[0]["text"], "Empty")
        self.assertEqual(self.run_program.lines("get", "x.vdb", "r3")[0]["text"], "Segelboote liegen im Hafen.")
        self.assertEqual(self.run_program.json("count", "x.vdb", "--where", "tags CONTAINS 'sea' AND year < 1970")["count"], 2)
        hits = self.run_program.json("query", "x.vdb", "sea whales knots wind", "--where", "year > 2000")["hits"]
        self.assertEqual([h["id"] for h in hits], ["r5"])
        ids = [r["id"] for r in self.run_program.lines("scroll", "x.vdb", "--limit", "2")]
        self.assertEqual(ids, ["r1", "r2"])
        self.assertEqual([r["id"] for r in self.run_program.lines("scroll", "x.vdb", "--after", "r2", "--limit", "0")], ["r3", "r4", "r5"])
        self.assertEqual(self.run_program.json("erase", "x.vdb", "r1", "nothing")["erased"], 1)
        self.assertEqual(self.run_program.json("erase", "x.vdb", "--where", "lang = 'de'")["erased"], 1)
        self.assertEqual(self.run_program("count", "x.vdb"), "3\n")
        self.assertTrue(self.run_program.json("verify", "x.vdb")["ok"])

    def test_gzip_duplicates_and_more_rows_than_a_batch(self):
        rows = [{"_id": str(i % 9000), "text": f"text {i}", "i": i} for i in range(10000)]
        self.write("many.jsonl.gz", gzip.compress("\n".join(map(json.dumps, rows)).encode()))
        self.run_program("ingest", "x.vdb", "many.jsonl.gz", "--embedder", "none")
        self.assertEqual(self.run_program.json("count", "x.vdb")["count"], 9000)
        self.assertEqual(self.run_program.lines("get", "x.vdb", "5")[0]["metadata"], {"i": 9005})
        self.assertEqual(len(self.run_program.lines("scroll", "x.vdb", "--limit", "0")), 9000)

    def test_bad_rows(self):
        self.write("bad.jsonl", '{"_id": "a", "text": "x"}\n{"_id": "b"\n{"text": "no id"}\n{"_id": "", "text": "empty id"}\n{"_id": "c", "text": "y"}\n')
        error = self.run_program.json("ingest", "x.vdb", "bad.jsonl", "--embedder", "none", code=1)["error"]
        self.assertTrue(error["message"].startswith("bad.jsonl:2: "), error)
        done = self.run_program.json("ingest", "x.vdb", "bad.jsonl", "--embedder", "none", "--on-error", "skip")
        self.assertEqual((done["records"], done["skipped"]), (2, 3))
        for line in (2, 3, 4):
            self.assertIn(f"bad.jsonl:{line}: ", self.run_program.errors)

    def test_rows_are_split_on_demand(self):
        self.write("long.jsonl", json.dumps({"_id": "doc", "text": "Alpha beta gamma. " * 40, "year": 1999}) + "\n")
        self.run_program("ingest", "x.vdb", "long.jsonl", "--embedder", "none", "--splitter", "plain", "--chunk-size", "100", "--overlap", "10")
        records = self.run_program.lines("scroll", "x.vdb")
        self.assertGreater(len(records), 6)
        for record in records:
            self.assertEqual((record["source"], record["metadata"]), ("doc", {"year": 1999}))

    def test_vectors_beside_rows(self):
        vectors = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0.5, 0.25, -2]]
        self.write("v.npy", npy(vectors))
        self.run_program("ingest", "x.vdb", "rows.jsonl", "--vectors", "v.npy")
        self.assertEqual(self.run_program.lines("get", "x.vdb", "r5", "--vectors")[0]["vector"], [0.5, 0.25, -2.0])
        self.assertNotIn("vector", self.run_program.lines("get", "x.vdb", "r5")[0])
        self.assertEqual(self.run_program.json("collections", "x.vdb")["collections"][0]["dimension"], 3)
        for rows in (vectors[:4], vectors + [[0, 0, 2]]):
            self.write("w.npy", npy(rows))
            error = self.run_program.json("ingest", "y.vdb", "rows.jsonl", "--vectors", "w.npy", code=1)["error"]
            self.assertIn(f"{len(rows)} rows", error["message"])
        self.run_program("ingest", "z.vdb", "rows.jsonl", "docs", "--vectors", "v.npy", code=2)

    def test_vector_files(self):
        self.write("v.npy", npy([[1, 2], [-3, 127]], "|i1", "b"))
        self.run_program("ingest", "x.vdb", "v.npy", "--metric", "euclidean")
        self.assertEqual(self.run_program.lines("get", "x.vdb", "1", "--vectors")[0]["vector"], [-3.0, 127.0])
        self.assertEqual(self.run_program.json("collections", "x.vdb")["collections"][0]["metric"], "euclidean")
        self.write("f.fvecs", b"".join(struct.pack("<i2f", 2, *row) for row in [(0.5, 1), (2, 3), (4, 5)]))
        self.run_program("ingest", "x.vdb", "f.fvecs", "-c", "f")
        self.assertEqual(self.run_program.json("count", "x.vdb", "-c", "f")["count"], 3)
        self.write("wide.npy", npy([[1, 2, 3]]))
        self.assertIn("3 dimensions", self.run_program.json("ingest", "x.vdb", "wide.npy", "-c", "f", code=1)["error"]["message"])
        self.write("cut.npy", npy([[1, 2], [3, 4]])[:-1])
        self.assertEqual(self.run_program.json("ingest", "x.vdb", "cut.npy", "-c", "g", code=1)["error"]["code"], "corruption")
        self.assertEqual(self.run_program.json("query", "x.vdb", "x", "-c", "none", code=3)["error"]["code"], "not_found")

    def test_run_and_eval(self):
        self.run_program("ingest", "x.vdb", "rows.jsonl", "--embedder", "none")
        self.write("queries.jsonl", '{"_id": "q1", "text": "whales in spring"}\n{"_id": "q2", "text": "wind and weather"}\n')
        self.write("qrels.tsv", "query-id\tcorpus-id\tscore\nq1\tr1\t1\nq2\tr5\t1\nq2\tr2\t1\n")
        trec = self.run_program("run", "x.vdb", "--queries", "queries.jsonl", "--mode", "text", "-k", "10")
        self.assertRegex(trec.splitlines()[0], r"^q1 Q0 r1 1 [0-9.]+ vecstore$")
        document = json.loads(self.run_program("run", "x.vdb", "--queries", "queries.jsonl", "--format", "json"))
        self.assertEqual(set(document), {"q1", "q2"})
        results = []
        for name, run in (("trec", trec), ("json", json.dumps(document))):
            self.write(name, run)
            results.append(self.run_program.json("eval", "--qrels", "qrels.tsv", name))
        self.assertEqual(results[0], results[1])
        self.assertEqual(list(results[0]), ["ndcg@10", "recall@10", "recall@100", "mrr", "map", "queries"])
        self.assertEqual((results[0]["mrr"], results[0]["recall@10"], results[0]["queries"]), (1.0, 0.75, 2))
        self.assertRegex(self.run_program("eval", "--qrels", "qrels.tsv", "trec"), r"ndcg@10     0\.\d{4}\n")


class Database(ProgramTest):
    def test_collections(self):
        created = self.run_program.json("create", "x.vdb", "a", "--metric", "dot", "--dimension", "3", "--analyzer", "neutral")
        self.assertEqual((created["metric"], created["dimension"], created["count"]), ("dot", 3, 0))
        self.assertEqual(created["text_fields"], [{"path": "text", "analyzer": "neutral", "weight": 1.0}])
        self.assertEqual(self.run_program.json("create", "x.vdb", "a", code=1)["error"]["code"], "already_exists")
        self.run_program("create", "x.vdb", "b")
        self.assertEqual([c["name"] for c in self.run_program.json("collections", "x.vdb")["collections"]], ["a", "b"])
        self.assertIn("a, b", self.run_program.json("count", "x.vdb", code=3)["error"]["message"])
        self.assertEqual(self.run_program.json("drop", "x.vdb", "a"), {"dropped": "a", "count": 0})
        self.assertEqual(self.run_program.json("drop", "x.vdb", "a", code=3)["error"]["code"], "not_found")
        stats = self.run_program.json("stats", "x.vdb")
        self.assertEqual([c["name"] for c in stats["each"]], ["b"])
        for key in ("collections", "records", "file_bytes", "free_bytes", "sequence", "generation"):
            self.assertIsInstance(stats[key], int)
        self.run_program("ingest", "x.vdb", "rows.jsonl", "-c", "b", "--embedder", "none", "--metric", "dot", code=1)
        for command in ("collections", "stats", "verify"):
            self.assertTrue(self.run_program(command, "x.vdb"))

    def test_text_fields(self):
        created = self.run_program.json("create", "x.vdb", "a", "--analyzer", "german", "--analysis", '{"fold_accents": false}',
                                        "--text-field", "text", "--text-field", '{"path": "title", "weight": 2, "analyzer": "code", "analysis": {}}')
        self.assertEqual(created["text_fields"], [
            {"path": "text", "analyzer": "german", "weight": 1.0, "analysis": {"fold_accents": False}},
            {"path": "title", "analyzer": "code", "weight": 2.0}])
        self.write("de.jsonl", '{"_id": "1", "text": "Die Häuser am Hafen"}\n')
        self.run_program("ingest", "x.vdb", "de.jsonl", "-c", "a", "--embedder", "none")
        self.assertEqual([h["id"] for h in self.run_program.json("query", "x.vdb", "-c", "a", "Haus")["hits"]], ["1"])
        self.write("titles.jsonl", '{"_id": "2", "title": "getUserName", "text": "Funktion"}\n')  # a field of its own, not part of the text
        self.run_program("ingest", "x.vdb", "titles.jsonl", "-c", "a", "--embedder", "none")
        [hit] = self.run_program.json("query", "x.vdb", "-c", "a", "--syntax", "query", "+title:user -text:user")["hits"]
        self.assertEqual((hit["text"], hit["metadata"]), ("Funktion", {"title": "getUserName"}))
        self.run_program("ingest", "x.vdb", "de.jsonl", "-c", "a", "--embedder", "none", "--analyzer", "french", code=1)
        self.run_program("create", "x.vdb", "b", "--analyzer", "klingon", code=2)
        self.run_program("create", "x.vdb", "b", "--analysis", '{"speed": 1}', code=2)
        self.run_program("create", "x.vdb", "b", "--text-field", '{"path": 1}', code=2)

    def test_highlights_and_the_query_language(self):
        self.write("t.jsonl", '{"_id": "1", "text": "%s Swept wings flutter. %s"}\n{"_id": "2", "text": "A wing and a tail"}\n'
                   % ("Some filler. " * 40, "More of it. " * 40))
        self.run_program("ingest", "x.vdb", "t.jsonl", "--embedder", "none")
        [hit] = self.run_program.json("query", "x.vdb", "--syntax", "query", '+wing -tail "swept wings"')["hits"]
        [snippet] = hit["snippets"]
        text = hit["text"].encode()
        self.assertEqual([h["text"] for h in snippet["highlights"]], ["Swept", "wings"])
        for place in [snippet, *snippet["highlights"]]:
            self.assertEqual(text[place["start"]:place["end"]].decode(), place["text"])
        self.assertLessEqual(len(snippet["text"]), 230)
        self.assertEqual(len(self.run_program.json("query", "x.vdb", "+wing -tail")["hits"]), 2)
        self.assertRegex(self.run_program("query", "x.vdb", "flutter"), r"\n   \.\.\. .*flutter.* \.\.\.\n")
        error = self.run_program.json("query", "x.vdb", "--syntax", "query", '"open', code=1)["error"]
        self.assertEqual(error["code"], "invalid_argument")

    def test_options_of_the_index(self):
        created = self.run_program.json("create", "x.vdb", "a", "--profile", "fast", "--ef-search", "100", "--oversampling", "1.1")
        self.assertEqual(created["index"], {"profile": "fast", "ef_search": 100, "oversampling": 1.1})
        other = self.run_program.json("create", "x.vdb", "b", "--index", '{"profile": "small", "m": 20}', "--m", "30")
        self.assertEqual(other["index"], {"profile": "small", "m": 30})
        self.assertEqual(self.run_program.json("create", "x.vdb", "c")["index"], {"profile": "balanced"})
        [index] = self.run_program.json("stats", "x.vdb", "-c", "a")["each"][0]["indexes"]
        self.assertEqual([index[k] for k in ("vector", "profile", "codes", "ef_search", "oversampling", "graph_rows", "outdated_rows")],
                         ["", "fast", "int4+residual", 100, 1.1, 0, 0])
        altered = self.run_program.json("alter", "x.vdb", "a", "--codes", "int8")
        self.assertEqual((altered["profile"], altered["codes"], "m" in altered), ("balanced", "int8", False))
        self.assertEqual(self.run_program.json("collections", "x.vdb")["collections"][0]["index"], {"profile": "balanced", "codes": "int8"})
        self.assertIn("codes int8", self.run_program("stats", "x.vdb"))
        altered = self.run_program.json("alter", "x.vdb", "b", "--sparse-codes", "int8")
        self.assertEqual((altered["codes"], altered["sparse_codes"], altered["sparse_rows"]), ("int4+residual", "int8", 0))
        self.assertEqual(self.run_program.json("collections", "x.vdb")["collections"][1]["index"], {"profile": "balanced", "sparse_codes": "int8"})
        self.run_program("alter", "x.vdb", "b", "--sparse-codes", "int4", code=2)
        for words, args in ((["index.m is 65", "2 to 64"], ["--m", "65"]), (["m is 8", "int8"], ["--codes", "int8", "--m", "8"]),
                            (["'speed' is unknown", "ef_search"], ["--index", '{"speed": 1}'])):
            for command in ("create", "alter"):
                message = self.run_program.json(command, "x.vdb", "new" if command == "create" else "a", *args, code=1)["error"]["message"]
                for word in words:
                    self.assertIn(word, message)
        self.run_program("alter", "x.vdb", "a", "--profile", "huge", code=2)
        self.run_program("alter", "x.vdb", "nobody", code=3)
        self.run_program("alter", "x.vdb", "a", "--vector", "nobody", code=3)

    def test_optimize_builds_the_index(self):
        rows = "".join(json.dumps({"_id": str(i), "text": "row %d" % i}) + "\n" for i in range(5000))
        self.write("many.jsonl", rows)
        seeded = random.Random(5)
        self.write("many.npy", npy([[seeded.gauss(0, 1) for _ in range(16)] for _ in range(5000)]))
        self.run_program("ingest", "m.vdb", "many.jsonl", "--vectors", "many.npy")
        report = self.run_program.json("optimize", "m.vdb")
        self.assertEqual([(e["name"], e["segments"]) for e in report["each"]], [("default", 1)])
        self.assertEqual(self.run_program.json("stats", "m.vdb")["each"][0]["rows_outside"], 0)
        self.assertEqual(self.run_program.json("verify", "m.vdb")["damages"], [])
        self.assertEqual(self.run_program.json("stats", "m.vdb")["each"][0]["indexes"][0]["graph_rows"], 5000)
        self.assertEqual(self.run_program.json("alter", "m.vdb", "default", "--profile", "small")["outdated_rows"], 5000)
        self.run_program("optimize", "m.vdb")
        [index] = self.run_program.json("stats", "m.vdb")["each"][0]["indexes"]
        self.assertEqual((index["codes"], index["graph_rows"], index["outdated_rows"]), ("int4", 5000, 0))
        self.run_program("optimize", "no.vdb", code=3)

    def test_compact_gives_space_back(self):
        self.write("big.jsonl", "".join('{"_id": "r%d", "text": "%s"}\n' % (i, "word " * 300) for i in range(2000)))
        self.run_program("ingest", "x.vdb", "big.jsonl", "--embedder", "none")
        self.run_program("erase", "x.vdb", *["r%d" % i for i in range(1800)])
        kept = self.run_program.lines("scroll", "x.vdb", "--limit", "0")
        report = self.run_program.json("compact", "x.vdb")
        self.assertEqual(report["generation"], 2)
        self.assertLess(report["bytes_after"] * 3, report["bytes_before"])
        self.assertEqual(self.run_program.lines("scroll", "x.vdb", "--limit", "0"), kept)
        self.assertTrue(self.run_program.json("verify", "x.vdb")["ok"])
        self.assertRegex(self.run_program("compact", "x.vdb"), r" became ")
        self.assertEqual(sorted(p.name for p in (self.folder / "x.vdb").glob("truth.*")), ["truth.3"])
        self.run_program("compact", "no.vdb", code=3)

    def test_verify_finds_damage(self):
        pattern = [0.625 + i for i in range(16)]
        self.write("v.npy", npy([pattern] * 5))
        self.run_program("ingest", "x.vdb", "rows.jsonl", "--vectors", "v.npy")
        self.assertTrue(self.run_program.json("verify", "x.vdb")["ok"])
        planted = 0
        for path in (p for p in (self.folder / "x.vdb").rglob("*") if p.is_file()):
            data = bytearray(path.read_bytes())
            at = data.find(struct.pack("<16f", *pattern))
            if at >= 0:
                data[at + 5] ^= 1
                path.write_bytes(data)
                planted += 1
        self.assertGreater(planted, 0, "vectors are stored as they are")
        report = self.run_program.json("verify", "x.vdb", code=4)
        self.assertFalse(report["ok"])
        self.assertEqual(sorted(report["damages"][0]), ["collection", "detail", "id", "kind"])
        self.assertRegex(self.run_program("verify", "x.vdb", code=4), r"read: \d+ damages?\n$")

    def test_not_found_and_usage(self):
        for command in (["query", "no.vdb", "x"], ["count", "no.vdb"], ["verify", "no.vdb"], ["erase", "no.vdb", "x"], ["ingest", "x.vdb", "nothing"]):
            error = self.run_program.json(*command, code=3)["error"]
            self.assertEqual(error["code"], "not_found")
        self.assertFalse((self.folder / "no.vdb").exists())
        self.run_program("ingest", "x.vdb", "rows.jsonl", "--embedder", "none")
        lines = self.run_program.lines("get", "x.vdb", "r1", "zzz", code=3)
        self.assertEqual((lines[0]["id"], lines[1]["error"]["code"]), ("r1", "not_found"))
        for command in (["query"], ["query", "x.vdb"], ["nonsense"], ["query", "x.vdb", "a", "--mode", "magic"], ["ingest", "x.vdb"],
                        ["query", "x.vdb", "a", "--where", "year >"], ["erase", "x.vdb"], ["query", "x.vdb", "a", "-k", "-3"],
                        ["query", "x.vdb", "a", "--alpha", "1.5"], ["completion", "tcsh"], []):
            self.run_program(*command, code=2)
        self.run_program("query", "x.vdb", "a", "--where", "year >", code=2)
        self.assertRegex(self.run_program.errors, r"^vecstore: --where: .*\n$")
        self.assertEqual(self.run_program.json("query", code=2)["error"]["code"], "usage")
        message = self.run_program.json("ingest", "y.vdb", "rows.jsonl", "--embedder", "no-such-model", code=3)["error"]["message"]
        self.assertIn("no-such-model", message)
        self.assertFalse((self.folder / "y.vdb").exists())
        self.run_program("query", "x.vdb", "a", "--mode", "dense", code=1)

    def test_help_teaches(self):
        overview = self.run_program("--help")
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", overview)
            text = self.run_program(command, "--help")
            self.assertIn("Example", text, command)
            self.assertIn(f"vecstore {command} " if command != "completion" else "vecstore completion", text)
        self.assertIn("Exit codes", overview)
        self.assertRegex(self.run_program("--version"), r"^vecstore \d+\.\d+\.\d+\n$")

    def test_completion(self):
        script = self.run_program("completion", "bash")
        self.write("c.bash", script)
        test = ('source c.bash; try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _vecstore; echo "${COMPREPLY[*]}"; }; '
                'try vecstore co; try vecstore query x.vdb --mode ""; try vecstore ingest --chunk; try vecstore extract ro')
        done = subprocess.run(["bash", "-c", test], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.splitlines(), ["count collections compact completion", "dense text hybrid", "--chunk-size", "rows.jsonl"])
        zsh = self.run_program("completion", "zsh")
        self.assertTrue(zsh.startswith("#compdef vecstore\n"))
        for command in COMMANDS:
            self.assertIn(f"    {command}) ", zsh)

    def on_terminal(self, *args, **environment):
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(PROGRAM, [PROGRAM, *args], dict(self.run_program.environment, TERM="xterm", **environment))
        out = b""
        try:
            while block := os.read(terminal, 4096):
                out += block
        except OSError:
            pass
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, out)
        return out.decode()

    def test_terminal(self):
        out = self.on_terminal("ingest", "x.vdb", "docs", "rows.jsonl", "--embedder", "none")
        self.assertIn("%", out)
        self.assertIn("\x1b[K", out)
        self.assertIn("\x1b[1m", self.on_terminal("query", "x.vdb", "lamp"))
        self.assertNotIn("\x1b", self.on_terminal("query", "x.vdb", "lamp", NO_COLOR="1"))

    def test_interrupt_stops_between_commits(self):
        rows = "".join(json.dumps({"_id": str(i), "text": f"row {i} " + "word " * 30}) + "\n" for i in range(200_000))
        self.write("many.jsonl", rows)
        process = subprocess.Popen([PROGRAM, "ingest", "x.vdb", "many.jsonl", "--embedder", "none", "--json"], cwd=self.folder,
                                   env=self.run_program.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            time.sleep(0.05)
            if (self.folder / "x.vdb").exists():
                break
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        if process.returncode == 0:
            self.skipTest("all was done before the signal came")
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(json.loads(out)["error"]["code"], "cancelled")
        count = self.run_program.json("count", "x.vdb")["count"]
        self.assertLess(count, 200_000)
        self.assertIn(f"{count} records", errors)
        self.assertTrue(self.run_program.json("verify", "x.vdb")["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
