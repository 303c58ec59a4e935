"""The checker of the architecture finds what it says that it finds, and nothing in a clean tree."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True
import check_layers  # noqa: E402


class Tree(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.root = pathlib.Path(self.temp.name)
        self.put("include/vecstore/error.hpp", "#include <string>\n")
        self.put("include/vecstore/collection.hpp", "#include <vecstore/error.hpp>\n")
        self.put("src/base/error.hpp", '#include "vecstore/error.hpp"\n')
        for folder in check_layers.table(check_layers.FOLDERS):
            self.put(f"src/{folder}/README.md", "# folder\n")
            self.put(f"src/{folder}/part.hpp", "#pragma once\n#include <vector>\n")

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def check(self):
        return check_layers.Checker(self.root).check()

    def assert_clean(self, name, text):
        self.put(name, text)
        self.assertEqual(self.check(), [])

    def assert_found(self, name, text, expected, line=1):
        self.put(name, text)
        found = self.check()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(f"{name}:{line}: "), found)
        self.assertIn(expected, found[0])
        (self.root / name).unlink()

    def test_a_clean_tree_is_clean(self):
        self.assertEqual(self.check(), [])

    def test_every_pair_of_folders(self):
        # The table said a second time, in full, so that a slip in one of the two is seen.
        base = {"base"}
        allowed = {
            "base": base,
            "io": base,
            "simd": base,
            "text": base,
            "storage": base,
            "catalog": base | {"storage"},
            "quant": base | {"simd", "io"},
            "models": base | {"text", "simd", "io"},
            "index": base | {"io"},
            "index/vector": base | {"index", "quant", "simd", "io"},
            "index/inverted": base | {"index", "quant", "simd", "io"},
            "index/field": base | {"index", "quant", "simd", "io"},
            "segment": base | {"index", "index/vector", "index/inverted", "index/field", "quant", "text", "io"},
            "shard": base | {"storage", "catalog", "segment", "text", "io"},
            "query": base | {"shard", "index", "text"},
            "db": base | {"query", "shard", "catalog", "storage", "text", "io"},
        }
        self.assertEqual(set(allowed), set(check_layers.table(check_layers.FOLDERS)))
        for source in allowed:
            for target in allowed:
                name, text = f"src/{source}/x.cpp", f'#include "{target}/part.hpp"\n'
                with self.subTest(source=source, target=target):
                    if target == source or target in allowed[source]:
                        self.assert_clean(name, text)
                        (self.root / name).unlink()
                    else:
                        self.assert_found(name, text, f"{source} may not include {target}")

    def test_third_party_headers(self):
        places = {
            "lmdb.h": ["storage"], "roaring/roaring.hh": ["base"], "utf8proc.h": ["text", "models"],
            "libstemmer.h": ["text"], "simdjson.h": ["base", "models"], "zstd.h": ["storage"], "zdict.h": ["storage"],
            "CLI/CLI.hpp": [], "gumbo.h": [], "zlib.h": [], "gtest/gtest.h": [],
        }
        for header, allowed in places.items():
            for folder in check_layers.table(check_layers.FOLDERS):
                name, text = f"src/{folder}/x.cpp", f"#include <{header}>\n"
                with self.subTest(header=header, folder=folder):
                    if folder in allowed:
                        self.assert_clean(name, text)
                        (self.root / name).unlink()
                    else:
                        self.assert_found(name, text, "may appear only in")

    def test_operating_system_headers(self):
        for header in ["unistd.h", "fcntl.h", "sys/mman.h", "pthread.h", "linux/fs.h"]:
            text = f"#include <vector>\n#include <{header}>\n"
            for folder in ["text", "simd", "db", "base", "shard"]:
                self.assert_found(f"src/{folder}/x.cpp", text, "may appear only in", line=2)
            self.assert_clean("src/base/os_memory.cpp", text)
            self.assert_clean("src/io/x.cpp", text)
            self.assert_clean("src/storage/x.cpp", text)

    def test_intrinsics(self):
        text = "#include <immintrin.h>\n"
        self.assert_found("src/text/x.cpp", text, "may appear only in")
        self.assert_found("src/models/x.cpp", text, "may appear only in")
        for name in ["text/x_avx2.cpp", "base/crc32c_sse42.cpp", "simd/x.cpp", "models/kernels_x.cpp", "models/x_amx.cpp"]:
            self.assert_clean("src/" + name, text)

    def test_public_headers(self):
        name = "include/vecstore/x.hpp"
        self.assert_found(name, '#include "base/error.hpp"\n', "only the standard library")
        self.assert_found(name, "#include <roaring/roaring.hh>\n", "only the standard library")
        self.assert_found(name, "#include <unistd.h>\n", "only the standard library")
        self.assert_found(name, "#include <vecstore/none.hpp>\n", "does not exist")
        self.assert_found(name, "#include <vecstore/collection.hpp>\n", "may not include the facade")
        self.assert_clean(name, "#include <vecstore/error.hpp>\n#include <vector>\n")

    def test_the_facade_is_for_db(self):
        text = "#include <vecstore/collection.hpp>\n"
        self.assert_found("src/query/x.cpp", text, "may not include the facade")
        self.assert_clean("src/db/x.cpp", text)

    def test_unknown_things(self):
        self.assert_found("src/text/x.cpp", "#include <boost/any.hpp>\n", "is unknown")
        self.assert_found("src/text/x.cpp", '#include "part.hpp"\n', "is not a file under src/")
        self.assert_found("src/text/x.cpp", '#include "../io/part.hpp"\n', "is not a file under src/")
        self.assert_found("src/text/x.cpp", "#include <math.h>\n", "write <cmath>")
        self.assert_clean("src/simd/x.cpp", "#include <math.h>\n#include <string.h>\n")
        self.assert_found("src/text/x.cpp", "#define H <vector>\n#include H\n", "has to be named", line=2)
        self.assert_found("src/gadgets/x.cpp", "int x;\n", "not in the table")

    def test_tests_may_use_everything_below(self):
        self.put("tests/support/data.hpp", "")
        self.assert_clean("src/query/x_test.cpp",
                          '#include <gtest/gtest.h>\n#include <rapidcheck.h>\n#include <unistd.h>\n#include <lmdb.h>\n'
                          '#include "storage/part.hpp"\n#include "support/data.hpp"\nint main() { exit(1); }\n')
        self.assert_found("src/text/x_test.cpp", '#include "query/part.hpp"\n', "may not include")
        self.assert_found("src/text/x_test.cpp", "#include <lmdb.h>\n", "may appear only in")

    def test_programs_may_use_anything(self):
        self.assert_clean("apps/x.cpp", '#include <CLI/CLI.hpp>\n#include "db/part.hpp"\nint main() { std::cout << 1; }\n')

    def test_forbidden_calls(self):
        for call in ["abort();", "std::abort();", "exit(1);", "::exit (1);", "std::cout << 1;", "std::cerr << 1;", 'printf("x");',
                     'std::fprintf(stderr, "x");', "std::terminate();", "assert(x);", "if (a) return exit(2);"]:
            self.assert_found("src/text/x.cpp", f"\nvoid f() {{ {call} }}\n", "never prints", line=2)
        self.assert_clean("src/text/x.cpp",
                          '// exit(1)\n/* abort();\n*/ const char* s = "printf(1)"; const char* r = R"(exit(1))";\n'
                          "static_assert(true); int n = snprintf(b, 1, f); job.exit(1); p->abort(); on_exit(2); int big = 1'000;\n")

    def test_commented_includes_do_not_count(self):
        self.assert_clean("src/text/x.cpp", '// #include "db/part.hpp"\n/*\n#include <lmdb.h>\n*/\n')

    def test_sizes(self):
        self.assert_clean("src/text/x.cpp", "int x;\n" * 800)
        self.assert_found("src/text/x.cpp", "int x;\n" * 801, "801 lines", line=801)
        self.assert_found("tests/x.py", "x = 1\n" * 801, "801 lines", line=801)
        self.assert_found("src/text/README.md", "x\n" * 31, "31 lines", line=31)

    def test_a_readme_is_missing(self):
        (self.root / "src/text/README.md").unlink()
        self.assertEqual(len(self.check()), 1)
        self.assertIn("src/text/README.md:1: is missing", self.check()[0])

    def test_every_violation_is_printed_and_counts(self):
        self.put("src/text/x.cpp", "#include <lmdb.h>\n#include <gumbo.h>\nvoid f() { abort(); }\n")
        program = [sys.executable, str(ROOT / "tools/check_layers.py"), str(self.root)]
        done = subprocess.run(program, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("3 violations", done.stdout)
        self.assertEqual(len(done.stdout.splitlines()), 4)
        (self.root / "src/text/x.cpp").unlink()
        self.assertEqual(subprocess.run(program, capture_output=True).returncode, 0)

    def test_no_sources_is_an_error(self):
        with tempfile.TemporaryDirectory() as empty:
            program = [sys.executable, str(ROOT / "tools/check_layers.py"), empty]
            self.assertEqual(subprocess.run(program, capture_output=True).returncode, 1)


if __name__ == "__main__":
    unittest.main()
