"""What others may plant, read or write: modes, links, pipes, and text that would move a cursor."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.files import write_program
from support.flow import Flow
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE

CARELESS = f"""\
#!{sys.executable}
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv({{program!r}}, sys.argv)
"""
EVIL = "\x1b]0;owned\x07\x9b2J\u202egpj.exe\u2066\x08"
"""Sets a window's title, clears the screen, turns the direction, and goes back."""


def test_careless_umask(flow: Flow, tmp_path: Path) -> None:
    """Whatever the umask, all files are private; a step keeps the umask (rule 6.1)."""
    home = tmp_path / "new" / "newer" / "flow.sqlite3"
    step = {"id": "a", "command": ["sh", "-c", f"umask >{tmp_path}/umask"]}
    words = (f"--db={home}", "start", "-d", "--run-key=k", flow.write(step))
    assert flow.run(*words, umask=0).returncode == 0
    watch = flow.run(f"--db={home}", "watch", "--run-key=k", "--interval=0.1", umask=0)
    assert watch.returncode == 0
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {path.name for path in made} > {"flow.sqlite3-wal", "k.lock", "k.calls", "logs"}
    for path in made:
        assert oct(path.stat().st_mode & 0o777) == ("0o700" if path.is_dir() else "0o600"), path
    assert (tmp_path / "umask").read_text(encoding="utf-8") == "0000\n"


def test_what_a_step_inherits_of_signals(flow: Flow, tmp_path: Path) -> None:
    """A step has no signal blocked, and none ignored that Python ignores for itself."""
    look = {"id": "a", "command": ["cp", "/proc/self/status", str(tmp_path / "status")]}
    flow.start("k", flow.write(look))
    lines = (tmp_path / "status").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split(":\t", 1) for line in lines)
    assert int(facts["SigBlk"], 16) == 0
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
        assert not int(facts["SigIgn"], 16) & 1 << (number - 1), number


def test_a_caller_that_ignores_its_children(flow: Flow, tmp_path: Path) -> None:
    """A caller that ignores SIGCHLD hides no exit code from orchesjob (rule 5.3)."""
    flow.program = write_program(tmp_path / "caller", CARELESS.format(program=flow.program))
    (step,) = flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)["steps"]
    assert step["error"] == "exit code 1"


def link(place: Path, victim: Path) -> None:
    victim.touch()
    place.symlink_to(victim)


def dangle(place: Path, victim: Path) -> None:
    place.symlink_to(victim)


def hard_link(place: Path, victim: Path) -> None:
    victim.touch()
    place.hardlink_to(victim)


def pipe(place: Path, _: Path) -> None:
    os.mkfifo(place)


def plain_file(place: Path, _: Path) -> None:
    place.touch()


def link_to_folder(place: Path, folder: Path) -> None:
    place.symlink_to(folder)


Plant = Callable[[Path, Path], None]


HOME = "flow-home"
PLANTED: list[tuple[str, Plant, str]] = [
    (f"{HOME}/locks/k.lock", link, "is a symbolic link"),
    (f"{HOME}/locks/k.lock", pipe, "is not a regular file"),
    (f"{HOME}/logs/orchesjob-flow-k.stdout.log", dangle, "is a symbolic link"),
    (f"{HOME}/logs/orchesjob-flow-k.stderr.log", hard_link, "is a hard link"),
    (f"{HOME}/orchesjob-flow.sqlite3", dangle, "is a link whose target is missing"),
    (f"{HOME}/orchesjob-flow.sqlite3", pipe, "is not a regular file"),
    *(
        (place, plant, "cannot be created: File exists")
        for place in (HOME, f"{HOME}/jobs", f"{HOME}/logs")
        for plant in (dangle, pipe, plain_file)
    ),
    *(("orchesjob-home", plant, "is not a folder") for plant in (pipe, plain_file)),
]


@pytest.mark.parametrize(("place", "plant", "expected"), PLANTED)
def test_planted(flow: Flow, place: str, plant: Plant, expected: str) -> None:
    """What is planted in the place of a file or folder of ours is refused and named (6.1, 6.13).

    It is neither opened nor followed.
    """
    path, victim = flow.folder / place, flow.folder / "victim"
    if path.parent != flow.folder:
        flow.home.mkdir(mode=0o700)
        path.parent.mkdir(mode=0o700, exist_ok=True)
    plant(path, victim)
    words = ("--patience=1", "start", "-d", "--run-key=k", flow.write(TRUE))
    error = flow.refusal(*words)["error"]
    assert str(path) in error
    assert expected in error
    assert not victim.exists() or victim.read_bytes() == b""


