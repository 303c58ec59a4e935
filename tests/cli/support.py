"""What the end-to-end tests of the program share."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("VECSTORE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("VECSTORE_PROGRAM", str(SOURCE / "build/release/bin/vecstore"))
DATA = SOURCE / "tests/data"
MODEL_NAME = "all-MiniLM-L6-v2"


def model_folder():
    """The folder of the test model, or None."""
    for place in os.environ.get("VECSTORE_MODELS", str(SOURCE / "build/models")).split(":"):
        folder = pathlib.Path(place) / MODEL_NAME
        if (folder / "model.safetensors").exists():
            return folder
    return None


class Program:
    """Runs the program in one folder."""

    def __init__(self, folder, models=""):
        self.folder = folder
        self.environment = dict(os.environ, VECSTORE_MODELS=models, HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"))
        self.environment.pop("NO_COLOR", None)

    def __call__(self, *args, code=0, text=True):
        done = subprocess.run([PROGRAM, *map(str, args)], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text, timeout=600)
        assert done.returncode == code, f"vecstore {' '.join(map(str, args))}: exit code {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
        self.errors = done.stderr
        return done.stdout

    def json(self, *args, code=0):
        return json.loads(self(*args, "--json", code=code))

    def lines(self, *args, code=0):
        return [json.loads(line) for line in self(*args, "--json", code=code).splitlines()]


class ProgramTest(unittest.TestCase):
    """Each test has a folder of its own with a copy of the documents."""

    models = ""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vecstore-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        shutil.copytree(DATA / "docs", self.folder / "docs")
        shutil.copy(DATA / "rows.jsonl", self.folder)
        self.run_program = Program(self.folder, self.models)

    def write(self, name, data):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return name


def skipped(reason):
    print(f"SKIPPED: {reason}", file=sys.stderr)
    sys.exit(0)


def extracted_bytes(program, path):
    return program("extract", path, text=False)
