#!/usr/bin/env python3
"""Ten questions about git, asked of the demo's database: `make demo` makes it."""
import unittest

from support import SOURCE, Program, extracted_bytes, model_folder, skipped

DEMO = SOURCE / "build/demo"
QUESTIONS = [
    ("How do I undo the last commit but keep my changes?", "git-reset.html"),
    ("How do I stash my changes and apply them again later?", "git-stash.html"),
    ("How do I reapply my commits on top of another branch?", "git-rebase.html"),
    ("How do I find the commit that introduced a bug by binary search?", "git-bisect.html"),
    ("Who last changed each line of a file?", "git-blame.html"),
    ("How do I remove untracked files from the working tree?", "git-clean.html"),
    ("How do I apply the change of a single commit from another branch?", "git-cherry-pick.html"),
    ("How do I create a tag signed with GPG?", "git-tag.html"),
    ("How do I work with multiple working trees attached to the same repository?", "git-worktree.html"),
    ("Which patterns make git ignore files that should stay untracked?", "gitignore.html"),
]


class GitDoc(unittest.TestCase):
    def test_ten_questions(self):
        program = Program(DEMO, str(model_folder().parent))
        texts = {}
        found = 0
        for question, file in QUESTIONS:
            hits = program.json("query", "git.vdb", question, "-k", "3", "--mode", "hybrid")["hits"]
            sources = [hit["source"].removeprefix("git-doc/") for hit in hits]
            found += file in sources
            print(f"{'found ' if file in sources else 'MISSED'} {file:22} {question}  {sources}")
            for hit in hits:
                if hit["source"] not in texts:
                    texts[hit["source"]] = extracted_bytes(program, hit["source"])
                self.assertEqual(texts[hit["source"]][hit["start"]:hit["end"]].decode(), hit["text"])
                self.assertTrue(hit["heading"])
        self.assertGreaterEqual(found, 8)


if __name__ == "__main__":
    if not (DEMO / "git.vdb").exists() or not model_folder():
        skipped("ten questions of git-doc: run make demo first")
    unittest.main()
