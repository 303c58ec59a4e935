#!/usr/bin/env python3
"""Checks the architecture: who includes whom, where outside headers may appear, and the sizes that keep folders readable.

    tools/check_layers.py [ROOT]

Prints every violation as path:line: text, and exits with 1 when there is one.
"""
import pathlib
import re
import sys

# Folder under src/ : folders that it may include. Everything may include itself, base and the public vocabulary.
FOLDERS = """
base            :
io              :
simd            :
text            :
storage         :
catalog         : storage
quant           : simd io
models          : text simd io
index           : io
index/vector    : index quant simd io
index/inverted  : index quant simd io
index/field     : index quant simd io
segment         : index index/vector index/inverted index/field quant text io
shard           : storage catalog segment text io
query           : shard index text
db              : query shard catalog storage text io
"""

# Public headers that only db (their implementation), programs and tests include; all others are the vocabulary.
FACADE = {"vec_store.hpp", "vec_database.hpp", "collection.hpp", "async.hpp", "vecstore.hpp", "vecstore.h"}
FACADE_USERS = {"db"}

# First match wins: pattern of an outside header, and the folders under src/ where it may appear.
THIRD_PARTY = """
lmdb\\.h                : storage
roaring/.*              : base
utf8proc\\.h            : text models
libstemmer\\.h          : text
simdjson(/.*|\\.h)      : base models
(zstd|zdict).*\\.h      : storage
CLI/.*                  :
gumbo\\.h               :
(zlib|zconf)\\.h        :
(gtest|gmock)/.*        :
rapidcheck(/.*|\\.h)    :
"""
TEST_LIBRARIES = re.compile(r"(gtest|gmock)/.*|rapidcheck(/.*|\.h)")

# Headers of the operating system, and the files that may include them.
OS_HEADERS = re.compile(
    r"(unistd|fcntl|pthread|signal|sched|poll|dirent|dlfcn|termios|fnmatch|glob|ftw|pwd|grp|netdb|spawn|semaphore"
    r"|syslog|utime|features|elf|link|execinfo|malloc)\.h|(sys|linux|netinet|arpa|asm|net|mach|bits)/.*|windows\.h")
OS_PLACES = re.compile(r"src/(base/os_[^/]*|io/.*|storage/.*)")

# Instruction sets: files that are compiled for one, and the folders of kernels.
INTRINSICS = re.compile(r"(imm|x86|nmm|smm|tmm|pmm|emm|xmm|wmm)intrin\.h|[a-z0-9]+intrin\.h|arm_\w+\.h|cpuid\.h")
INTRINSICS_PLACES = re.compile(r"src/(simd/.*|models/kernels.*|.*_(avx2|avx512|avx512bf16|amx|sse42|neon)\.[ch]pp)")

