"""What a step begins does not escape, whatever it hides behind (rule 5.8); what does, is named.

The table in docs/reliability.md says what is caught. A test for each of its columns is here.
"""

import contextlib
import fcntl
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchesjob_client import usable_cgroup_folder
from support.files import write_program
from support.flow import Flow

HIDERS = Path(__file__).parents[1] / "support" / "hiders.py"

# Without a cgroup these are not found: they have left parent, session and group, and their
# environment is another, or may be read by root only.
LOST_FROM_SIGHT = {"daemon, overwritten", "daemon, env -i"}
if os.getuid() != 0:
    LOST_FROM_SIGHT |= {"daemon, unreadable", "ssh-agent"}


def cgroup_tree() -> Path | None:
    """Return where the tree is mounted in which this test can make cgroups; None if it cannot."""
    try:
        folder = usable_cgroup_folder()
    except OSError:
        return None
    return next(path for path in (folder, *folder.parents) if path.is_mount())


WITH_CGROUPS = pytest.param(
    True,
    True,
    id="with cgroups",
    marks=pytest.mark.skipif(cgroup_tree() is None, reason="needs rights to make cgroups"),
)
WITHOUT_CGROUPS = pytest.param(False, False, id="without cgroups")


class Hidden:
    """The processes of a step that hide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.step = {"id": "a", "command": [sys.executable, "-SEI", str(HIDERS), str(folder)]}

    def alive(self) -> set[str]:
        names = (self.folder / "ready").read_text(encoding="utf-8").splitlines()
        return {name for name in names if self.lives(name)}

    def lives(self, name: str) -> bool:
        """Tell whether one lives: it holds the lock on its file."""
        with (self.folder / name).open(encoding="utf-8") as file:
            if name == "ssh-agent":  # it closes what it inherits
                return Path(f"/proc/{file.read()}/cwd").exists()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def close(self) -> None:
        """End those that live; a chain ends by itself without its file."""
        if (self.folder / "ready").exists():
            for name in self.alive():
                if not name.startswith("chain"):
                    os.kill(int((self.folder / name).read_text(encoding="utf-8")), signal.SIGKILL)
        for file in self.folder.iterdir():
            file.unlink()


@pytest.fixture
def hidden(tmp_path: Path) -> Iterator[Hidden]:
    """A step that begins them all."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    with contextlib.closing(Hidden(folder)) as hidden:
        yield hidden


def without_cgroups(flow: Flow) -> str:
    """Return a program that runs orchesjob-flow where no tree of cgroups can be seen."""
    tree = cgroup_tree()
    if tree is None:
        return flow.program
    if os.getuid() != 0:
        # Only root can take the tree away; where there is none, this runs for everybody.
        pytest.skip("needs root to hide the tree of cgroups")
    inside = f'umount -l {shlex.quote(str(tree))} && exec {shlex.quote(flow.program)} "$@"'
    words = shlex.join(["unshare", "-m", "sh", "-c", inside, "sh"])
    return write_program(flow.folder / "orchesjob-flow", f'#!/bin/sh\nexec {words} "$@"\n')


@pytest.mark.integration
@pytest.mark.parametrize(("cgroups", "runner_lives"), [WITH_CGROUPS, WITHOUT_CGROUPS])
def test_cancel(real_flow: Flow, hidden: Hidden, *, cgroups: bool, runner_lives: bool) -> None:
    """With cgroups nothing escapes a cancel; without, what has left all kin behind (rule 5.8)."""
    if not cgroups:
        real_flow.program = without_cgroups(real_flow)
    runner = real_flow.spawn("start", "--run-key=k", real_flow.write(hidden.step))
    real_flow.await_true((hidden.folder / "ready").exists)
    begun = hidden.alive()
    assert {"daemon, env -i", "child, unreadable", "chain of 1 ms"} <= begun
    if not runner_lives:
        runner.kill()
        runner.wait()
    answer = real_flow.ask("cancel", "--run-key=k", "--grace-seconds=0.2")
    assert answer["status"] == "CANCELLED"
    assert hidden.alive() == (set() if cgroups else LOST_FROM_SIGHT & begun)


@pytest.mark.integration
def test_what_this_machine_has(real_flow: Flow) -> None:
    """`doctor` says by what processes are recognised here (rule 9.11)."""
    real_flow.home.mkdir(mode=0o700)
    checks = real_flow.ask("doctor")["checks"]
    (verdict,) = [check["verdict"] for check in checks if check["check"] == "processes"]
    assert verdict == ("note" if cgroup_tree() is None else "ok")
    if verdict == "ok":
        real_flow.program = without_cgroups(real_flow)
        checks = real_flow.ask("doctor")["checks"]
        (message,) = [one["message"] for one in checks if one["check"] == "processes"]
        assert message.startswith("cgroups cannot be created here")
