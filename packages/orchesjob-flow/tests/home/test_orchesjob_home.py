"""A run belongs to one home of orchesjob (rules 4.8 and 6.13)."""

import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flow_store import Attempt, AttemptStatus, Run
from orchesjob_client import orchesjob_home
from orchesjob_flow.errors import OtherOrchesjobHome, UnusableOrchesjobHome
from orchesjob_flow.home.orchesjob_home import (
    environ_of,
    is_in_own_home,
    refuse_unwritable,
    shared_home,
)
from orchesjob_flow.home.paths import Home

DEFAULT = orchesjob_home({})
FLOWS = Home(Path("/srv/flows/flow.db"))


def environ_for(run: Run, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment for a run that is recorded in some flow home."""
    return environ_of(run, environ, FLOWS)


@pytest.fixture
def run_in(make_run: Callable[..., Run]) -> Callable[[str], Run]:
    """Make a run that has begun a job in a home."""
    begun = Attempt(0, 1, AttemptStatus.RUNNING, 1.0, None, "boot", job_id="j")
    return lambda home: make_run(run_key="k", orchesjob_home=home, attempts={0: begun})


@pytest.fixture
def home(tmp_path: Path) -> str:
    (tmp_path / "jobs").mkdir()
    return str((tmp_path / "jobs").resolve())


def test_the_default_home_stays_unnamed(run_in: Callable[[str], Run]) -> None:
    """Where a run is in orchesjob's default home, no step sees a variable that was not set."""
    run = run_in(DEFAULT)._replace(attempts={})
    assert environ_for(run, {"A": "b"}) == {"A": "b"}


def test_the_home_of_a_new_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an absolute path without links, and need not exist yet (rule 4.8)."""
    (tmp_path / "link").symlink_to(tmp_path / "jobs")
    monkeypatch.chdir(tmp_path)
    expected = str(tmp_path.resolve() / "jobs")
    assert shared_home({"ORCHESJOB_HOME": "link"}) == expected


def test_from_a_removed_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative home cannot be found from a directory that is gone; the error says so (4.8)."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(UnusableOrchesjobHome, match="home jobs cannot be found: the current"):
        shared_home({"ORCHESJOB_HOME": "jobs"})


@pytest.mark.parametrize("name", [".", "jobs"])
def test_a_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A home that this user cannot write is refused (rule 6.13)."""
    # The superuser may write to any folder, so the system's answer is replaced.
    monkeypatch.setattr("os.access", lambda path, mode: not (str(path) == str(tmp_path) and mode))
    with pytest.raises(UnusableOrchesjobHome, match="cannot be written by this user; set"):
        refuse_unwritable(str((tmp_path / name).resolve()))


@pytest.mark.parametrize("name", ["orchesjob.db", "logs"])
def test_a_home_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A home that a group shares is refused: orchesjob's files in it are one user's (rule 6.13)."""
    refuse_unwritable(str(tmp_path))
    theirs = tmp_path / name
    theirs.touch()
    # The superuser may write to any file, so the system's answer is replaced.
    monkeypatch.setattr("os.access", lambda path, _: path != theirs)
    with pytest.raises(UnusableOrchesjobHome, match=f"another user: .* write to {name} in it; set"):
        refuse_unwritable(str(tmp_path))


def test_a_long_path(tmp_path: Path) -> None:
    """A home is refused whose database would have a longer path than SQLite can use (6.13)."""
    longest = f"{tmp_path}/{'d' * 200}/{'d' * 200}/"
    longest += "d" * (504 - len(longest) - len("/orchesjob.db"))
    shared_home({"ORCHESJOB_HOME": longest}, create=True)
    with contextlib.closing(sqlite3.connect(f"{longest}/orchesjob.db")) as database:
        database.execute("CREATE TABLE jobs (id)")
    with pytest.raises(UnusableOrchesjobHome, match="has a path of more than 491 bytes"):
        shared_home({"ORCHESJOB_HOME": f"{longest}d"})


def test_a_home_that_is_not_utf_8(tmp_path: Path) -> None:
    """A home of which orchesjob could not speak in its answers is refused at once (rule 6.13)."""
    with pytest.raises(
        UnusableOrchesjobHome, match="is not UTF-8, which orchesjob cannot use; set"
    ):
        shared_home({"ORCHESJOB_HOME": f"{tmp_path}/caf\udce9"})


@pytest.mark.parametrize(
    ("orchesjob", "run_directory", "is_inside"),
    [
        ("/srv/flows/jobs/k.jobs", None, True),
        ("/elsewhere/jobs/k.jobs", "/elsewhere/runs/k.run", True),
        ("/elsewhere/jobs/..jobs", "/elsewhere/runs/..run", True),
        ("/elsewhere/jobs/k.jobs", "/elsewhere/runs/other.run", False),
        ("/home/somebody/.jobs", None, False),
        ("/home/somebody/orchesjob", "/elsewhere/runs/k.run", False),
    ],
)
def test_inside_a_run_with_its_own_home(
    orchesjob: str, run_directory: str | None, is_inside: bool
) -> None:
    """A step is known by its run's directory, wherever its run is recorded (rule 4.8)."""
    environ = {"ORCHESJOB_HOME": orchesjob}
    if run_directory is not None:
        environ["ORCHESJOB_FLOW_RUN_DIR"] = run_directory
    assert is_in_own_home(FLOWS, environ) is is_inside


def test_a_home_that_was_moved(home: str, tmp_path: Path, run_in: Callable[[str], Run]) -> None:
    """A home that was moved and left a link in its place is the same (rule 4.8)."""
    moved = tmp_path.resolve() / "moved"
    Path(home).rename(moved)
    with pytest.raises(OtherOrchesjobHome):
        environ_for(run_in(home), {"ORCHESJOB_HOME": str(moved)})
    Path(home).symlink_to(moved)
    assert environ_for(run_in(home), {"ORCHESJOB_HOME": str(moved)}) == {"ORCHESJOB_HOME": home}
