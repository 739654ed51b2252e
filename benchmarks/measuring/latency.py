"""How long a user waits, on the real orchesjob."""

import json
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from statistics import median

from measuring import flows
from measuring.figures import Figure, fastest, interleave, ratios
from measuring.workplace import CLOCKED, Workplace, run, seconds

ALLOWANCE_SEC = 0.015
LOG_END = "[bash, -c, 'sleep 0.5; echo ${EPOCHREALTIME/[^0-9]/} >> \"$BENCHMARK_CALLS.ends\"']"

type Action = Callable[[Mapping[str, str]], float]


def in_fresh_home(place: Workplace, action: Action) -> Callable[[], float]:
    """Give an action a home of its own each time."""

    def act() -> float:
        with place.home() as environment:
            return action(environment)

    return act


def running(place: Workplace, flow: str) -> Callable[[], float]:
    """Time `orchesjob-flow start` of a flow."""
    command = [place.flow, "start", "--run-key=run", place.write(flow)]
    return in_fresh_home(place, lambda environment: seconds(command, environment))


def shell(place: Workplace, script: str) -> Callable[[], float]:
    """Time a shell script that calls orchesjob."""
    return in_fresh_home(place, lambda environment: seconds(["sh", "-ec", script], environment))


def short_chain(place: Workplace) -> list[Figure]:
    """Compare a chain of 20 no-op steps with a shell loop over the same calls."""
    loop = (
        'n=0; while [ $n -lt 20 ]; do n=$((n + 1)); "$BENCHMARK_ORCHESJOB" start --strict'
        " --run-key k$n -- true; done"
    )
    taken = interleave(
        place.rounds(15),
        {
            "flow": running(place, flows.chain(20)),
            "loop": shell(place, loop),
        },
    )
    return [
        Figure(
            "chain of 20 no-op steps / a shell loop of 20 `orchesjob start --strict`",
            ratios(taken["flow"], taken["loop"]),
            1.10,
            note=f"{median(taken['flow']):.2f} s against {median(taken['loop']):.2f} s",
        )
    ]


def one_step(place: Workplace) -> list[Figure]:
    """Compare a run of one no-op step with one call of orchesjob."""
    taken = interleave(
        place.rounds(30),
        {
            "flow": running(place, flows.chain(1)),
            "start": shell(place, '"$BENCHMARK_ORCHESJOB" start --strict --run-key k -- true'),
        },
    )
    ours, start = (f"{median(taken[name]) * 1e3:.0f}" for name in ("flow", "start"))
    return [
        Figure(
            "a run of one no-op step / one `orchesjob start --strict`",
            ratios(taken["flow"], taken["start"]),
            1.60,
            note=f"{ours} against {start} ms",
        )
    ]


def parallel(place: Workplace) -> list[Figure]:
    """Compare 24 independent no-op steps with the best that xargs can do."""
    busy: list[float] = []
    by_xargs = {f"-P {width}": xargs(place, width, busy) for width in (2, 4, 8)}
    taken = interleave(
        place.rounds(12),
        {
            "flow": running(place, flows.independent(24)),
            **by_xargs,
        },
    )
    ours = taken.pop("flow")
    best = fastest(taken)
    return [
        Figure(
            "24 independent no-op steps / the best `xargs -P`",
            ratios(ours, taken[best]),
            1.15,
            note=f"{median(ours):.2f} s against "
            + ", ".join(f"{median(times):.2f} s with {name}" for name, times in taken.items())
            + f"; under xargs orchesjob keeps the cores busy for {median(busy):.0%} of the time",
        )
    ]


def xargs(place: Workplace, width: int, busy: list[float]) -> Callable[[], float]:
    """Time 24 no-op jobs under xargs, and note which share of the cores they keep busy."""
    calls = '"$BENCHMARK_ORCHESJOB" start --strict --run-key k+ -- true'
    script = f"seq 24 | xargs -P {width} -I+ {calls}"

    def act(environment: Mapping[str, str]) -> float:
        before = busy_seconds()
        took = seconds(["sh", "-ec", script], environment)
        busy.append((busy_seconds() - before) / took / (os.cpu_count() or 1))
        return took

    return in_fresh_home(place, act)


def busy_seconds() -> float:
    """Read for how long the machine's cores have not been idle, all together, since it booted."""
    _, user, nice, system, _, _, interrupts, soft_interrupts, *_ = (
        Path("/proc/stat").read_text().partition("\n")[0].split()
    )
    ticks = sum(map(int, (user, nice, system, interrupts, soft_interrupts)))
    return ticks / os.sysconf("SC_CLK_TCK")


def calls(place: Workplace) -> list[Figure]:
    """Count the calls of orchesjob; no time is measured."""

    def count(flow: str) -> float:
        with place.home(CLOCKED) as environment:
            run([place.flow, "start", "--run-key=run", place.write(flow)], environment)
            return len(Path(environment["BENCHMARK_CALLS"]).read_text().splitlines()) / 4

    return [
        Figure(
            f"calls of orchesjob per {kind} step",
            [count(flows.chain(4, command)) for _ in range(place.rounds(7))],
            most,
            note=note,
        )
        for kind, command, most, note in (
            (
                "short",
                flows.NO_OP,
                1,
                "start; a status as well where orchesjob's look falls between RUNNING and the end",
            ),
            ("long", '[sleep, "1.0"]', 2, "start and status"),
        )
    ]


