"""Plant each bug into a copy of the packages and see who notices; exit 1 if nobody does."""

# ruff: noqa: T201 - it is a command

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "3000"
LONGEST_SEC = 900


def main() -> int:
    """Plant the bugs whose names contain a word, or all."""
    parser = argparse.ArgumentParser(prog="python -m planted", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only bugs whose name contains it")
    word = parser.parse_args().word
    unnoticed = 0
    for bug in BUGS:
        if word in bug.name:
            noticed = plant(bug)
            unnoticed += noticed is None
            print(f"{bug.name}: {noticed or 'NOBODY NOTICES'}", flush=True)
    return 1 if unnoticed else 0


def plant(bug: Bug) -> str | None:
    """Plant one bug; return who notices it, or None."""
    with TemporaryDirectory() as folder:
        packages = Path(folder)
        for source in ROOT.glob("packages/*/src"):
            shutil.copytree(source, packages / source.relative_to(ROOT / "packages"))
        file = packages / bug.file
        file.write_text(bug.planted_in(file.read_text(encoding="utf-8")), encoding="utf-8")
        path = os.pathsep.join(map(str, sorted(packages.glob("*/src"))))
        environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        return by_tests(bug.tests, environ) if bug.tests else by_simulation(environ)


def by_simulation(environ: dict[str, str]) -> str | None:
    """Say which promises the simulation sees broken, each with the first seed."""
    command = [sys.executable, "-m", "simulation", "--seeds", SEEDS]
    said = ask(command, ROOT / "packages" / "orchesjob-flow" / "tests", environ)
    broken: dict[str, str] = {}
    for seed, name in re.findall(r"(?m)^seed (\d+) broke (\w+)", said):
        broken.setdefault(name, seed)
    return ", ".join(f"{name} (seed {seed})" for name, seed in broken.items()) or None


def by_tests(tests: str, environ: dict[str, str]) -> str | None:
    """Say which test fails first."""
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    said = ask([sys.executable, "-m", "pytest", *options, *tests.split()], ROOT, environ)
    failed = re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", said)
    return failed[1] if failed else None


def ask(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run a command and return what it says."""
    answer = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=LONGEST_SEC,
    )
    return answer.stdout


if __name__ == "__main__":
    sys.exit(main())
