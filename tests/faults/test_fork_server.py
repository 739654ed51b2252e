"""The fork server of a runner is killed, stopped, replaced or left alone (rule 5.13)."""

import contextlib
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from support.answers import outcomes
from support.deadlines import EVENT_SEC
from support.files import write_program
from support.flow import Flow
from support.gate import Gate
from support.marks import LONG_IF_REAL
from support.processes import await_exit, descriptors, is_gone
from support.steps import AFTER, TRUE


@pytest.fixture(autouse=True)
def with_fork_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the session says, these flows call orchesjob by way of a fork server."""
    monkeypatch.delenv("ORCHESJOB_FLOW_FORK_SERVER", raising=False)


def find_fork_server(runner: int, *others: int) -> int:
    """Wait for a runner's fork server that is not one of some others; return its PID."""
    deadline = time.monotonic() + EVENT_SEC
    while True:
        for children in Path(f"/proc/{runner}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                for pid in map(int, children.read_text("ascii").split()):
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if pid not in others and b"forkserver/server.py" in words:
                        return pid
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.integration
def test_it_ends_with_its_runner(real_flow: Flow, gate: Gate) -> None:
    """A fork server has no lock and no file, and is gone with its runner, however that ends."""
    last = {"id": "last", "command": ["true"], "depends_on": [AFTER["id"]]}
    file = real_flow.write({"id": "a", "command": gate.command()}, AFTER, last)
    runner = real_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    real_flow.await_job("k")
    fork_server = find_fork_server(runner.pid)
    real_flow.await_true(lambda: len(descriptors(fork_server)) == len("012") + 1)
    opened = descriptors(fork_server)
    assert not any(str(real_flow.home) in path for path in opened.values())
    runner.kill()
    await_exit(fork_server)
    gate.let_through()
    runner = real_flow.spawn("start", "--run-key=k", file)
    fork_server = find_fork_server(runner.pid)
    runner.communicate()
    assert is_gone(fork_server)
    assert real_flow.status("k")["status"] == "SUCCEEDED"


KILLS = 5


@LONG_IF_REAL
def test_any_moment(each_flow: Flow, tmp_path: Path) -> None:
    """Killed at any moment: the run ends as if nothing had happened."""
    chance = Random(os.getpid())  # noqa: S311 - no secret

    def survive(name: str) -> None:
        log = tmp_path / name
        steps = [
            {
                "id": step,
                "command": ["sh", "-c", f"echo {step} >>{log}; sleep 0.1"],
                "strict": False,
            }
            for step in "abcd"
        ]
        for step, before in zip(steps[1:], "abc", strict=True):
            step["depends_on"] = [before]
        file = each_flow.write(*steps, name=f"{name}.json")
        runner = each_flow.spawn("start", f"--run-key={name}", file)
        fork_server = find_fork_server(runner.pid)
        time.sleep(chance.uniform(0, 0.4))
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork_server, signal.SIGKILL)
        _, stderr = runner.communicate()
        assert runner.returncode == 0, stderr
        assert set(outcomes(each_flow.status(name)).values()) == {"SUCCEEDED"}
        assert log.read_text("utf-8").split() == list("abcd")
        assert is_gone(fork_server)

    with ThreadPoolExecutor(KILLS) as pool:
        list(pool.map(survive, map("k{}".format, range(KILLS))))


LOOK = """
env | grep -v -e MARK -e STARTED -e FORK_SERVER | sort; pwd; umask; ulimit -a; ls -l /proc/self/fd
grep -e ^Sig[BIC] -e ^Cap -e ^Groups /proc/self/status; cat /proc/self/oom_score_adj
"""
NUMBERS = re.compile(r"/proc/\d+|pipe:\S+|\b[0-9a-f-]{36}\b|\d\d:\d\d")


@pytest.mark.integration
def test_no_job_sees_a_difference(real_flow: Flow) -> None:
    """What a step has is the same from a fork server and from a plain call."""
    file = real_flow.write({"id": "a", "command": ["sh", "-c", LOOK], "env": {"GREETING": "x"}})
    seen = []
    for key, switch in (("a-server", "1"), ("no-server", "0")):  # in no other text
        real_flow.environ["ORCHESJOB_FLOW_FORK_SERVER"] = switch
        assert real_flow.start(key, file)["status"] == "SUCCEEDED"
        printed = real_flow.run("logs", f"--run-key={key}", "a").stdout
        seen.append(NUMBERS.sub("", printed.replace(key, "KEY")))
    assert seen[0] == seen[1]
    assert "GREETING=x" in seen[0]


