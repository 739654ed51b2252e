"""Make one mutant after the other and see which test notices; exit 1 if one survives."""

# ruff: noqa: T201 - it is a command

import argparse
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from .mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "3000"
TIME_LIMIT_SEC = 600
TEST_LIMIT_SEC = 120  # those that pass take a quarter of it; who hangs has noticed the mutant
KILLED, SURVIVED = "killed by", "SURVIVED"
GLANCE_SEC = 0.5  # between two looks whether somebody has interrupted it all

interrupted = Event()


def main() -> int:
    """Try the mutations whose names contain a word, or all; several at once."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only mutations whose name contains it")
    # Many of their tests wait for something that the mutant keeps from happening.
    jobs = 3 * (os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help="how many at once")
    given = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if given.word in mutation.name]
    weak = []
    with ThreadPoolExecutor(given.jobs) as pool:
        try:
            for mutation, outcome in zip(chosen, pool.map(try_mutation, chosen), strict=True):
                print(f"{mutation.name}: {outcome}", flush=True)
                if not outcome.startswith(KILLED):
                    weak.append(f"{outcome}: {mutation.name}")
        except KeyboardInterrupt:
            interrupted.set()
            raise
    survived = sum(line.startswith(SURVIVED) for line in weak)
    print(f"{len(chosen)} mutants, {survived} survived", *weak, sep="\n")
    return 1 if survived else 0


def try_mutation(mutation: Mutation) -> str:
    """Make a mutant, twice if its tests notice nothing at first, and say what became of it.

    A test that notices a mutant only at times is weak, which the end of the log tells as well. The
    simulation repeats itself, and is not asked twice.
    """
    began = time.monotonic()
    if killer := find_killer(mutation):
        return f"{KILLED} {killer} in {time.monotonic() - began:.1f} s"
    if mutation.tests and (killer := find_killer(mutation)):
        return f"BY CHANCE, at the second try, {KILLED} {killer}"
    return SURVIVED


def find_killer(mutation: Mutation) -> str | None:
    """Make a mutant; return what notices it, or None."""
    with TemporaryDirectory() as folder:
        packages = Path(folder)
        for source in ROOT.glob("packages/*/src"):
            shutil.copytree(source, packages / source.relative_to(ROOT / "packages"))
        module, mutant = mutation.mutant()
        file = packages / module.relative_to(ROOT / "packages")
        file.write_text(mutant, encoding="utf-8")
        py_compile.compile(str(file), doraise=True)  # once, and not in each process of its tests
        path = os.pathsep.join(map(str, sorted(packages.glob("*/src"))))
        environ = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            return try_tests(mutation, environ) if mutation.tests else try_simulation(environ)
        except subprocess.TimeoutExpired:
            return "its time limit"


def try_simulation(environ: dict[str, str]) -> str | None:
    """Name the first invariant that the simulation sees broken, with the seed."""
    options = ["--seeds", SEEDS, "--processes", "1", "--failures", "1"]
    command = [sys.executable, "-m", "simulation", *options]
    printed = run(command, ROOT / "packages" / "orchesjob-flow" / "tests", environ)
    broken = re.search(r"(?m)^seed (\d+) broke (\w+)", printed)
    return None if broken is None else f"{broken[2]} (seed {broken[1]})"


def try_tests(mutation: Mutation, environ: dict[str, str]) -> str | None:
    """Name the first test that fails."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", f"limit_sec={TEST_LIMIT_SEC}"]
    printed = run([sys.executable, "-m", "pytest", *options, *mutation.arguments()], ROOT, environ)
    failed = re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", printed)
    return failed[1] if failed else None


def run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """Run a command and return what it prints; one that is cut off is ended with its group.

    Raises:
        TimeoutExpired: It took too long.
        CancelledError: Somebody has interrupted it all.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True, process_group=0
    )
    end = time.monotonic() + TIME_LIMIT_SEC
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.communicate(timeout=GLANCE_SEC)[0]
            if interrupted.is_set():
                raise CancelledError
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(command, TIME_LIMIT_SEC)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise


if __name__ == "__main__":
    sys.exit(main())
