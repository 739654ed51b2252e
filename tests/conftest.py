"""The orchesjob that a test runs against: the fake one, the real one, or each in turn."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from orchesjob_client import OrchesjobClient, end_processes, marked_processes

_MARK = "ORCHESJOB_TEST_MARK"
_GRACE_SEC = 0.5
_TESTS = Path(__file__).parent


class Orchesjob:
    """An orchesjob executable with a home of its own that no other test sees.

    Attributes:
        path: The executable.
        home: `ORCHESJOB_HOME`; orchesjob makes the folder when it is first called.
        environ: The environment for whatever a test starts, with `ORCHESJOB_HOME` and
            `ORCHESJOB_BIN`, and with a mark by which all that is left over is found and ended.
    """

    def __init__(self, path: str, folder: Path) -> None:
        self.path = path
        self.home = folder / "orchesjob-home"
        self.mark = uuid.uuid4().hex
        self._script = folder / "orchesjob-script.json"
        inherited = {key: text for key, text in os.environ.items() if "ORCHESJOB" not in key}
        self.environ = {
            **inherited,
            "ORCHESJOB_HOME": str(self.home),
            "ORCHESJOB_BIN": path,
            "FAKE_ORCHESJOB_SCRIPT": str(self._script),
            _MARK: self.mark,
        }

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the executable and wait for it; the answer is as it comes."""
        return subprocess.run(
            [self.path, *words],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **options,
        )

    def client(self) -> OrchesjobClient:
        """Return a client, whose calls need `env=orchesjob.environ` for the script and the mark."""
        return OrchesjobClient(self.path, home=str(self.home))

    def end_all(self) -> None:
        """End whatever the test has left running."""
        while found := marked_processes(_MARK, {self.mark}):
            assert not end_processes(found, _GRACE_SEC)


class FakeOrchesjob(Orchesjob):
    """The fake one, which does as it is told and keeps a journal; see `tests/fake_orchesjob`."""

    def script(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Say from now on which calls go wrong; counting begins anew."""
        temporary = self._script.with_suffix(".new")
        temporary.write_text(json.dumps(list(rules)), encoding="utf-8")
        (self.home / "fault-counts").unlink(missing_ok=True)
        temporary.replace(self._script)

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls so far: `call`, `key`, `argv`, `cwd`, `pid`, `time`."""
        return self._lines("calls.jsonl")

    def executions(self) -> list[dict[str, Any]]:
        """Return the beginnings and ends of commands that were really executed.

        Each has `event` (`begin` or `end`), `key`, `argv`, `cwd`, `pid` and `monotonic`, an end
        has `exit_code` too.
        """
        return self._lines("executions.jsonl")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.home / name
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def fake_executable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An executable that starts the fake with as little of Python as possible."""
    path = tmp_path_factory.mktemp("bin") / "orchesjob"
    path.write_text(
        f"#!{sys.executable} -SEI\n"
        f"import sys\nsys.path.insert(0, {str(_TESTS)!r})\n"
        "from fake_orchesjob.cli import main\nmain()\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def fake_orchesjob(fake_executable: str, tmp_path: Path) -> Iterator[FakeOrchesjob]:
    """The fake orchesjob with a fresh home."""
    fake = FakeOrchesjob(fake_executable, tmp_path)
    yield fake
    fake.end_all()


@pytest.fixture
def real_orchesjob(tmp_path: Path) -> Iterator[Orchesjob]:
    """The real orchesjob, the one beside this Python, with a fresh home."""
    real = Orchesjob(str(Path(sys.executable).parent / "orchesjob"), tmp_path)
    yield real
    real.end_all()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def orchesjob(request: pytest.FixtureRequest) -> Orchesjob:
    """Both, one after the other."""
    found: Orchesjob = request.getfixturevalue(f"{request.param}_orchesjob")
    return found