RECORDING = """
import os
import sys
from pathlib import Path

from orchesjob import cli

IMPORTED_BY = os.getpid()


def main():
    way = "plain" if os.getpid() == IMPORTED_BY else "forked"
    with Path(__file__).with_name("calls").open("a") as calls:
        print(sys.argv[1], way, file=calls)
    return cli.main()
"""
"""The module of an orchesjob that records its calls, and whether its process has imported it."""


@pytest.fixture
def recorded(real_flow: Flow) -> Path:
    """Have the flow call such an orchesjob, a console script; return where it records its calls."""
    folder = real_flow.folder / "bin"
    folder.mkdir()
    (folder / "recording.py").write_text(RECORDING, encoding="utf-8")
    lines = Path(real_flow.orchesjob.path).read_text(encoding="utf-8")
    text = lines.replace("from orchesjob.cli import main", "from recording import main")
    write_program(folder / "orchesjob", text)
    real_flow.environ["ORCHESJOB_BIN"] = str(folder / "orchesjob")
    return folder / "calls"


def write_all_kinds(flow: Flow) -> str:
    """Write a flow that makes each kind of call of orchesjob, for each kind of step."""
    inner = flow.write(TRUE, name="inner.json")
    (flow.folder / "variables").write_text("FAREWELL=y\n", encoding="utf-8")
    again = {"retries": 1, "retry_delay_sec": 0}
    sleep = {"command": ["sleep", "600"], "timeout_sec": 0.1, "allow_failure": True}
    return flow.write(
        TRUE,
        {"id": "b", "command": ["true"], "env": {"GREETING": "x"}},
        {"id": "c", "command": ["true"], "env_file": "variables", "working_dir": "/"},
        {"id": "d", "command": ["false"], "allow_failure": True} | again,
        {"id": "e", "command": ["true"], "only_if": ["true"]},
        {"id": "f", **sleep},
        {"id": "g", "command": [flow.program, "run", inner]},
        env={"OF_ALL": "z"},
    )


@pytest.mark.integration
@pytest.mark.parametrize(
    ("named_by", "options", "way"),
    [
        ("variable", [], "forked"),
        ("variable", [], "plain"),
        ("name", ["--jobs=own"], "forked"),
        ("path", ["-d"], "forked"),
        ("option", ["-d", "--jobs=own"], "forked"),
    ],
)
def test_calls_are_forked(
    real_flow: Flow, recorded: Path, named_by: str, options: list[str], way: str
) -> None:
    """Calls are forked as soon as the fork server is ready, unless that is turned off.

    However orchesjob was named, steps learn which one runs them. That makes no difference.
    """
    environ, words = real_flow.environ, []
    # In a locale without UTF-8, a call that starts nothing has variables of its own (5.12).
    environ |= {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    if named_by == "option":
        words.append(f"--orchesjob-bin={environ.pop('ORCHESJOB_BIN')}")
    elif named_by != "variable":
        environ["ORCHESJOB_BIN"] = "orchesjob" if named_by == "name" else ""
        environ["PATH"] = f"{recorded.parent}:{environ['PATH']}"
    if way == "plain":
        environ["ORCHESJOB_FLOW_FORK_SERVER"] = "0"
    real_flow.ask(*words, "start", "--run-key=k", *options, write_all_kinds(real_flow))
    run = real_flow.ask("wait", "--run-key=k")
    assert [step for step, end in outcomes(run).items() if end == "FAILED"] == ["d", "f"]
    calls = [line.split() for line in recorded.read_text("utf-8").splitlines()]
    assert {verb for verb, _ in calls} == {"start", "status", "abort"}
    # A call that a busy orchesjob refuses is repeated.
    assert sum(verb == "start" for verb, _ in calls) >= len("abcddeefg" + "a")
    assert ("forked" in {kind for _, kind in calls}) == (way == "forked")
    assert calls[0][1] == "plain"
