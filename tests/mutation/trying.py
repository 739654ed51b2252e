"""Trying a mutant: a copy of the packages with one module changed, and the tests that judge it."""

import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

ROOT = Path(__file__).resolve().parents[2]
SEEDS = "3000"
TIME_LIMIT_SEC = 600
TEST_LIMIT_SEC = 120  # those that pass take a quarter of it; who hangs has noticed the mutant
GLANCE_SEC = 0.5  # between two looks whether somebody has interrupted it all

interrupted = Event()


@contextmanager
def mutated(module: Path, text: str) -> Iterator[dict[str, str]]:
    """Copy the packages, one module of them with another text; yield variables that choose them."""
    with TemporaryDirectory() as folder:
        packages = Path(folder)
        for source in ROOT.glob("packages/*/src"):
            shutil.copytree(source, packages / source.relative_to(ROOT / "packages"))
        file = packages / module.relative_to(ROOT / "packages")
        file.write_text(text, encoding="utf-8")
        py_compile.compile(str(file), doraise=True)  # once, and not in each process of its tests
        path = os.pathsep.join(map(str, sorted(packages.glob("*/src"))))
        yield {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def try_all[M, T](
    mutants: Sequence[M], judge: Callable[[M], T], jobs: int
) -> Iterator[tuple[M, T]]:
    """Try so many mutants at once; yield each with what is judged of it."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from zip(mutants, pool.map(judge, mutants), strict=True)
        except KeyboardInterrupt:
            interrupted.set()
            raise


def try_simulation(environ: dict[str, str]) -> str | None:
    options = ["--seeds", SEEDS, "--processes", "1", "--failures", "1"]
    command = [sys.executable, "-m", "simulation", *options]
    _, printed = run(command, ROOT / "packages" / "orchesjob-flow" / "tests", environ)
    broken = re.search(r"(?m)^seed (\d+) broke (\w+)", printed)
    return None if broken is None else f"{broken[2]} (seed {broken[1]})"


def try_tests(arguments: Iterable[str], environ: dict[str, str]) -> str | None:
    """Name the first test that fails, or say how pytest itself failed.

    Raises:
        LookupError: A test is not there.
    """
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", f"limit_sec={TEST_LIMIT_SEC}"]
    code, printed = run([sys.executable, "-m", "pytest", *options, *arguments], ROOT, environ)
    if missing := re.search(r"(?m)^ERROR: not found: (.*)", printed):
        raise LookupError(f"measure again what the tests reach; not found: {missing[1]}")
    if failed := re.search(r"(?m)^(?:FAILED|ERROR) (\S+)", printed):
        return failed[1]
    return f"exit code {code} of pytest" if code else None


def run(command: list[str], folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and what it prints.

    One that is cut off is ended with its group.

    Raises:
        TimeoutExpired: It took too long.
        CancelledError: Somebody has interrupted it all.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    end = time.monotonic() + TIME_LIMIT_SEC
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                printed, _ = process.communicate(timeout=GLANCE_SEC)
                return process.returncode, printed
            if interrupted.is_set():
                raise CancelledError
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(command, TIME_LIMIT_SEC)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
