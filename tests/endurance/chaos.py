"""Twenty random commands at once, and KILL, STOP and TERM for whatever they have begun. Slow.

The second half of the time orchesjob itself is treacherous, too.

The session `chaos` runs it, for `CHAOS_SEC` seconds. The seed is part of the test's name;
`CHAOS_SEED` repeats the commands and the signals, if not the moments at which they are noticed.
"""

import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from endurance.step_log import StepLog, check_nesting, check_one_at_a_time, check_turns
from orchesjob_client import Process, is_alive
from support.command import Command
from support.deadlines import CALL_SEC
from support.flow import Flow

LONG_SEC = float(os.environ.get("CHAOS_SEC") or 60)
SEED = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6))

COMMANDS_AT_ONCE = 20
RUNS_AT_ONCE = 12
NEW_RUN = 0.1
"""How likely a command leaves the oldest run alone for ever and turns to a new one."""

SIGNAL = 0.15
"""How likely a signal is at each turn, of which there are some twenty in a second."""

STOPPED_SEC = 4
WATCHING_SEC = 5
"""After how long those are ended who might watch a run for ever that nobody advances."""

PATIENT_SEC = 3 * CALL_SEC
"""How long nothing at all may end, once all is left in peace: more work only takes longer."""

TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}
DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
CODES = {0, 1, 2, 8} | {code for number in DEADLY for code in (-number, 128 + number)}
ENDLESS = ("watch", "logs")

COMMANDS = (
    *["start --run-key=KEY FILE", "start -d --run-key=KEY FILE"] * 4,
    *["resume --run-key=KEY -d", "resume --all"] * 2,
    *["retry --run-key=KEY", "retry --run-key=KEY -d"] * 2,
    "retry --run-key=KEY --step=a --only -d",
    *["cancel --run-key=KEY", "cancel --run-key=KEY --grace-seconds=0.2"] * 2,
    "cancel --run-key=KEY --now",
    "wait --run-key=KEY --timeout=3",
    "watch --run-key=KEY --mode=append --interval=0.3",
    "status --run-key=KEY",
    "status --run-key=KEY --format=table",
    "explain --run-key=KEY",
    "graph --run-key=KEY",
    "logs --run-key=KEY",
    "logs --run-key=KEY --follow",
    "list",
    "doctor --run-key=KEY",
    "tick --run-key=KEY",
    "prune --older-than=0s --flow-id=pruned",
)

IN_A_GROUP = {"diamond", "asked"}

TREACHERY = (
    "n=$(($(od -An -N1 -tu1 /dev/urandom)))",
    'obey() { "$ORCHESJOB" "$@" >/dev/null 2>&1; }',
    "if [ $n -lt 10 ]; then exit 70; fi",
    'if [ $n -lt 20 ]; then obey "$@"; exit 70; fi',
    'if [ $n -lt 30 ]; then obey "$@"; echo "{"; exit 0; fi',
    "if [ $n -lt 36 ]; then sleep 40; fi",
    'if [ $n -lt 42 ]; then obey "$@"; sleep 40; fi',
    "if [ $n -lt 52 ]; then kill -9 $$; fi",
)
"""Of 256 calls, 52 fail, lie about what they have done, hang, or are killed.

They hang for longer than a runner lets them, but not for ever: a call of a dead runner is awaited.
"""

WAITS = {
    "asked": {"b": "a"},
    "diamond": {"c": "ab", "d": "ab"},
    "finally": {"b": "a", "z": "ab"},
    "inner": {"b": "a"},
    "wide": {"e": "abcd"},
}
"""By the ids of flows and steps: for which steps each waits.

Not for `orphans`: what a step leaves behind that has failed by itself keeps a retry waiting, but no
other step.
"""


