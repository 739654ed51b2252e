"""Marked processes are found wherever they went, and only they are ended."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import (
    Process,
    ProcessesKeepAppearing,
    end_processes,
    is_alive,
    marked_processes,
)
from orchesjob_client.environment import WantedMarks
from orchesjob_client.processes.proc import (
    Entry,
    Unread,
    parse_ps,
    parse_ps_started,
    read_entry,
    read_marked,
)
from orchesjob_client.processes.survivors import take_snapshot

type Spawn = Callable[..., subprocess.Popen[bytes]]
type Read = Callable[[int, WantedMarks, Path], Entry | Unread]

MARK = "ORCHESJOB_CLIENT_TEST"
PATIENT_SEC = 10.0


@pytest.fixture
def value() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def env(value: str) -> dict[str, str]:
    return {**os.environ, "MUCH": "x" * 120_000, MARK: value}  # it is found behind much else


def await_program(pid: int, program: str) -> None:
    """Wait until a process has begun its program: until then it has no environment."""
    deadline = time.monotonic() + 10
    while program.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        os.sched_yield()


def one(value: str) -> Process:
    (found,) = marked_processes(MARK, {value})
    return found


def test_found_by_value(spawn: Spawn, env: dict[str, str], value: str) -> None:
    """A process is found by the value of its mark, with its start and its command."""
    process = spawn("an argument", env=env)
    found = one(value)
    assert (found.pid, found.value) == (process.pid, value)
    assert found.command.endswith("worker an argument")
    assert found.started_ticks > 0
    assert marked_processes(MARK, {value, "other"}) == [found]
    assert marked_processes(MARK, {"other", value[:-1]}) == []
    assert marked_processes(f"{MARK}_", {value}) == []
    assert marked_processes(MARK, []) == []


def test_zombies_are_not_found(spawn: Spawn, env: dict[str, str], value: str) -> None:
    """A zombie has ended, although its exit code has not been read yet."""
    process = spawn(env=env)
    found = one(value)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert marked_processes(MARK, {value}) == []
    assert not is_alive(found)


def test_self_is_not_found(env: dict[str, str], value: str) -> None:
    """A program that carries the mark itself is not among the processes that it might end."""
    script = (
        "from orchesjob_client import marked_processes;"
        f"print(marked_processes({MARK!r}, [{value!r}]))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, check=True
    )
    assert printed.stdout == b"[]\n"


def test_odd_command_name(value: str, env: dict[str, str], tmp_path: Path) -> None:
    """A command may be named so that its line in /proc looks like another's."""
    odd = tmp_path / "a) Z (b"
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([odd, "60"], env=env)
    await_program(process.pid, str(odd))
    found = one(value)
    assert found.pid == process.pid
    assert is_alive(found)
    assert end_processes([found], PATIENT_SEC) == []
    process.wait()


@pytest.mark.parametrize("use_pidfd", [True, False])
def test_term_first(
    spawn: Spawn, env: dict[str, str], value: str, tmp_path: Path, use_pidfd: bool
) -> None:
    """A process gets a TERM and the grace to tidy up."""
    spawn(before=f"trap 'touch {tmp_path}/tidy; exit' TERM", code="sleep 60 & wait", env=env)
    found = marked_processes(MARK, {value})
    assert end_processes(found, PATIENT_SEC, use_pidfd=use_pidfd) == []
    assert (tmp_path / "tidy").exists()


@pytest.mark.parametrize("use_pidfd", [True, False])
@pytest.mark.parametrize("grace_sec", [0, 0.1])
def test_kill_at_last(
    spawn: Spawn, env: dict[str, str], value: str, use_pidfd: bool, grace_sec: float
) -> None:
    """A process that will not hear gets a KILL after the grace; a stopped one too."""
    deaf = spawn(before="trap '' TERM", env=env)
    stopped = spawn(env=env)
    os.kill(stopped.pid, signal.SIGSTOP)
    found = marked_processes(MARK, {value})
    assert {process.pid for process in found} == {deaf.pid, stopped.pid}
    began = time.monotonic()
    assert end_processes(found, grace_sec, use_pidfd=use_pidfd) == []
    assert time.monotonic() - began >= grace_sec
    assert deaf.wait() == -signal.SIGKILL
    assert stopped.wait() in {-signal.SIGKILL, -signal.SIGTERM}  # it may not have stopped yet


