"""What a test runs: an orchesjob, fake or real, and the installed command that uses it.

Only the fixtures are here; their classes are in `support`.
"""

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.orchesjob import FakeOrchesjob, Orchesjob
from support.unrelated import UnrelatedProcesses

_SUPPORT = Path(__file__).parent / "support"


def pytest_configure() -> None:
    """Let what the tests start obey signals: a shell has its background jobs ignore SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Collect garbage seldom, and never the tests: that takes a fifth of their own time else."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@pytest.fixture(scope="session")
def fake_executable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A console script as pip writes it, that starts the fake with as little as possible."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "fake_orchesjob").symlink_to(_SUPPORT / "fake_orchesjob")
    return write_program(
        folder / "orchesjob",
        f"#!{sys.executable} -SE\n"
        "import sys\nfrom fake_orchesjob.cli import main\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n",
    )


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


@pytest.fixture
def flow(fake_orchesjob: FakeOrchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the fake orchesjob."""
    with closing(Flow(fake_orchesjob, tmp_path)) as flow:
        yield flow


@pytest.fixture(scope="module")
def shared_flow(fake_executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    """The command on a fake orchesjob, with runs that the tests of a module share."""
    folder = tmp_path_factory.mktemp("shared")
    fake = FakeOrchesjob(fake_executable, folder)
    with closing(Flow(fake, folder)) as flow:
        yield flow
    fake.end_all()


@pytest.fixture
def real_flow(real_orchesjob: Orchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the real orchesjob."""
    with closing(Flow(real_orchesjob, tmp_path)) as flow:
        yield flow


@pytest.fixture
def each_flow(orchesjob: Orchesjob, tmp_path: Path) -> Iterator[Flow]:
    """The command on the fake orchesjob, then on the real one."""
    with closing(Flow(orchesjob, tmp_path)) as flow:
        yield flow


@pytest.fixture
def unrelated() -> Iterator[UnrelatedProcesses]:
    """Processes that belong to no run."""
    with closing(UnrelatedProcesses()) as unrelated:
        yield unrelated


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """A gate for steps."""
    with closing(Gate(tmp_path)) as gate:
        yield gate
