"""Where programs are run: throwaway homes, the executables, and timing a whole process.

Which programs are compared is the matter of the modules that measure.
"""

import compileall
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
NEAR_FREE = str(HERE / "near_free_orchesjob")
CLOCKED = str(HERE / "clocked_orchesjob")
OWN_USAGE = str(HERE / "own_usage.py")
PACKAGES = ("flow_conditions", "flow_spec", "flow_store", "orchesjob_client", "orchesjob_flow")


@dataclass(frozen=True)
class Workplace:
    """A folder for everything, the programs of this Python's environment, and how long to measure.

    Attributes:
        folder: Removed by whoever made it.
        quick: Whether fewer rounds will do.
    """

    folder: Path
    quick: bool
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def flow(self) -> str:
        """The program `orchesjob-flow`."""
        return str(Path(sys.executable).parent / "orchesjob-flow")

    @property
    def orchesjob(self) -> str:
        """The real orchesjob."""
        return str(Path(sys.executable).parent / "orchesjob")

    def rounds(self, usual: int) -> int:
        """Say how many rounds to measure."""
        return max(2, usual // 3) if self.quick else usual

    def write(self, text: str, suffix: str = ".yaml") -> str:
        """Write a new file and return its path."""
        path = self.folder / f"file-{next(self._numbers)}{suffix}"
        path.write_text(text, encoding="utf-8")
        return str(path)

    @contextmanager
    def home(self, orchesjob: str | None = None) -> Iterator[dict[str, str]]:
        """Make a home that no job has ever seen, with its database; yield the environment for it.

        Without this, history would grow with every round, and every call with the history.
        """
        place = self.folder / f"home-{next(self._numbers)}"
        environment = {
            **os.environ,
            "ORCHESJOB_BIN": orchesjob or self.orchesjob,
            "ORCHESJOB_HOME": str(place / "jobs"),
            "ORCHESJOB_FLOW_HOME": str(place / "flow"),
            "BENCHMARK_ORCHESJOB": self.orchesjob,
            "BENCHMARK_CALLS": str(place / "calls"),
        }
        place.mkdir()
        if orchesjob != NEAR_FREE:
            run([self.orchesjob, "status", "--running"], environment)
        try:
            yield environment
        finally:
            # The last job's worker may be closing its database still.
            shutil.rmtree(place, ignore_errors=True)


def compile_packages() -> None:
    """Compile the five packages, as every installer does but that of an editable checkout.

    Where PYTHONDONTWRITEBYTECODE is set, each start of a program would compile them anew.
    """
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        assert found is not None and found.origin is not None  # noqa: S101, PT018 - installed
        compileall.compile_dir(Path(found.origin).parent, quiet=2)


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program and return what it printed.

    Raises:
        RuntimeError: It failed; nothing can be measured then.
    """
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a program and return how long it took, from before its start to after its end."""
    began = time.perf_counter()
    run(command, environment)
    return time.perf_counter() - began
