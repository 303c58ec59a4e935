#!/usr/bin/env python3
"""Cranfield through the program, with default settings: how good the answers are. VECSTORE_DATA/cranfield has the collection."""
import os
import pathlib
import shutil
import tempfile
import unittest

from support import Program, model_folder, skipped

DATA = pathlib.Path(os.environ.get("VECSTORE_DATA", "/nowhere")) / "cranfield"
DENSE = 0.3995  # sentence-transformers' own vectors, exact search


class Cranfield(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="vecstore-cranfield-"))
        cls.program = Program(cls.folder, str(model_folder().parent) if model_folder() else "")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def database(self, name, *options):
        if not (self.folder / name).exists():
            self.program("ingest", name, DATA / "corpus.jsonl", *options)
        return name

    def ndcg(self, database, mode, *options):
        run = self.folder / f"{database}.{mode}.run"
        run.write_text(self.program("run", database, "--queries", DATA / "queries.jsonl", "--mode", mode, *options))
        measures = self.program.json("eval", "--qrels", DATA / "qrels.tsv", run)
        print(f"{database} {mode}: {measures}")
        self.assertEqual(measures["queries"], 225)
        return measures["ndcg@10"]

    def test_text(self):
        self.assertGreaterEqual(self.ndcg(self.database("text", "--embedder", "none"), "text"), 0.385)

    def test_fast(self):
        if not model_folder():
            self.skipTest("no model")
        self.assertAlmostEqual(self.ndcg(self.database("fast"), "dense"), DENSE, delta=0.004)
        self.assertGreaterEqual(self.ndcg(self.database("fast"), "hybrid"), 0.436)

    def test_f32(self):
        if not model_folder():
            self.skipTest("no model")
        database = self.database("f32", "--precision", "f32")
        self.assertAlmostEqual(self.ndcg(database, "dense", "--precision", "f32"), DENSE, delta=0.002)


if __name__ == "__main__":
    if not (DATA / "corpus.jsonl").exists():
        skipped("Cranfield: VECSTORE_DATA is not set, or holds no cranfield/")
    if not model_folder():
        print("SKIPPED: dense and hybrid Cranfield: the test model was not found")
    unittest.main()