def write_flows(flow: Flow, step_log: StepLog) -> list[str]:
    """Write a flow file for each kind of thing that may go wrong; return their paths."""
    step = step_log.step

    def write(flow_id: str, *steps: dict[str, Any], **fields: Any) -> str:
        return flow.write(*steps, flow_id=flow_id, name=f"{flow_id}.json", **fields)

    inner = write("inner", step("a", sec=1), step("b", when="a"))
    inner_key = "in-$ORCHESJOB_FLOW_RUN_KEY-$ORCHESJOB_FLOW_ATTEMPT"
    one_at_a_time = {"group": "one at a time"}
    left_behind = f"setsid sh -c 'sleep 1; {step_log.say} child' & exit 1"
    return [
        write(
            "diamond",
            step("a"),
            step("b", then="exit 1", retries=2),
            step("c", when="a && !b"),
            step("d", when="a && b"),
            concurrency=one_at_a_time,
        ),
        write(
            "asked",
            step("a", only_if=["sh", "-c", f"{step_log.say} begin; {step_log.say} end"], retries=1),
            step("b", when="a"),
            concurrency=one_at_a_time,
        ),
        write(
            "finally",
            step("a", sec=0.4),
            step("b", when="a", retries=1),
            **{"finally": [step("z", when="any(finished)", depends_on=["a"])]},
        ),
        write(
            "orphans",
            step("a", then=left_behind, retries=2),
            step("b", when="!a", strict=False),
        ),
        write(
            "timeouts",
            step("a", sec=3, timeout_sec=0.5, retries=1, retry_delay_sec=0.2),
            step("b", sec=2, first="trap '' TERM", timeout_sec=1),
        ),
        write("nested", step("a", then=f"{flow.program} start --run-key={inner_key} {inner}")),
        write("pruned", step("a"), step("b", when="a")),
        write(
            "wide",
            *[step(name, sec=0.3, strict=False) for name in "abcd"],
            step("e", depends_on=list("abcd"), when="all(succeeded)", retries=1),
            max_parallel=2,
            timeout_sec=20,
        ),
    ]