@pytest.mark.parametrize("plant", [link, pipe])
def test_planted_for_a_reader(flow: Flow, plant: Plant) -> None:
    """A reader neither blocks on nor follows what is planted in the place of a lock (rule 6.1)."""
    flow.start("k", flow.write(TRUE))
    lock, victim = flow.home / "locks" / "k.lock", flow.folder / "victim"
    lock.unlink()
    plant(lock, victim)
    assert flow.status("k")["runner"] is None
    assert not victim.exists() or victim.read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("locks/k.calls", pipe),
        ("locks/calls.queue", pipe),
        ("locks/calls-1.slot", pipe),
        ("runs/k.run", pipe),
        ("runs/k.run", link_to_folder),
    ],
)
def test_planted_before_a_run(
    flow: Flow, fake_orchesjob: FakeOrchesjob, name: str, plant: Plant
) -> None:
    """A run that no runner could advance is neither recorded nor reopened (4.5, 5.11, 6.13)."""
    file = flow.write({"id": "a", "command": ["false"]})
    flow.start("other", file, code=1)
    calls, place = fake_orchesjob.calls(), flow.home / name
    place.unlink(missing_ok=True)
    plant(place, flow.folder)
    for words in (["start", "k", file], ["start", "k", "-d", file]):
        assert f"{place} is not a" in flow.refusal(*words)["error"]
    assert [run["run_key"] for run in flow.ask("list")["runs"]] == ["other"]
    assert fake_orchesjob.calls() == calls
    place.unlink()
    run = flow.start("k", file, code=1)
    place.rmdir() if place.is_dir() else place.unlink(missing_ok=True)
    plant(place, flow.folder)
    settle = ["settle", "k", "a", "--as=skipped", "--reason=x"]
    for words in (["retry", "k"], ["retry", "k", "-d"], settle):
        assert "move it away" in flow.refusal(*words)["error"]
    assert flow.status("k") == run


def is_harmless(text: str) -> bool:
    return text.replace("\n", "").isprintable()


def test_nothing_moves_the_cursor(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """Control characters from a file, a path or orchesjob are shown, not obeyed (6.5 and 6.10)."""
    complaint = f"usage: orchesjob\norchesjob start: error: argument {EVIL}\n"
    fake_orchesjob.script(
        [
            {"call": "start", "key": "*:a:*", "fault": "answer", "set": {"status": EVIL}},
            {"call": "start", "key": "*:b:*", "fault": "exit", "code": 2, "stderr": complaint},
            {"call": "status", "nth": 1, "fault": "exit", "code": 1, "stderr": EVIL},
        ]
    )
    command = ["true", f"{EVIL}\r"]
    file = flow.write({"id": "a", "command": command}, {"id": "b", "command": command})
    odd = str(Path(file).rename(flow.folder / f"{EVIL}.json"))
    other = flow.write({"id": "a", "command": [EVIL, EVIL]}, name="other.json")
    calls = [
        ("start", "--run-key=k", odd),
        ("status", "--run-key=k"),
        ("watch", "--run-key=k"),
        ("start", "--run-key=k", other),
        ("start", "--run-key=k", EVIL),
        (f"--db={EVIL}/x", EVIL),
        (f"--orchesjob-bin={EVIL}", "start", "--run-key=l", odd),
    ]
    answers = [flow.run(*words) for words in calls]
    assert [answer.returncode for answer in answers] == [1, 0, 1, 2, 2, 2, 2]
    for answer in answers:
        assert is_harmless(answer.stdout + answer.stderr), answer
        assert r"\u202egpj.exe" in answer.stdout + answer.stderr


def test_nothing_recorded_moves_the_cursor(flow: Flow) -> None:
    """Control characters in the database are shown, not obeyed (6.5, 9.4, 9.5)."""
    flow.start("k", flow.write({"id": "a", "command": ["false"]}), code=1)
    flow.environ["NO_COLOR"] = ""
    explain, listing = ("explain", "k", "--format=table"), ("list", "--format=table")
    for recorded, shown in (
        ("UPDATE steps SET error = ?", [explain]),
        ("UPDATE runs SET flow_id = ?", [listing]),
        ("UPDATE runs SET error = ?", [listing]),
        ("UPDATE steps SET step_id = ?", [("status", "k"), ("watch", "k", "--mode=append")]),
        ("UPDATE runs SET run_key = ?", [listing]),
    ):
        flow.change(recorded, EVIL)
        for words in shown:
            code, screen = flow.run_on_terminal(*words, size=(200, 50))
            assert code == int("watch" in words)
            assert r"\u202egpj.exe" in screen
            assert is_harmless(screen)