@pytest.mark.parametrize("use_pidfd", [True, False])
def test_unrelated_processes_are_spared(
    spawn: Spawn, env: dict[str, str], value: str, use_pidfd: bool
) -> None:
    """A process that has merely got the PID is not signalled: its start differs."""
    process = spawn(env=env)
    found = one(value)
    earlier = found._replace(started_ticks=found.started_ticks - 1)
    assert not is_alive(earlier)
    assert end_processes([earlier], PATIENT_SEC, use_pidfd=use_pidfd) == []
    assert process.poll() is None
    assert is_alive(found)


READERS = pytest.mark.parametrize("read", [read_entry, read_marked])


@READERS
def test_ended_meanwhile(tmp_path: Path, read: Read) -> None:
    """A process that ends while /proc is being read says nothing about its children (rule 5.8)."""
    for name in ("self", "7"):
        (tmp_path / name).mkdir()
    (tmp_path / "self" / "environ").touch()
    (tmp_path / "8").symlink_to("gone")
    assert [read(pid, WantedMarks("X", ()), tmp_path) for pid in (7, 8)] == [Unread.VANISHED] * 2
    with pytest.raises(ProcessesKeepAppearing, match="processes keep appearing"):
        take_snapshot(WantedMarks("M", {"x"}), read, proc=tmp_path, limit_sec=0.2)
    (tmp_path / "7").rmdir()
    (tmp_path / "8").unlink()
    assert take_snapshot(WantedMarks("M", {"x"}), read, proc=tmp_path, limit_sec=0) == {}


def write_stat(folder: Path, changes: dict[int, object]) -> None:
    """Write the `stat` of a process, with some fields that follow the name changed."""
    fields = [str(changes.get(number, 0)) for number in range(50)]
    (folder / "stat").write_text(f"7 (sh) {' '.join(fields)}\n")


@READERS
@pytest.mark.parametrize(
    ("code", "place", "expected"),
    [
        (0, (0, 0), Unread.STARTING),
        (0, (7000, 7000), Unread.STARTING),  # seen for an instant, with many variables for longer
        (4000, (7000, 8000), Unread.STARTING),  # it was empty, or another's with the same PID
        (4000, (7000, 7000), Unread.UNMARKED),  # `env -i`
    ],
)
def test_about_to_begin_a_program(
    tmp_path: Path,
    read: Read,
    code: int,
    place: tuple[int, int],
    expected: Unread,
) -> None:
    """Who has no variables yet, because it begins a program, is not one without any (rule 5.8)."""
    (tmp_path / "7").mkdir()
    write_stat(tmp_path / "7", {0: "R", 23: code, 47: place[0], 48: place[1]})
    (tmp_path / "7" / "environ").touch()
    found = read(7, WantedMarks("X", ()), tmp_path)
    assert (found if isinstance(found, Unread) else Unread.UNMARKED) == expected


@pytest.mark.parametrize(
    ("state", "flags", "expected"),
    [("Z", 0, Unread.DEAD), ("R", 0x4, Unread.DEAD), ("S", 0x200000, Unread.UNMARKED)],
)
def test_without_an_environment(tmp_path: Path, state: str, flags: int, expected: Unread) -> None:
    """A zombie, a process that exits and a thread of the kernel have nothing left to wait for."""
    (tmp_path / "7").mkdir()
    write_stat(tmp_path / "7", {0: state, 6: flags})
    (tmp_path / "7" / "environ").touch()
    assert read_marked(7, WantedMarks("X", ()), tmp_path) == expected


