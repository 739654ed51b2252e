"""Make one mutant after the other and see which test notices; exit 1 if one survives."""

# ruff: noqa: T201 - it is a command

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from .mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "3000"
TIME_LIMIT_SEC = 900


def main() -> int:
    """Try the mutations whose names contain a word, or all; as many at once as there are cores."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only mutations whose name contains it")
    word = parser.parse_args().word
    chosen = [mutation for mutation in MUTATIONS if word in mutation.name]
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutation, killer in zip(chosen, pool.map(find_killer, chosen), strict=True):
            survived += killer is None
            outcome = "SURVIVED" if killer is None else f"killed by {killer}"
            print(f"{mutation.name}: {outcome}", flush=True)
    return 1 if survived else 0


def find_killer(mutation: Mutation) -> str | None:
    """Make a mutant; return what notices it, or None."""
    with TemporaryDirectory() as folder:
        packages = Path(folder)
        for source in ROOT.glob("packages/*/src"):
            shutil.copytree(source, packages / source.relative_to(ROOT / "packages"))
        file = packages / mutation.file
        file.write_text(mutation.put_into(file.read_text(encoding="utf-8")), encoding="utf-8")
        path = os.pathsep.join(map(str, sorted(packages.glob("*/src"))))
        environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return try_tests(mutation.tests, environ) if mutation.tests else try_simulation(environ)


def try_simulation(environ: dict[str, str]) -> str | None:
    """Name the first invariant that the simulation sees broken, with the seed."""
    options = ["--seeds", SEEDS, "--processes", "1", "--failures", "1"]
    command = [sys.executable, "-m", "simulation", *options]
    printed = run(command, ROOT / "packages" / "orchesjob-flow" / "tests", environ)
    broken = re.search(r"(?m)^seed (\d+) broke (\w+)", printed)
    return None if broken is None else f"{broken[2]} (seed {broken[1]})"


def try_tests(tests: str, environ: dict[str, str]) -> str | None:
    """Name the first test that fails."""
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    printed = run([sys.executable, "-m", "pytest", *options, *tests.split()], ROOT, environ)
    failed = re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", printed)
    return failed[1] if failed else None


def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run a command and return what it prints."""
    finished = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=TIME_LIMIT_SEC,
    )
    return finished.stdout


if __name__ == "__main__":
    sys.exit(main())