def send(process: Process, number: signal.Signals) -> bool:
    """Send a signal to exactly this process; tell whether it was still there."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


class Call(NamedTuple):
    """A command that was called and has not been seen to end, and the file that has its output."""

    since: float
    words: str
    command: Command
    output: Path


class Patience:
    """Lasts for `PATIENT_SEC` from the last moment at which something had moved."""

    def __init__(self) -> None:
        self._seen: object = None
        self._deadline = 0.0

    def lasts(self, seen: object) -> bool:
        """Tell whether there is time left; `seen` is equal as long as nothing moves."""
        if seen != self._seen:
            self._seen, self._deadline = seen, time.monotonic() + PATIENT_SEC
        return time.monotonic() < self._deadline


class Chaos:
    """Commands that run at once, and the signals for them and for what they have begun."""

    def __init__(self, flow: Flow, random: Random) -> None:
        self.step_log = StepLog(flow.folder)
        self.codes: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self._flow = flow
        self._random = random
        self._files = write_flows(flow, self.step_log)
        self._calls: list[Call] = []
        self._oldest = 0
        self._stopped: list[tuple[float, Process]] = []

    def rage(self, until: float) -> None:
        """Call commands and send signals until then; wait for the ends of all commands."""
        while (now := time.monotonic()) < until:
            while len(self._calls) < COMMANDS_AT_ONCE:
                self._call()
            if self._random.random() < SIGNAL:
                self._signal(now)
            self._go_on(now)
            self._look()
            time.sleep(self._random.uniform(0, 0.1))
        self._go_on(float("inf"))
        patience = Patience()
        while self._calls:
            moves = (len(self._calls), len(self.step_log.lines()))
            assert patience.lasts(moves), [call.words for call in self._calls]
            self._look()
            time.sleep(0.1)

    def settle(self) -> list[Any]:
        """Let every run end, and return them.

        An inner run without a runner whose outer one is over is left to whoever comes (5.8a).
        """
        patience = Patience()
        while unfinished := [run for run in self._runs() if run["status"] not in TERMINAL]:
            assert patience.lasts((len(unfinished), len(self.step_log.lines()))), unfinished
            if all(run["flow_id"] == "inner" for run in unfinished):
                for run in unfinished:
                    self._flow.run("cancel", f"--run-key={run['run_key']}")
            else:
                self._flow.run("resume", "--all")
            time.sleep(0.3)
        return [self._flow.status(run["run_key"]) for run in self._runs()]

    def _runs(self) -> list[Any]:
        runs: list[Any] = self._flow.ask("list", "--limit=100000")["runs"]
        return runs

    def _call(self) -> None:
        self._oldest += self._random.random() < NEW_RUN
        number = self._oldest + self._random.randrange(RUNS_AT_ONCE)
        words = self._random.choice(COMMANDS).replace("KEY", f"k{number}")
        words = words.replace("FILE", self._files[number % len(self._files)])
        output = self._flow.folder / f"output-{self.codes.total() + len(self._calls)}"
        with output.open("wb") as stream:
            command = self._flow.spawn(*words.split(), stdout=stream, stderr=stream)
        self._calls.append(Call(time.monotonic(), words, command, output))

    def _signal(self, now: float) -> None:
        number = self._random.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM))
        if processes := self._flow.orchesjob.processes():
            process = self._random.choice(processes)
            sent = send(process, number)
            self.signals[number.name] += sent
            if sent and number == signal.SIGSTOP:
                self._stopped.append((now + self._random.uniform(0, STOPPED_SEC), process))

    def _go_on(self, now: float) -> None:
        for due, process in self._stopped:
            if due <= now:
                send(process, signal.SIGCONT)
        self._stopped = [(due, process) for due, process in self._stopped if due > now]

    def _look(self) -> None:
        for call in list(self._calls):
            if call.command.poll() is None:
                if call.words.startswith(ENDLESS) and time.monotonic() > call.since + WATCHING_SEC:
                    call.command.terminate()
                continue
            self._calls.remove(call)
            text = call.output.read_text(encoding="utf-8")
            call.output.unlink()
            code = call.command.returncode
            self.codes[f"{call.words.split()[0]} {code}"] += 1
            assert code in CODES, (call.words, text)
            check_words(text)


def check_words(text: str) -> None:
    """Check that nothing was said that a user must never see.

    Before the first line of the program and after its last, Python itself answers a signal.
    """
    assert "internal error" not in text, text
    assert "Traceback" not in text or "src/orchesjob_flow/" not in text, text


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("treachery", [(), TREACHERY], ids=["honest", "treacherous"])
def test_chaos(real_flow: Flow, seed: int, treachery: Sequence[str]) -> None:
    """Nothing runs twice or beside what it waits for, every run ends, and SUCCEEDED is true.

    Rules 4.2, 4.5, 5.6, 5.8, 5.8a and 6.9.
    """
    chaos = Chaos(real_flow, Random(seed))  # noqa: S311 - no secret
    real_flow.wrap_orchesjob(*treachery)
    chaos.rage(time.monotonic() + LONG_SEC / 2)
    real_flow.wrap_orchesjob()
    runs = chaos.settle()
    real_flow.await_true(lambda: not real_flow.orchesjob.processes(), within_sec=CALL_SEC)
    lines = chaos.step_log.lines()
    figures = (chaos.signals, Counter(run["status"] for run in runs), sorted(chaos.codes.items()))
    print("", *figures, sep="\n  ")  # noqa: T201 - to see that there was something to survive

    kept = {run["run_key"]: run for run in runs if run["flow_id"] != "pruned"}  # others may recur
    lines = [line for line in lines if line.run_key in kept]
    check_turns(lines, {key: WAITS.get(run["flow_id"], {}) for key, run in kept.items()})
    check_one_at_a_time(line for line in lines if kept[line.run_key]["flow_id"] in IN_A_GROUP)
    parents = {key: run["parent"] for key, run in kept.items() if run["flow_id"] == "inner"}
    check_nesting(
        lines, {key: (outer["run_key"], outer["attempt"]) for key, outer in parents.items()}
    )
    ended = {(line.run_key, line.step, line.attempt) for line in lines if line.word == "end"}
    for key, run in kept.items():
        for step in run["steps"]:
            attempt = (key, step["id"], step["attempt_no"])
            assert step["status"] != "SUCCEEDED" or attempt in ended, attempt

    with real_flow.open_database() as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for path in (real_flow.home / "logs").iterdir():
        check_words(path.read_text(encoding="utf-8"))
    audit = real_flow.spawn("doctor", "--all")
    stdout, _ = audit.communicate(timeout=LONG_SEC + PATIENT_SEC)  # it looks at every attempt
    assert audit.returncode == 0, stdout