def long_steps(place: Workplace) -> list[Figure]:
    """Compare a chain of long steps with what the best script would do."""

    def by_hand(environment: Mapping[str, str]) -> float:
        began = time.perf_counter()
        for number in range(6):
            key = f"--run-key=k{number}"
            command = [place.orchesjob, "start", key, "--strict", "--", "sleep", "0.7"]
            await_worker(json.loads(run(command, environment)))
            run([place.orchesjob, "status", key], environment)
        return time.perf_counter() - began

    taken = interleave(
        place.rounds(6),
        {
            "flow": running(place, flows.chain(6, '[sleep, "0.7"]')),
            "hand": in_fresh_home(place, by_hand),
        },
    )
    return [
        Figure(
            "6 steps of 0.7 s in a row / start, wait on worker_pid, status by hand",
            ratios(taken["flow"], taken["hand"]),
            1.10,
            note=f"{median(taken['flow']):.2f} s against {median(taken['hand']):.2f} s",
        )
    ]


def await_worker(job: Mapping[str, object]) -> None:
    """Wait until the process beside a job has recorded its end and gone."""
    pid = job["worker_pid"]
    assert isinstance(pid, int)  # noqa: S101 - orchesjob names it in every answer of a start
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [])
    os.close(descriptor)


def succession(place: Workplace) -> list[Figure]:
    """Measure from a job's last act to the call that starts its successor.

    What the clock itself costs, the shell in front of orchesjob, is taken off.
    """
    flow = place.write(flows.chain(6, LOG_END))
    command = [place.flow, "start", "--run-key=run", flow]
    taken, allowed, workers = [], [], []
    for _ in range(place.rounds(6)):
        with place.home(CLOCKED) as environment:
            run(command, environment)
            seen = gaps(environment)
            ask = [CLOCKED, "status", "--run-key=run:s0:1"]
            allowed.append(median(seconds(ask, environment) for _ in range(6)))
            workers += [worker_lag(place, environment, number) for number in range(2)]
            lag = median(clock_lag(environment) for _ in range(6))
            taken.append([gap - lag for gap in seen])
    return [
        Figure(
            "from a job's end to its successor's start / one `orchesjob status` + 15 ms",
            [
                gap / (one_status + ALLOWANCE_SEC)
                for of_round, one_status in zip(taken, allowed, strict=True)
                for gap in of_round
            ],
            1.05,
            note=f"{median(chain.from_iterable(taken)) * 1e3:.0f} ms from the step's last act on; a"
            f" status takes {median(allowed) * 1e3:.0f} ms; orchesjob's own worker is gone"
            f" {median(workers) * 1e3:.0f} ms after the last act, which no caller can hasten",
        )
    ]


def gaps(environment: Mapping[str, str]) -> list[float]:
    """Read the seconds from each step's last act to the call that starts its successor."""
    lines = Path(environment["BENCHMARK_CALLS"]).read_text().splitlines()
    starts = [int(line.split()[0]) for line in lines if line.split()[1] == "start"]
    ends = read_ends(environment)
    return [(start - end) / 1e6 for end, start in zip(ends[:-1], starts[1:], strict=True)]


def clock_lag(environment: Mapping[str, str]) -> float:
    """Measure from a call of the clocked orchesjob to its line in the file."""
    began = time.time()
    run([CLOCKED, "--version"], environment)
    line = Path(environment["BENCHMARK_CALLS"]).read_text().splitlines()[-1]
    return int(line.split()[0]) / 1e6 - began


def read_ends(environment: Mapping[str, str]) -> list[int]:
    """Read when the steps ended, in microseconds."""
    return [int(line) for line in Path(environment["BENCHMARK_CALLS"] + ".ends").open()]


def worker_lag(place: Workplace, environment: Mapping[str, str], number: int) -> float:
    """Measure from a job's last act to the end of orchesjob's process beside it."""
    script = 'sleep 0.3; echo ${EPOCHREALTIME/[^0-9]/} >> "$BENCHMARK_CALLS.ends"'
    start = [place.orchesjob, "start", f"--run-key=lag{number}", "--", "bash", "-c", script]
    await_worker(json.loads(run(start, environment)))
    return time.time() - read_ends(environment)[-1] / 1e6


def status(place: Workplace) -> list[Figure]:
    """Compare `orchesjob-flow status` with the least that a Python program of its kind costs."""
    with place.home() as environment:
        run([place.flow, "start", "--run-key=run", place.write(flows.chain(6))], environment)
        ask = [place.flow, "status", "--run-key=run"]
        least = [sys.executable, "-c", "import sqlite3, json"]
        taken = interleave(
            place.rounds(60),
            {
                "status": lambda: seconds(ask, environment),
                "least": lambda: seconds(least, environment),
            },
        )
    return [
        Figure(
            "`status` as JSON / `python3 -c 'import sqlite3, json'`",
            ratios(taken["status"], taken["least"]),
            2.0,
            note=f"whole processes: {min(taken['status']) * 1e3:.0f} ms against"
            f" {min(taken['least']) * 1e3:.0f} ms at their fastest",
        )
    ]
