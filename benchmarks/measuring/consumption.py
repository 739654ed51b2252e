"""What a runner uses while it waits, what those use who watch it, and what a search takes."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from measuring import flows
from measuring.figures import Figure
from measuring.workplace import Workplace, run
from orchesjob_client import OrchesjobClient

SLEEPERS = 12
WATCHED = 5000


def idling(place: Workplace) -> list[Figure]:
    """Measure the processor time of a runner, and of its calls, while its steps sleep."""
    sleep_sec, window_sec = (30, 15) if place.quick else (70, 60)
    flow = place.write(flows.independent(SLEEPERS, f'[sleep, "{sleep_sec}"]'))
    with place.home() as environment:
        runner = subprocess.Popen(
            [place.flow, "start", "--run-key=run", flow],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            ask = [place.orchesjob, "status", "--running"]
            while run(ask, environment).count('"status": "RUNNING"') < SLEEPERS:
                time.sleep(0.2)
            time.sleep(1)
            before = cpu_of(runner.pid)
            time.sleep(window_sec)
            used = cpu_of(runner.pid) - before
        finally:
            run([place.flow, "cancel", "--run-key=run", "--grace-seconds=1"], environment)
            runner.wait()
    return [
        Figure(
            f"CPU of a runner and its calls while {SLEEPERS} steps sleep",
            [used / window_sec * 100],
            0.2,
            unit=" %",
            note=f"of one core: {used * 1e3:.0f} ms in {window_sec} s",
        )
    ]


def watching(place: Workplace) -> list[Figure]:
    """Measure the processor time of whoever looks at a large run while one of its steps sleeps."""
    window_sec = 5 if place.quick else 20
    flow = place.write(f"max_parallel: 1\n{flows.independent(WATCHED, '[sleep, "600"]')}")
    watchers = {
        "wait": ["wait"],
        "watch on a terminal": ["watch", "--mode=screen"],
        "logs -f": ["logs", "-f"],
    }
    with place.home() as environment:
        run([place.flow, "start", "--run-key=run", "-d", flow], environment)
        try:
            return [
                Figure(
                    f"CPU of {name} beside a run of {WATCHED:,} steps that sleeps",
                    [used_by_watcher(place, words, environment, window_sec) / window_sec * 100],
                    1.0,
                    unit=" %",
                    note=f"of one core, in {window_sec} s",
                )
                for name, words in watchers.items()
            ]
        finally:
            run([place.flow, "cancel", "--run-key=run", "--grace-seconds=0"], environment)


def searching(place: Workplace) -> list[Figure]:
    """Measure the search for what is left of an attempt, beside many unrelated processes."""
    sleep = ["/bin/sleep", "600"]
    sleepers = [subprocess.Popen(sleep) for _ in range(200 if place.quick else 1000)]
    try:
        taken = [cpu_of_search() for _ in range(place.rounds(10))]
        count = sum(path.name.isdecimal() for path in Path("/proc").iterdir())
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
    return [
        Figure(
            "CPU of the search before a retry, for 2,000 processes",
            [each * 2000 / count for each in taken],
            20.0,
            unit=" ms",
            note=f"there were {count:,} of them",
        )
    ]


def cpu_of_search() -> float:
    """Return how many milliseconds a search takes that finds nobody."""
    began = time.process_time()
    OrchesjobClient("orchesjob", home="/nowhere").survivors("nobody:a:1")
    return (time.process_time() - began) * 1e3


def used_by_watcher(
    place: Workplace, words: list[str], environment: Mapping[str, str], window_sec: float
) -> float:
    """Start a program that looks at the run; return the seconds it uses once it has started."""
    watcher = subprocess.Popen(
        [place.flow, *words, "--run-key=run"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        time.sleep(3)
        before = cpu_of(watcher.pid)
        time.sleep(window_sec)
        return cpu_of(watcher.pid) - before
    finally:
        watcher.kill()
        watcher.wait()


def cpu_of(pid: int) -> float:
    """Read the seconds that a process and its children that have ended have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