STD_HEADERS = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits
clocale cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio
cstdlib cstring ctime cuchar cwchar cwctype deque exception execution expected filesystem format forward_list fstream
functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory
memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore set
shared_mutex source_location span sstream stack stdexcept stop_token streambuf string string_view syncstream
system_error thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector
version stddef.h stdint.h stdbool.h
""".split())

FORBIDDEN_CALLS = re.compile(
    r"(?<![\w.>])(?:std::|::)?(?<!\w)(abort|exit|_exit|_Exit|quick_exit|terminate|printf|fprintf|vprintf|vfprintf|puts|fputs"
    r"|putchar|perror|assert)\s*\(|\bstd::(cout|cerr|clog|wcout|wcerr)\b")

MAX_LINES = 800
MAX_README_LINES = 30
SOURCE = {".cpp", ".hpp", ".h", ".c", ".inc"}
CODE_FOLDERS = ["include", "src", "apps", "bench", "examples", "fuzz", "tests", "tools", "cmake", "bindings"]
CODE = SOURCE | {".py", ".sh", ".cmake"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\w+))')


def table(text):
    rows = [line.split(" :", 1) for line in text.strip().splitlines()]
    return {name.strip(): rest.split() for name, rest in rows}


def closure(folders, name):
    """Everything at or below a folder."""
    seen, todo = set(), [name, "base"]
    while todo:
        folder = todo.pop()
        if folder not in seen:
            seen.add(folder)
            todo += folders[folder]
    return seen


def strip_code(text, strings=True):
    """Blanks comments (and string literals), keeping line breaks."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^\s()\\]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)

    def blank(match):
        found = match.group(0)
        if not strings and not found.startswith("/"):
            return found
        return re.sub(r"[^\n]", " ", found)

    # A quote between digits separates thousands: 1'000.
    return pattern.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text))


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.folders = table(FOLDERS)
        self.third_party = [(re.compile(p), places) for p, places in table(THIRD_PARTY).items()]
        self.violations = []
        self.files = 0

    def report(self, path, line, text):
        self.violations.append(f"{path}:{line}: {text}")

    def folder_of(self, path):
        """The table's folder for a path below src/, None when it has none."""
        parts = pathlib.PurePosixPath(path).parts[:-1]
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            if name in self.folders:
                return name
        return None

    def check(self):
        for top in CODE_FOLDERS:
            for path in sorted((self.root / top).rglob("*")):
                if path.is_file() and path.suffix in CODE and "__pycache__" not in path.parts:
                    self.files += 1
                    self.check_file(path)
        self.check_readmes()
        return self.violations

    def check_file(self, path):
        name = path.relative_to(self.root).as_posix()
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.count("\n") + (not text.endswith("\n") and bool(text))
        if lines > MAX_LINES:
            self.report(name, lines, f"{lines} lines are above the limit of {MAX_LINES}")
        if path.suffix not in SOURCE:
            return
        if name.startswith("include/vecstore/"):
            self.check_includes(name, text, self.check_public_include)
        elif name.startswith("src/"):
            if self.folder_of(name[len("src/"):]) is None:
                self.report(name, 1, "this folder is not in the table of tools/check_layers.py")
                return
            self.check_includes(name, text, self.check_src_include)
            if not name.endswith("_test.cpp"):
                self.check_calls(name, text)

    def check_includes(self, name, text, check):
        for number, line in enumerate(strip_code(text, strings=False).splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quoted, angled, macro = match.groups()
            if macro:
                self.report(name, number, f"#include {macro}: the header has to be named")
            else:
                check(name, number, quoted, angled)

    def check_public_include(self, name, number, quoted, angled):
        header = quoted or angled
        if header.startswith("vecstore/"):
            own = header[len("vecstore/"):]
            if not (self.root / "include" / header).is_file():
                self.report(name, number, f"{header} does not exist")
            if own in FACADE and name[len("include/vecstore/"):] not in FACADE:
                self.report(name, number, f"the vocabulary may not include the facade ({header})")
        elif header not in STD_HEADERS:
            self.report(name, number, f"a public header may include only the standard library and vecstore/, not {header}")

    def check_src_include(self, name, number, quoted, angled):
        header = quoted or angled
        folder = self.folder_of(name[len("src/"):])
        test = name.endswith("_test.cpp")
        below = closure(self.folders, folder)
        if header.startswith("vecstore/"):
            if not (self.root / "include" / header).is_file():
                self.report(name, number, f"{header} does not exist")
            if header[len("vecstore/"):] in FACADE and folder not in FACADE_USERS:
                self.report(name, number, f"{folder} may not include the facade ({header})")
        elif quoted:
            self.check_own_include(name, number, quoted, folder, below, test)
        elif angled not in STD_HEADERS:
            self.check_outside_include(name, number, angled, folder, below, test)

    def check_own_include(self, name, number, header, folder, below, test):
        if test and (self.root / "tests" / header).is_file():
            return
        if not (self.root / "src" / header).is_file():
            self.report(name, number, f'"{header}" is not a file under src/ (write "folder/file.hpp"; outside headers take <>)')
            return
        target = self.folder_of(header)
        allowed = below if test else {folder, "base", *self.folders[folder]}
        if target not in allowed:
            self.report(name, number, f"{folder} may not include {target or header} ({header})")

    def check_outside_include(self, name, number, header, folder, below, test):
        if test and TEST_LIBRARIES.fullmatch(header):
            return
        for pattern, places in self.third_party:
            if pattern.fullmatch(header):
                if not (below if test else {folder}) & set(places):
                    where = ", ".join(places) if places else "programs and tests"
                    self.report(name, number, f"<{header}> may appear only in {where}")
                return
        if INTRINSICS.fullmatch(header):
            if not INTRINSICS_PLACES.fullmatch(name):
                self.report(name, number, f"<{header}> may appear only in src/simd, src/models/kernels* and *_<isa> files")
        elif OS_HEADERS.fullmatch(header):
            if not test and not OS_PLACES.fullmatch(name):
                self.report(name, number, f"<{header}> may appear only in src/base/os_*, src/io and src/storage")
        elif "c" + header[:-2] in STD_HEADERS:
            # Kernels take C's headers on purpose: <cmath> brings inline functions, and the linker may keep the copy that
            # was compiled for an instruction set that the machine lacks.
            if not INTRINSICS_PLACES.fullmatch(name):
                self.report(name, number, f"<{header}> is C's name: write <c{header[:-2]}>")
        else:
            self.report(name, number, f"<{header}> is unknown to tools/check_layers.py")

    def check_calls(self, name, text):
        for number, line in enumerate(strip_code(text).splitlines(), 1):
            for match in FORBIDDEN_CALLS.finditer(line):
                word = match.group(1) or match.group(2)
                self.report(name, number, f"the library never prints or ends the program ({word})")

    def check_readmes(self):
        for folder in self.folders:
            path = self.root / "src" / folder
            if not any(p.suffix in SOURCE for p in path.glob("*")):
                continue
            readme = path / "README.md"
            name = f"src/{folder}/README.md"
            if not readme.is_file():
                self.report(name, 1, "is missing: what lives here, what is below, invariants, how to add one more")
                continue
            lines = len(readme.read_text(encoding="utf-8").splitlines())
            if lines > MAX_README_LINES:
                self.report(name, lines, f"{lines} lines are above the limit of {MAX_README_LINES}")


def main(arguments):
    root = arguments[0] if arguments else pathlib.Path(__file__).resolve().parent.parent
    checker = Checker(root)
    violations = checker.check()
    for violation in violations:
        print(violation)
    if checker.files == 0:
        print(f"{root}: no sources found")
        return 1
    print(f"layers: {checker.files} files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