def test_no_more_is_read_than_needed(tmp_path: Path) -> None:
    """Of a process whose environment has no mark, nothing else is read: there are thousands."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "environ").write_bytes(b"M=another\0")
    assert take_snapshot(WantedMarks("M", {"x"}), read_marked, proc=tmp_path, limit_sec=0) == {}


@pytest.mark.parametrize("spare", [0, 1])
def test_short_of_descriptors(
    spawn: Spawn, env: dict[str, str], value: str, few_descriptors: Any, spare: int
) -> None:
    """Being unable to look is an error and never means that there is no process (rule 5.8)."""
    spawn(env=env)
    with few_descriptors(spare), pytest.raises(OSError, match="Too many open files"):
        marked_processes(MARK, {value})
    assert one(value).value == value


# What follows has never met a real macOS; the text was composed after its manual.

PS_OUTPUT = """\
  501 Wed Nov 25 13:06:40 2026     /bin/sleep 60 PATH=/bin:/usr/bin SECRET=x MARK=abc HOME=/Users/a
  502 Wed Nov  5 03:06:40 2026     sh -c echo MARK=abd; sleep 5 TERM=xterm MARK=def
  503 Wed Nov 25 13:06:41 2026     (sleep)
  504 Wed Nov 25 13:06:41 2026     /usr/bin/other XMARK=abc OMARK=abc
  505 Wed Nov 25 13:06:42 2026     cat MARK=outer:abcd:inner
    1 Mon Nov  2 08:00:00 2026     /sbin/launchd
nonsense
"""


def test_parse_ps() -> None:
    """The words of the environment behind the command show the mark, and are not shown."""
    found = parse_ps(PS_OUTPUT, "MARK", {"abc", "zzz"})
    assert [(process.pid, process.command, process.value) for process in found] == [
        (501, "/bin/sleep 60", "abc")
    ]
    # The environment comes last, so the last mention counts, not the one in the command.
    assert parse_ps(PS_OUTPUT, "MARK", {"abd;"}) == []
    (other,) = parse_ps(PS_OUTPUT, "MARK", {"def"})
    assert (other.pid, other.command, other.value) == (502, "sh -c echo", "def")
    assert other.started_ticks < found[0].started_ticks
    (inside,) = parse_ps(PS_OUTPUT, "MARK", {"inner", "abcde"})
    assert (inside.pid, inside.value) == (505, "inner")
    assert parse_ps("", "MARK", {"abc"}) == []


def test_parse_start() -> None:
    """The start identifies a process to the second, however `ps` pads it."""
    started = parse_ps_started("Wed Nov 25 13:06:40 2026    \n")
    assert started == parse_ps(PS_OUTPUT, "MARK", {"abc"})[0].started_ticks
    assert parse_ps_started("\n") is None


def test_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc, `ps` is asked for the marks, and for one process's start."""
    (tmp_path / "output").write_text(PS_OUTPUT, encoding="utf-8")
    program = tmp_path / "ps"
    program.write_text(
        "#!/bin/sh\n"
        'test "$LC_ALL" = C || exit 1\n'
        'case "$*" in\n'
        f"'-E -ww -x -o pid=,lstart=,command=') cat {tmp_path}/output ;;\n"
        "'-o state= -p 501') echo S ;;\n"
        "'-o state= -p 502') echo Z ;;\n"
        "'-o lstart= -p 50'[12]) echo 'Wed Nov 25 13:06:40 2026    ' ;;\n"
        "*) exit 1 ;;\n"
        "esac\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (found,) = marked_processes("MARK", {"abc"}, proc=tmp_path)
    assert found.pid == 501
    assert is_alive(found, proc=tmp_path)
    assert not is_alive(found._replace(started_ticks=found.started_ticks + 1), proc=tmp_path)
    assert not is_alive(found._replace(pid=502), proc=tmp_path)
    assert not is_alive(found._replace(pid=503), proc=tmp_path)


def test_no_process_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError):
        marked_processes("MARK", {"abc"}, proc=tmp_path)
